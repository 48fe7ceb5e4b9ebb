import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createOverlay } from '@ascend/disk';
import type { ExecutorPolicy, GuestFacts, VolumeFacts } from '@ascend/domain';
import { toAppError } from '@ascend/errors';
import type { Logger } from '@ascend/runtime';
import { runsAsRoot } from '../apply/hostSandbox.ts';
import { needsKernelMount } from '../apply/mountOptions.ts';
import { replayJournal } from '../apply/replayJournal.ts';
import { firmwareOf, readLayout, type DiskLayout } from '../volumes/volumeFacts.ts';
import { probeWindowsGuest } from '../windows/guest/probeWindowsGuest.ts';
import { describeRoot } from './describeRoot.ts';
import { findRoot, guestProblem, volumeLabel } from './findRoot.ts';
import type { ApplianceChoice } from '../appliance/applianceSetup.ts';
import { lookByAppliance, needsAppliance } from './lookByAppliance.ts';
import { openDisks, type GuestDisk } from './openDisks.ts';
import { volumeReader } from './volumeReader.ts';

/** What a probe works with. */
export interface ProbeParams {
  readonly images: readonly GuestDisk[];
  /** Scratch folder, made and removed by the caller. */
  readonly workDir: string;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /**
   * `auto` (default): where the parsers of this project do not reach all of the guest, an appliance looks, if one is given and works here.
   * `host`: the parsers alone. `appliance`: an appliance looks at every Linux guest, and it is an error when none works.
   */
  readonly executor?: ExecutorPolicy;
  /** Absent: none is used. */
  readonly appliance?: ApplianceChoice;
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
  /** Volumes whose journals must be replayed before the facts can be trusted. */
  readonly dirty: readonly VolumeFacts[];
}

/** Can the journal be replayed here? Not where the volume is no single piece of a disk. */
function isReplayable(volume: VolumeFacts): boolean {
  return volume.requires !== 'appliance';
}

function inUseRemark(volume: VolumeFacts): string {
  const outcome = isReplayable(volume) ? 'its journal is replayed' : 'its journal is not replayed';
  return `${volumeLabel(volume)}: was in use when backed up; ${outcome}`;
}

/** What the host executor can do depends on who runs it: without root the kernel mounts nothing for us. */
function withHostLimits(layout: DiskLayout): DiskLayout {
  if (runsAsRoot()) return layout;
  const volumes = layout.volumes.map((volume): VolumeFacts => {
    if (volume.requires !== 'host' || !needsKernelMount(volume.content)) return volume;
    const requiresReason = `${volume.content} is mounted by the kernel alone, which takes root`;
    return { ...volume, requires: 'appliance', requiresReason };
  });
  return { ...layout, volumes };
}

async function look(params: ProbeParams, acceptDirty: boolean): Promise<FirstLook> {
  await using opened = await openDisks(params.images, params);
  const layout = withHostLimits(await readLayout(opened.disks));
  await using reader = volumeReader(layout, params);
  const { root, remarks } = await findRoot(layout, reader);
  if (root === null) {
    const windows = await probeWindowsGuest(layout, params);
    const all = [...remarks, ...windows.remarks];
    return { facts: windows.facts ?? describeRootless(layout, all), dirty: [] };
  }
  if (!acceptDirty && root.dirty.some(isReplayable)) {
    return { facts: describeRootless(layout, remarks), dirty: root.dirty.filter(isReplayable) };
  }
  const unreplayed = root.dirty.filter((volume) => !isReplayable(volume)).map(inUseRemark);
  try {
    const facts = await describeRoot(root, { layout, disks: opened.disks }, params);
    return { facts: { ...facts, remarks: [...remarks, ...facts.remarks, ...unreplayed] }, dirty: [] };
  } catch (cause) {
    const remark = `${volumeLabel(root.volume)}: ${guestProblem(cause)}`;
    return { facts: describeRootless(layout, [...remarks, remark]), dirty: [] };
  }
}

/** The disk with a throw-away overlay on top in which the journals of its volumes are replayed. */
async function replayed(
  disk: GuestDisk,
  dirty: readonly VolumeFacts[],
  params: { readonly folder: string; readonly signal: AbortSignal },
): Promise<GuestDisk> {
  const volumes = dirty.filter((volume) => volume.diskIndex === disk.diskIndex);
  if (volumes.length === 0) return disk;
  const { folder, signal } = params;
  const overlay = join(folder, `journal-${disk.diskIndex}.qcow2`);
  await createOverlay({ image: disk.image, path: overlay });
  const image = { chain: disk.image.chain, overlays: [...disk.image.overlays, overlay] };
  for (const volume of volumes) await replayJournal({ image, volume, workDir: folder, signal });
  return { diskIndex: disk.diskIndex, image };
}

/** Replays journals on throw-away overlays and looks again; the backup itself is never written. */
async function lookAfterReplay(params: ProbeParams, dirty: readonly VolumeFacts[]): Promise<GuestFacts> {
  const folder = await mkdtemp(join(params.workDir, 'probe-'));
  try {
    const images: GuestDisk[] = [];
    for (const disk of params.images) {
      images.push(await replayed(disk, dirty, { folder, signal: params.signal }));
    }
    const { facts } = await look({ ...params, images, workDir: folder }, true);
    return { ...facts, remarks: [...facts.remarks, ...dirty.map(inUseRemark)] };
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
 * @throws {AppError} GUEST_KEY_REJECTED - a key for an encrypted volume does not fit
 * @throws {AppError} GUEST_EXECUTOR_UNAVAILABLE - an appliance was asked for and none runs here
 * @throws {AppError} OPERATION_CANCELLED
 */
export async function probeGuest(params: ProbeParams): Promise<GuestFacts> {
  try {
    const { facts: first, dirty } = await look(params, false);
    const facts = dirty.length === 0 ? first : await lookAfterReplay(params, dirty);
    const { executor = 'auto', appliance } = params;
    if (executor === 'host' || facts.family === 'windows') return facts;
    if (executor === 'auto' && !needsAppliance(facts)) return facts;
    return await lookByAppliance(facts, { ...params, executor, appliance });
  } catch (cause) {
    throw toAppError(cause, 'probe guest');
  }
}
