import type { GuestFacts } from '@ascend/domain';
import { isAppError } from '@ascend/errors';
import type { Logger } from '@ascend/runtime';
import {
  openAppliance,
  probeAppliance,
  type ApplianceFileSystem,
  type ApplianceLayout,
  type ApplianceMount,
  type ApplianceSession,
  type VolumeKey,
} from '../appliance/index.ts';
import { readText, type GuestFiles } from '../guestFiles.ts';
import { parseFstab, type FstabEntry } from '../linux/fstab.ts';
import { readKernels } from '../linux/kernels.ts';
import { readOsRelease, type OsRelease } from '../linux/osRelease.ts';
import { readNics } from '../network/nics.ts';
import { readArchitecture } from './architecture.ts';
import type { GuestDisk } from './openDisks.ts';
import { readHostname, readInitramfsTool } from './systemFiles.ts';

/** What an appliance of this machine is started with. */
export interface ApplianceChoice {
  /** Where the appliance is kept between looks; may be shared by processes of one user. */
  readonly cacheDir: string;
  /** What `workingAcceleration` found. */
  readonly acceleration: 'kvm' | 'tcg';
  /** For encrypted volumes of the guest. */
  readonly keys: readonly VolumeKey[];
}

/** What a look by appliance works with. */
interface LookParams {
  readonly images: readonly GuestDisk[];
  readonly workDir: string;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly executor: 'auto' | 'appliance';
  readonly appliance: ApplianceChoice;
}

interface SystemFound {
  readonly root: ApplianceMount;
  readonly label: string;
  readonly os: OsRelease;
  readonly fstab: readonly FstabEntry[];
}

const linuxTypes = new Set(['ext2', 'ext3', 'ext4', 'xfs', 'btrfs']);
/** Where kernels, modules and programs may lie apart from the root. */
const neededFolders = new Set(['/boot', '/usr']);
/** Subvolumes of one Btrfs that are tried as the root; snapshots can be many. */
const maxSubvolumes = 16;

function rootsOf({ device, subvolumes }: ApplianceFileSystem): readonly ApplianceMount[] {
  const inside = (subvolumes ?? []).slice(0, maxSubvolumes).map(({ path }) => ({
    device,
    subvolume: path,
    mountPoint: '/',
  }));
  return [{ device, mountPoint: '/' }, ...inside];
}

function labelOf({ device, subvolume }: ApplianceMount): string {
  return subvolume === undefined ? device : `${device} subvolume ${subvolume}`;
}

/** The first file system that is a Linux root by its contents; what cannot be mounted is a remark. */
async function findSystem(
  session: ApplianceSession,
  layout: ApplianceLayout,
  remarks: string[],
): Promise<SystemFound | null> {
  const candidates = layout.fileSystems.filter(({ type }) => linuxTypes.has(type)).flatMap(rootsOf);
  for (const root of candidates) {
    try {
      const { files } = await session.mount([root]);
      const os = await readOsRelease(files);
      const fstab = await readText(files, '/etc/fstab');
      if (os !== null && fstab !== null) return { root, label: labelOf(root), os, fstab: parseFstab(fstab) };
    } catch (cause) {
      if (!isAppError(cause) || !cause.code.startsWith('GUEST_FILE')) throw cause;
      remarks.push(`${labelOf(root)}: ${cause.message}`);
    }
  }
  return null;
}

/** The device mapper's name of a logical volume; other names stay. */
function mapped(device: string): string {
  const [, group = '', volume = ''] = /^\/dev\/([^/]+)\/([^/]+)$/.exec(device) ?? [];
  if (volume === '' || group === 'mapper') return device;
  return `/dev/mapper/${group.replaceAll('-', '--')}-${volume.replaceAll('-', '--')}`;
}

