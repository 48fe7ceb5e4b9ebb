import { AppError } from '@ascend/errors';
import type { GuestRoot } from '../apply/guestRoot.ts';
import type { GuestFiles } from '../guestFiles.ts';
import { applianceFiles } from './applianceFiles.ts';
import type { ApplianceProcess } from './applianceProcess.ts';
import { applianceRoot } from './applianceRoot.ts';
import { isDeviceName, type BlockDevices } from './blockDevices.ts';
import type { Exchange } from './exchange.ts';
import { numberOf, parseRecord } from './fishOutput.ts';

/** One file system and where it goes. */
export interface ApplianceMount {
  /** As the layout names it. */
  readonly device: string;
  /** A subvolume of a Btrfs, by its path from the top. Default: the one the file system itself names. */
  readonly subvolume?: string;
  /** `/` comes first; the folder must be there. */
  readonly mountPoint: string;
  /** Options of mount(8), comma-separated, beside read-only or read-write. */
  readonly options?: string;
}

/** The mounted file systems of a guest. Valid until the next `mount` or the end of the session. */
export interface MountedGuest {
  readonly files: GuestFiles;
  /** null: the session is read-only. */
  readonly root: GuestRoot | null;
}

/** Options that could name other devices or change how the appliance itself works are none of a file system's. */
const allowedOptions = /^(?:[a-z0-9_]+(?:=[\w@/.:+-]+)?(?:,(?!$)|$))*$/;

function refuse(mount: ApplianceMount, problem: string): AppError {
  return new AppError({
    code: 'GUEST_UNRECOGNISED',
    message: `mount ${mount.device.slice(0, 100)}: ${problem}`,
  });
}

/** @throws {AppError} GUEST_UNRECOGNISED - not a device, folder or option */
function checkMount(mount: ApplianceMount): void {
  if (!isDeviceName(mount.device)) throw refuse(mount, 'this is no name of a device');
  if (!mount.mountPoint.startsWith('/')) throw refuse(mount, 'the mount point is not absolute');
  if (!allowedOptions.test(mount.options ?? '')) throw refuse(mount, 'the options are not understood');
}

/** A link in the place of a mount point would lead the mount out of the guest's tree. */
async function assertFolder(process: ApplianceProcess, mount: ApplianceMount): Promise<void> {
  const parts = mount.mountPoint.split('/').filter(Boolean);
  for (const count of parts.keys()) {
    const folder = `/${parts.slice(0, count + 1).join('/')}`;
    const { stdout, error } = await process.tryAsk('lstatns', [folder]);
    const mode = error === null ? (numberOf(parseRecord(stdout.toString('latin1')), 'st_mode') ?? 0) : 0;
    if (mode >> 12 === 0o04) continue;
    throw new AppError({
      code: 'GUEST_LAYOUT_UNSUPPORTED',
      message: `mount ${mount.mountPoint} of guest: ${folder} is ${mode >> 12 === 0o12 ? 'a link' : 'no folder'}`,
    });
  }
}

async function mountOne(process: ApplianceProcess, mount: ApplianceMount, writable: boolean): Promise<void> {
  checkMount(mount);
  await assertFolder(process, mount);
  const { device, subvolume, mountPoint } = mount;
  const options = [writable ? 'rw' : 'ro', ...(mount.options ?? '').split(',').filter(Boolean)].join(',');
  // libguestfs's own name for a file system inside another (guestfs(3), btrfsvol).
  const mountable = subvolume === undefined ? device : `btrfsvol:${device}/${subvolume}`;
  const { error } = await process.tryAsk('mount-options', [options, mountable, mountPoint]);
  if (error === null) return;
  throw new AppError({
    code: 'GUEST_FILE_SYSTEM_UNSUPPORTED',
    message: `mount ${device} of guest: ${error.slice(0, 300)}`,
  });
}

/**
 * Mounts the tree of a guest inside the appliance, in place of what was mounted there.
 *
 * @throws {AppError} GUEST_FILE_SYSTEM_UNSUPPORTED, GUEST_UNRECOGNISED; GUEST_LAYOUT_UNSUPPORTED - a mount point is a link
 */
export async function mountGuestTree(params: {
  readonly process: ApplianceProcess;
  readonly devices: BlockDevices;
  readonly exchange: Exchange;
  readonly mounts: readonly ApplianceMount[];
  readonly writable: boolean;
}): Promise<MountedGuest> {
  const { process, devices, exchange, mounts, writable } = params;
  await process.ask('umount-all', []);
  const checked = new Map<string, string>();
  for (const mount of mounts) {
    await mountOne(process, mount, writable);
    checked.set(mount.device, (await devices.content(mount.device)).type);
  }
  const anyDevice = mounts[0]?.device ?? '';
  return {
    files: applianceFiles(process, exchange),
    root: writable ? applianceRoot({ process, exchange, anyDevice }, { mounted: checked }) : null,
  };
}
