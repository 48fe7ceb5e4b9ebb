import type { SourceTraits } from '@ascend/domain';

/**
 * What shows that a VM lived here. Addresses are made of a few prefixes that are free to everybody, so that they are weak. General knowledge of its templates
 * and of names of volumes.
 */
export const cloudstackSourceTraits: SourceTraits = {
  platform: 'cloudstack',
  traits: [
    { kind: 'mac', pattern: /^(?:02:00|06:[0-9a-f]{2}|1e:0[0-9a-f]):/, strength: 'weak' },
    { kind: 'agent', pattern: /^cloud-set-guest$/, strength: 'strong' },
    { kind: 'agent', pattern: /^qemu-guest-agent$/, strength: 'weak' },
    { kind: 'data-source', pattern: /^CloudStack$/, strength: 'strong' },
    { kind: 'file-name', pattern: /(?:^|\/)ROOT-\d+(?:[-.]|$)/, strength: 'strong' },
    { kind: 'dmi', pattern: /CloudStack/i, strength: 'strong' },
  ],
};
