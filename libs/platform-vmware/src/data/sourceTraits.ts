import { macTraits, type SourceTraits } from '@ascend/domain';

/**
 * What shows that a VM lived here. Sources: address ranges of the IEEE registry; names of files, services and devices of vmware-hyperv notes, 2026-11-20, and general
 * knowledge. Images of clouds ship open-vm-tools too, so that it is weak.
 */
export const vmwareSourceTraits: SourceTraits = {
  platform: 'vmware',
  traits: [
    ...macTraits(/^00:(?:50:56|0c:29|05:69|1c:14):/),
    { kind: 'nic-model', pattern: /^vmxnet\d?$/i, strength: 'strong' },
    { kind: 'disk-bus', pattern: /pvscsi|paravirtual/i, strength: 'strong' },
    { kind: 'disk-bus', pattern: /lsi-?logic|buslogic/i, strength: 'weak' },
    { kind: 'agent', pattern: /^vendor-vm-tools$/, strength: 'strong' },
    { kind: 'agent', pattern: /^open-vm-tools$/, strength: 'weak' },
    { kind: 'service', pattern: /^(?:VMTools|VGAuthService|vmvss)$/i, strength: 'strong' },
    { kind: 'data-source', pattern: /^(?:VMware|OVF)$/, strength: 'weak' },
    { kind: 'disk-format', pattern: /^vmdk$/, strength: 'weak' },
    { kind: 'file-name', pattern: /(?:-flat|-\d{6}(?:-delta|-sesparse)?)\.vmdk$/i, strength: 'strong' },
    { kind: 'disk-key', pattern: /^\d{4,5}$/, strength: 'strong' },
    { kind: 'dmi', pattern: /VMware/i, strength: 'strong' },
  ],
};
