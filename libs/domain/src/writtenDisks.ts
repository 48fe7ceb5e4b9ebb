import { chooseExecutor, type ExecutorPolicy } from './executor.ts';
import type { GuestFacts } from './facts.ts';

/** What an appliance assembles as a whole: starting an array or opening a container may write to each of its parts. */
const containers = new Set(['lvm2', 'mdraid', 'luks']);

type System = Pick<GuestFacts, 'root' | 'mounts' | 'volumes' | 'esp'>;

function mountedDisks({ mounts = [], volumes = [] }: System): readonly number[] {
  return mounts
    .filter(({ fileSystem }) => fileSystem !== 'vfat')
    .flatMap((mount) => {
      const volume = volumes[mount.volume];
      if (volume === undefined) return [];
      const { segments = [] } = volume;
      return (segments.length === 0 ? [volume] : segments).map(({ diskIndex }) => diskIndex);
    });
}

function containerDisks({ volumes = [] }: System): readonly number[] {
  return volumes.filter(({ content }) => containers.has(content)).map(({ diskIndex }) => diskIndex);
}

/**
 * Indexes of the disks that edits of the guest write to: those of its root, of what is mounted into it and of its boot programs, and
 * for the appliance those of all containers, because half a written array is a broken one. Sorted.
 */
export function writtenDisks(guest: System, policy: ExecutorPolicy = 'auto'): readonly number[] {
  const { root, esp = null } = guest;
  const isAssembled = root !== null && chooseExecutor(guest, policy).kind === 'appliance';
  const disks = new Set<number>([
    ...(root === null ? [] : [root.diskIndex]),
    ...mountedDisks(guest),
    ...(isAssembled ? containerDisks(guest) : []),
    ...(esp === null ? [] : [esp.diskIndex]),
  ]);
  return [...disks].toSorted((left, right) => left - right);
}
