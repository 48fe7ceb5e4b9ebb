import path from 'node:path';
import type { ScannedBackup, ScannedContext, ScannedDisk, ScannedImage } from '@ascend/domain';
import { diskIndexOfFolder, identifier, readBackupName, shortHash, vmNameOfFolder } from './fileNames.ts';
import type { SkippedFile } from './walk.ts';

/** An image file of a repository: read, or unreadable with the reason. */
export type FoundImage =
  | {
      readonly relPath: string;
      readonly image: ScannedImage;
      /** Bottom file of its chain. */ readonly rootRelPath: string;
    }
  | { readonly relPath: string; readonly broken: SkippedFile };

interface Place {
  readonly found: FoundImage;
  /** What the images of one VM have in common. */
  readonly contextKey: string;
  /** Folder of the VM relative to the root, '' for the root itself. */
  readonly folder: string;
  /** Neither folder nor name tell a disk: one chain is one VM with one disk. */
  readonly isLoose: boolean;
  readonly vmName: string;
  readonly diskIndex: number;
  /** What the disks of one point have in common: time stamp, else base name. */
  readonly pointKey: string;
  readonly createdAt: string | null;
}

function folderOf(relPath: string): string {
  const folder = path.dirname(relPath);
  return folder === '.' ? '' : folder;
}

function loosePlace(found: FoundImage): Place {
  const bottom = 'image' in found ? found.rootRelPath : found.relPath;
  return {
    found,
    contextKey: bottom,
    folder: folderOf(bottom),
    isLoose: true,
    vmName: path.parse(bottom).name,
    diskIndex: 0,
    pointKey: found.relPath,
    createdAt: null,
  };
}

/** Where a file belongs: `<vm folder>/disk-N/<any name>`, a telling name in any folder, or alone with its chain. */
function placeOf(found: FoundImage): Place {
  const name = readBackupName(path.basename(found.relPath));
  const parent = folderOf(found.relPath);
  const diskIndex = diskIndexOfFolder(path.basename(parent)) ?? name?.diskIndex;
  if (diskIndex === undefined) return loosePlace(found);
  const inDiskFolder = diskIndexOfFolder(path.basename(parent)) !== null;
  const folder = inDiskFolder ? folderOf(parent) : parent;
  const vmName = name?.vmName ?? (vmNameOfFolder(path.basename(folder)) || 'unnamed');
  return {
    found,
    contextKey: inDiskFolder ? folder : path.join(folder, vmName),
    folder,
    isLoose: false,
    vmName,
    diskIndex,
    pointKey: name?.stamp ?? path.parse(found.relPath).name,
    createdAt: name?.createdAt ?? null,
  };
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return groups;
}

/** A readable place, or the reason why its whole point is left out. */
function disksOf(places: readonly Place[]): { disks: ScannedDisk[] } | { skipped: SkippedFile[] } {
  const broken = places.flatMap(({ found }) => ('broken' in found ? [found.broken] : []));
  const disks = places.flatMap(({ found, diskIndex }) =>
    'image' in found ? [{ diskIndex, image: found.image }] : [],
  );
  if (broken[0] !== undefined) {
    const reason = `${broken[0].relPath} of the same point cannot be read`;
    const others = disks.map(({ image }) => ({
      relPath: image.relPath,
      code: 'CATALOG_POINT_INCOMPLETE',
      reason,
    }));
    return { skipped: [...broken, ...others] };
  }
  if (new Set(disks.map((disk) => disk.diskIndex)).size < disks.length) {
    const reason = 'another file is the same disk of the same point';
    return {
      skipped: disks.map(({ image }) => ({
        relPath: image.relPath,
        code: 'CATALOG_POINT_AMBIGUOUS',
        reason,
      })),
    };
  }
  return { disks: disks.toSorted((a, b) => a.diskIndex - b.diskIndex) };
}

function backupOf(place: Place, contextId: string, disks: readonly ScannedDisk[]): ScannedBackup {
  const newest = Math.max(...disks.map((disk) => disk.image.mtimeMs));
  const key = place.isLoose ? shortHash(place.pointKey) : place.pointKey;
  return {
    // The VM's name does not tell two contexts of one VM apart, so the id of a point without time stamp names the context.
    backupId: identifier(
      'backup-',
      place.createdAt === null ? `${contextId}-${key}` : `${place.vmName}-${key}`,
    ),
    backupType: disks.some((disk) => disk.image.backingRelPath !== null) ? 'incremental' : 'full',
    createdAt: place.createdAt ?? new Date(newest).toISOString(),
    disks,
  };
}

function contextIdOf(place: Place): string {
  const isPlainFolder = !place.isLoose && /^ctx-[^/]+$/.test(place.contextKey);
  return isPlainFolder
    ? identifier('ctx-', place.contextKey.slice('ctx-'.length))
    : `ctx-${shortHash(place.contextKey)}`;
}

/** `web` of `web.ovf` and of `web.vmspec.json`. */
function sidecarSubject(relPath: string): string {
  return path.basename(relPath).replace(/(?:\.vmspec\.json|\.[^.]+)$/i, '');
}

/** Files that describe the VM lie in its folder or in one of its disk folders; for loose disks beside them with the same name. */
function sidecarsOf(place: Place, sidecars: readonly string[]): string[] {
  return sidecars.filter((relPath) => {
    const parent = folderOf(relPath);
    if (place.isLoose) return parent === place.folder && sidecarSubject(relPath) === place.vmName;
    if (parent === place.folder) return true;
    return folderOf(parent) === place.folder && diskIndexOfFolder(path.basename(parent)) !== null;
  });
}

/**
 * Groups images into VMs and restore points by folder, name and chain. Pure and deterministic. A point with an unreadable or doubtful
 * disk is left out as a whole: a VM must never come back with a disk silently missing.
 */
export function groupImages(
  images: readonly FoundImage[],
  sidecars: readonly string[],
): { contexts: ScannedContext[]; skipped: SkippedFile[] } {
  const skipped: SkippedFile[] = [];
  const contexts: ScannedContext[] = [];
  const takenIds = new Set<string>();
  const byContext = groupBy(images.map(placeOf), (place) => place.contextKey);
  for (const [, places] of [...byContext].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const [first] = places;
    if (first === undefined) continue;
    const contextId = contextIdOf(first);
    const backups: ScannedBackup[] = [];
    let vmName = first.vmName;
    for (const point of groupBy(places, (place) => place.pointKey).values()) {
      const result = disksOf(point);
      const [head] = point;
      if ('skipped' in result) skipped.push(...result.skipped);
      else if (head !== undefined) {
        const backup = backupOf(head, contextId, result.disks);
        const isTaken = takenIds.has(backup.backupId);
        const backupId = isTaken ? `backup-${shortHash(`${contextId}/${head.pointKey}`)}` : backup.backupId;
        takenIds.add(backupId);
        backups.push({ ...backup, backupId });
        vmName = head.vmName;
      }
    }
    if (backups.length === 0) continue;
    backups.sort((a, b) => (`${a.createdAt}${a.backupId}` < `${b.createdAt}${b.backupId}` ? -1 : 1));
    contexts.push({ contextId, vmName, backups, sidecars: sidecarsOf(first, sidecars), vmSpec: null });
  }
  return { contexts, skipped };
}
