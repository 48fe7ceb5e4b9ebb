import { macTraits, type SourceTraits } from '@ascend/domain';

/**
 * What shows that a VM lived here. Address ranges of the IEEE registry that Azure uses, services and the asset tag of its machines: general knowledge.
 */
export const azureSourceTraits: SourceTraits = {
  platform: 'azure',
  traits: [
    ...macTraits(/^(?:00:0d:3a|00:22:48|60:45:bd|7c:1e:52):/),
    { kind: 'agent', pattern: /^waagent$/, strength: 'strong' },
    { kind: 'agent', pattern: /^hv-daemons$/, strength: 'weak' },
    { kind: 'nic-model', pattern: /^netvsc$/, strength: 'weak' },
    { kind: 'service', pattern: /^(?:WindowsAzureGuestAgent|RdAgent)$/i, strength: 'strong' },
    { kind: 'data-source', pattern: /^Azure$/, strength: 'weak' },
    { kind: 'disk-format', pattern: /^vhd$/, strength: 'weak' },
    { kind: 'dmi', pattern: /^7783-7084-3265-9085-8269-3286-77$/, strength: 'strong' },
  ],
};
