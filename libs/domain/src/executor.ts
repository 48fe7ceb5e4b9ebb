import type { GuestFacts } from './facts.ts';

/** Which executors may be used. `auto`: the host where the layout allows it, else the appliance. */
export type ExecutorPolicy = 'auto' | 'host' | 'appliance';

/**
 * Who mounts and edits a Linux guest, and why. `host`: this machine's sandbox, fast, volumes in one piece. `appliance`: a small virtual
 * machine with the drivers of all volumes, a wall of its own, minutes without hardware acceleration.
 */
export interface ExecutorChoice {
  readonly kind: 'host' | 'appliance';
  readonly reason: string;
}

/** A volume of the guest's tree that only the appliance can mount. */
export interface ApplianceReason {
  readonly mountPoint: string;
  /** `vg0-root`, or where the partition is. */
  readonly volume: string;
  readonly reason: string;
}

/** Why a guest needs the appliance, by mount point; empty = the host executor can mount everything. */
export function applianceReasons(guest: Pick<GuestFacts, 'mounts' | 'volumes'>): readonly ApplianceReason[] {
  return (guest.mounts ?? []).flatMap(({ mountPoint, volume: index }) => {
    const volume = guest.volumes?.[index];
    if (volume?.requires !== 'appliance') return [];
    const place = volume.partition === null ? `disk ${volume.diskIndex}` : `partition ${volume.partition}`;
    return [{ mountPoint, volume: volume.name ?? place, reason: volume.requiresReason ?? 'unknown' }];
  });
}

/** Chooses by layout and policy. Policy `host` never gives the appliance, even where nothing else would do. */
export function chooseExecutor(
  guest: Pick<GuestFacts, 'mounts' | 'volumes'>,
  policy: ExecutorPolicy = 'auto',
): ExecutorChoice {
  if (policy === 'appliance') return { kind: 'appliance', reason: 'the policy asks for it' };
  const reasons = applianceReasons(guest).map(
    ({ mountPoint, volume, reason }) => `${mountPoint} on ${volume}: ${reason}`,
  );
  if (reasons.length > 0 && policy === 'auto') return { kind: 'appliance', reason: reasons.join('; ') };
  const reason =
    policy === 'host' ? 'the policy asks for it' : 'every volume of the system lies in one piece on one disk';
  return { kind: 'host', reason };
}

/** UUIDs of encrypted volumes (LUKS) that no key has opened. */
export function lockedVolumes({ volumes = [] }: Pick<GuestFacts, 'volumes'>): readonly string[] {
  const opened = new Set(volumes.map(({ name }) => name));
  const locked = volumes.filter(
    ({ content, uuid }) => content === 'luks' && uuid !== null && !opened.has(openedName(uuid)),
  );
  return [...new Set(locked.map(({ uuid }) => (uuid ?? '').toLowerCase()))];
}

/** `VolumeFacts.name` of what lies inside an encrypted volume. */
export function openedName(uuid: string): string {
  return `luks-${uuid.toLowerCase()}`;
}