/** Which file system fstab means; `/dev/mapper/vg-lv` is another name of `/dev/vg/lv`, with hyphens in names doubled. */
function deviceOf(name: string, { fileSystems }: ApplianceLayout): string | null {
  const uuid = /^UUID="?([\w-]+)"?$/.exec(name)?.[1]?.toLowerCase();
  const label = /^LABEL="?([^"]+)"?$/.exec(name)?.[1];
  const found = fileSystems.find((system) => {
    if (uuid !== undefined) return system.uuid?.toLowerCase() === uuid;
    if (label !== undefined) return system.label === label;
    return name.includes('/', 5) && mapped(system.device) === mapped(name);
  });
  return found?.device ?? null;
}

/** Mounts the root with `/boot` and `/usr` where they are volumes of their own. */
async function mountSystem(
  session: ApplianceSession,
  layout: ApplianceLayout,
  { root, fstab }: SystemFound,
): Promise<{ readonly files: GuestFiles; readonly remarks: readonly string[] }> {
  const remarks: string[] = [];
  const mounts = [root];
  for (const { device: name, mountPoint } of fstab.filter((entry) => neededFolders.has(entry.mountPoint))) {
    const device = deviceOf(name, layout);
    if (device === null) remarks.push(`${mountPoint} (${name}) was not found`);
    else mounts.push({ device, mountPoint });
  }
  const { files } = await session.mount(mounts);
  return { files, remarks };
}

function lockedRemarks({ luks }: ApplianceLayout): readonly string[] {
  return luks
    .filter(({ openedAs }) => openedAs === null)
    .map(({ device, uuid }) => `${device} (LUKS ${uuid}): encrypted, and no key was given`);
}

/**
 * Adds what an appliance sees to facts without a root. The root stays null: its place is no range of one disk, and edits
 * there are not planned yet.
 *
 * @throws {AppError} GUEST_FILE_SYSTEM_UNSUPPORTED - `/boot` or `/usr` of the guest cannot be mounted
 */
export async function describeByAppliance(
  facts: GuestFacts,
  session: ApplianceSession,
  params: Pick<LookParams, 'workDir' | 'logger' | 'signal'>,
): Promise<GuestFacts> {
  const layout = await session.inspect();
  const remarks: string[] = [...lockedRemarks(layout)];
  const system = await findSystem(session, layout, remarks);
  if (system === null) return { ...facts, remarks: [...facts.remarks, ...remarks] };
  const mounted = await mountSystem(session, layout, system);
  const { files } = mounted;
  const kernels = await readKernels(files, params);
  const network = await readNics(files);
  return {
    ...facts,
    family: 'linux',
    distribution: system.os.distribution,
    version: system.os.version,
    arch: await readArchitecture(files),
    hostname: await readHostname(files),
    initramfsTool: await readInitramfsTool(files),
    kernels: kernels.kernels,
    nics: network.nics,
    remarks: [
      ...facts.remarks,
      ...remarks,
      ...mounted.remarks,
      ...kernels.remarks,
      ...network.remarks,
      `the root file system is ${system.label}, as an appliance sees it`,
    ],
  };
}

/**
 * Looks for the system in an appliance where this project's own parsers found none.
 *
 * @throws {AppError} GUEST_EXECUTOR_UNAVAILABLE - `appliance` was asked for and none runs here
 * @throws {AppError} GUEST_KEY_REJECTED, DISK_*, OPERATION_CANCELLED
 */
export async function lookByAppliance(facts: GuestFacts, params: LookParams): Promise<GuestFacts> {
  const { images, workDir, logger, signal, executor, appliance } = params;
  if (executor === 'auto') {
    const { works, reason } = await probeAppliance({ ...appliance, workDir, signal });
    if (!works) {
      logger.info('no appliance looks at the guest', { reason });
      return facts;
    }
  }
  const session = await openAppliance({ ...appliance, images, writable: false, workDir, logger, signal });
  try {
    return await describeByAppliance(facts, session, params);
  } finally {
    await session.close();
  }
}
