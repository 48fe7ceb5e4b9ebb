import type { Finding, GuestFacts } from '@ascend/domain';

/** A volume of the guest's tree that only the appliance can mount. */
export interface ApplianceReason {
  readonly mountPoint: string;
  /** `vg0-root`, or where the partition is. */
  readonly volume: string;
  readonly reason: string;
}

/**
 * Why a guest needs the appliance, by mount point; empty = the host executor can mount everything. This is what chooses
 * between the two.
 */
export function applianceReasons(guest: GuestFacts): readonly ApplianceReason[] {
  return (guest.mounts ?? []).flatMap(({ mountPoint, volume: index }) => {
    const volume = guest.volumes?.[index];
    if (volume?.requires !== 'appliance') return [];
    const place = volume.partition === null ? `disk ${volume.diskIndex}` : `partition ${volume.partition}`;
    return [{ mountPoint, volume: volume.name ?? place, reason: volume.requiresReason ?? 'unknown' }];
  });
}

function blocked(message: string, evidence: string): Finding {
  const action = 'restore without guest preparation when the guest already has the drivers of the target';
  return {
    code: 'GUEST_LAYOUT_UNSUPPORTED',
    severity: 'blocked',
    subject: 'guest',
    message,
    evidence,
    action,
  };
}

/** Parts of the tree that cannot be reached: nothing is edited then, since half of it would be missed. */
export function planLayout(guest: GuestFacts): readonly Finding[] {
  const reached = new Set((guest.mounts ?? []).map((mount) => mount.mountPoint));
  const lacking = (guest.boot?.separateMounts ?? []).filter((mountPoint) => !reached.has(mountPoint));
  const remarks = guest.remarks.join('; ');
  return [
    ...applianceReasons(guest).map(({ mountPoint, volume, reason }) =>
      blocked(
        `${mountPoint} can be mounted by the appliance alone, which this version does not have`,
        `${volume}: ${reason}`,
      ),
    ),
    ...lacking.map((mountPoint) =>
      blocked(
        `${mountPoint} is a file system of its own that was not found or cannot be read`,
        remarks === '' ? 'etc/fstab' : `etc/fstab; ${remarks}`,
      ),
    ),
  ];
}
