import { macTraits, type SourceTraits } from '@ascend/domain';

/**
 * What shows that a VM lived here. The address range is that of the API's own example (v3 swagger, read 2026-11-20); services and DMI texts: general knowledge.
 */
export const nutanixSourceTraits: SourceTraits = {
  platform: 'nutanix',
  traits: [
    ...macTraits(/^50:6b:8d:/),
    { kind: 'agent', pattern: /^ngt$/, strength: 'strong' },
    { kind: 'agent', pattern: /^qemu-guest-agent$/, strength: 'weak' },
    { kind: 'service', pattern: /^Nutanix Guest (?:Agent|Tools Agent)$/i, strength: 'strong' },
    { kind: 'dmi', pattern: /Nutanix/i, strength: 'strong' },
  ],
};
