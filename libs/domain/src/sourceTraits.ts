import type { PlatformId } from './platform.ts';

/**
 * What a clue to the former platform is: `document` metadata of a format that one platform writes, `mac` and `nic-model` and `disk-bus` of
 * the VM's own hardware, `guest-mac` in files of the guest (may be older than the last move), `agent` and `service` that start with the
 * guest, `data-source` that cloud-init is pinned to, `disk-format`, `file-name` and `disk-key` of the backup, `dmi` texts of the firmware.
 */
export const sourceClueKinds = [
  'document',
  'mac',
  'nic-model',
  'disk-bus',
  'guest-mac',
  'agent',
  'service',
  'data-source',
  'disk-format',
  'file-name',
  'disk-key',
  'dmi',
] as const;

/** One such kind. */
export type SourceClueKind = (typeof sourceClueKinds)[number];

/** Something that VMs of one platform have, and others have not (`strong`) or seldom (`weak`). */
export interface SourceTrait {
  readonly kind: SourceClueKind;
  /** Of the value of a clue. */
  readonly pattern: RegExp;
  readonly strength: 'strong' | 'weak';
}

/** The traits of one platform. */
export interface SourceTraits {
  readonly platform: PlatformId;
  readonly traits: readonly SourceTrait[];
}

/** MAC addresses of a vendor: strong on the VM's own hardware, weak in files of the guest. */
export function macTraits(pattern: RegExp): readonly SourceTrait[] {
  return [
    { kind: 'mac', pattern, strength: 'strong' },
    { kind: 'guest-mac', pattern, strength: 'weak' },
  ];
}
