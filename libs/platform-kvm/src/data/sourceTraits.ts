import { macTraits, type SourceTraits } from '@ascend/domain';

/**
 * What shows that a VM lived here. The address range is QEMU's own, which other products on QEMU seldom use; the second one is that of Proxmox. General knowledge.
 */
export const kvmSourceTraits: SourceTraits = {
  platform: 'kvm',
  traits: [
    ...macTraits(/^52:54:00:|^bc:24:11:/),
    { kind: 'agent', pattern: /^qemu-guest-agent$/, strength: 'weak' },
    { kind: 'service', pattern: /^QEMU-GA$/i, strength: 'weak' },
    { kind: 'dmi', pattern: /^(?:QEMU|KVM|Standard PC )/i, strength: 'strong' },
  ],
};
