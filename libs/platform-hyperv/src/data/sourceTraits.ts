import { macTraits, type SourceTraits } from '@ascend/domain';

/**
 * What shows that a VM lived here. The address range is that of the IEEE registry. The daemons run in Azure as well. General knowledge of file names.
 */
export const hypervSourceTraits: SourceTraits = {
  platform: 'hyperv',
  traits: [
    ...macTraits(/^00:15:5d:/),
    { kind: 'agent', pattern: /^hv-daemons$/, strength: 'weak' },
    { kind: 'nic-model', pattern: /^netvsc$/, strength: 'weak' },
    { kind: 'disk-format', pattern: /^vhdx$/, strength: 'strong' },
    { kind: 'disk-format', pattern: /^vhd$/, strength: 'weak' },
    { kind: 'file-name', pattern: /\.avhdx?$/i, strength: 'strong' },
    { kind: 'dmi', pattern: /^Microsoft Corporation/i, strength: 'weak' },
  ],
};
