import type { GuestFacts } from './facts.ts';

/** Indexes of the disks that edits of the guest write to: those of its root, of what is mounted into it and of its boot programs. Sorted. */
export function writtenDisks(
  guest: Pick<GuestFacts, 'root' | 'mounts' | 'volumes' | 'esp'>,
): readonly number[] {
  const disks = new Set<number>();
  if (guest.root !== null) disks.add(guest.root.diskIndex);
  for (const mount of guest.mounts ?? []) {
    const volume = guest.volumes?.[mount.volume];
    if (volume === undefined || mount.fileSystem === 'vfat') continue;
    for (const segment of volume.segments ?? [volume]) disks.add(segment.diskIndex);
  }
  if (guest.esp !== undefined && guest.esp !== null) disks.add(guest.esp.diskIndex);
  return [...disks].toSorted((left, right) => left - right);
}
