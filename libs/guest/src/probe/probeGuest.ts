import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createOverlay } from '@ascend/disk';
import type { GuestFacts, VolumeFacts } from '@ascend/domain';
import { toAppError } from '@ascend/errors';
import type { Logger } from '@ascend/runtime';
import { replayJournal } from '../apply/replayJournal.ts';
import { readText, type GuestFiles } from '../guestFiles.ts';
import { readBootConfig } from '../linux/bootConfig.ts';
import { readDeviceNames } from '../linux/deviceNameFacts.ts';
import { readKernels } from '../linux/kernels.ts';
import { readLinuxFacts } from '../linux/linuxFacts.ts';
import { readNics } from '../network/nics.ts';
import { firmwareOf, readLayout, type DiskLayout } from '../volumes/volumeFacts.ts';
import { readArchitecture } from './architecture.ts';
import { findRoot, guestProblem, volumeLabel, type FoundRoot } from './findRoot.ts';
import { openDisks, type GuestDisk } from './openDisks.ts';

/** What a probe works with. */
export interface ProbeParams {
  readonly images: readonly GuestDisk[];
  /** Scratch folder, made and removed by the caller. */
  readonly workDir: string;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

async function readInitramfsTool(files: GuestFiles): Promise<GuestFacts['initramfsTool']> {
  const has = async (path: string): Promise<boolean> => (await files.stat(path))?.kind === 'file';
  if (await has('/usr/sbin/update-initramfs')) return 'initramfs-tools';
  return (await has('/usr/bin/dracut')) || (await has('/usr/sbin/dracut')) ? 'dracut' : 'none';
}

async function readHostname(files: GuestFiles): Promise<string | null> {
  const text = ((await readText(files, '/etc/hostname')) ?? '').trim();
  return /^[\w.-]{1,253}$/.test(text) ? text : null;
}

async function describeRoot(root: FoundRoot, layout: DiskLayout, params: ProbeParams): Promise<GuestFacts> {
  const { files, volume, os } = root;
  const { kernels, remarks } = await readKernels(files, params);
  const network = await readNics(files);
  const boot = await readBootConfig(files);
  const deviceNames = await readDeviceNames(files, {
    volumes: layout.volumes,
    root: volume,
    bootConfigs: boot.configPaths,
  });
  const { diskIndex, offsetBytes, sizeBytes, content } = volume;
  return {
    family: 'linux',
    distribution: os.distribution,
    version: os.version,
    arch: await readArchitecture(files),
    hostname: await readHostname(files),
    root: { diskIndex, offsetBytes, sizeBytes, fileSystem: content },
    firmware: firmwareOf(layout.tables.get(diskIndex)),
    initramfsTool: await readInitramfsTool(files),
    kernels,
    nics: network.nics,
    volumes: layout.volumes,
    deviceNames,
    boot,
    linux: await readLinuxFacts(files, { volumes: layout.volumes, root: volume, deviceNames }),
    remarks: [...remarks, ...network.remarks],
  };
}

const linuxContents = new Set(['ext2', 'ext3', 'ext4', 'xfs', 'btrfs', 'lvm2', 'luks', 'mdraid', 'swap']);

function describeRootless(layout: DiskLayout, remarks: readonly string[]): GuestFacts {
  const looksLinux = layout.volumes.some((volume) => linuxContents.has(volume.content));
  const bootDisk = [...layout.tables.keys()].toSorted((left, right) => left - right)[0];
  return {
    family: looksLinux ? 'linux' : 'unknown',
    distribution: null,
    version: null,
    arch: null,
    hostname: null,
    root: null,
    firmware: bootDisk === undefined ? 'unknown' : firmwareOf(layout.tables.get(bootDisk)),
    initramfsTool: 'none',
    kernels: [],
    nics: [],
    volumes: layout.volumes,
    remarks,
  };
}

interface FirstLook {
  readonly facts: GuestFacts;
  /** Set when the journal of the root must be replayed before the facts can be trusted. */
  readonly dirtyRoot: VolumeFacts | null;
}

async function look(params: ProbeParams, acceptDirty: boolean): Promise<FirstLook> {
  await using opened = await openDisks(params.images, params);
  const layout = await readLayout(opened.disks);
  const { root, remarks } = await findRoot(opened.disks, layout.volumes);
  if (root === null) return { facts: describeRootless(layout, remarks), dirtyRoot: null };
  if (root.files.superblock.needsRecovery && !acceptDirty) {
    return { facts: describeRootless(layout, remarks), dirtyRoot: root.volume };
  }
  try {
    const facts = await describeRoot(root, layout, params);
    return { facts: { ...facts, remarks: [...remarks, ...facts.remarks] }, dirtyRoot: null };
  } catch (cause) {
    const remark = `${volumeLabel(root.volume)}: ${guestProblem(cause)}`;
    return { facts: describeRootless(layout, [...remarks, remark]), dirtyRoot: null };
  }
}

/** Replays the journal on a throw-away overlay and looks again; the backup itself is never written. */
async function lookAfterReplay(params: ProbeParams, dirty: VolumeFacts): Promise<GuestFacts> {
  const folder = await mkdtemp(join(params.workDir, 'probe-'));
  try {
    const images: GuestDisk[] = [];
    for (const disk of params.images) {
      if (disk.diskIndex !== dirty.diskIndex) {
        images.push(disk);
        continue;
      }
      const overlay = join(folder, 'journal.qcow2');
      await createOverlay({ image: disk.image, path: overlay });
      const image = { chain: disk.image.chain, overlays: [...disk.image.overlays, overlay] };
      await replayJournal({ image, volume: dirty, workDir: folder, signal: params.signal });
      images.push({ diskIndex: disk.diskIndex, image });
    }
    const { facts } = await look({ ...params, images, workDir: folder }, true);
    const remark = `${volumeLabel(dirty)}: was in use when backed up; its journal is replayed`;
    return { ...facts, remarks: [...facts.remarks, remark] };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Finds out what is inside the disks: read-only, without mounting them and without running anything of the guest. A
 * file system that was in use when it was backed up is read after replaying its journal on a throw-away overlay.
 * What cannot be looked into (other file systems, containers, damage) becomes a remark, not an error.
 *
 * @throws {AppError} DISK_* - a disk cannot be opened
 * @throws {AppError} OPERATION_CANCELLED
 */
export async function probeGuest(params: ProbeParams): Promise<GuestFacts> {
  try {
    const { facts, dirtyRoot } = await look(params, false);
    return dirtyRoot === null ? facts : await lookAfterReplay(params, dirtyRoot);
  } catch (cause) {
    throw toAppError(cause, 'probe guest');
  }
}
