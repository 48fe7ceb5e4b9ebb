import { toAppError } from '@ascend/errors';
import { blockDevices } from './blockDevices.ts';
import { inspectLayout, type ApplianceLayout } from './inspectLayout.ts';
import { mountGuestTree, type ApplianceMount, type MountedGuest } from './mountGuestTree.ts';
import { volumeOpener, type ApplianceVolume } from './openVolume.ts';
import { startSession, type StartSessionParams } from './startSession.ts';
import { unlock, type LuksVolume, type VolumeKey } from './unlock.ts';

/** What an appliance is opened with. */
export interface OpenApplianceParams extends StartSessionParams {
  readonly keys: readonly VolumeKey[];
}

/** A running appliance with the disks of one guest. */
export interface ApplianceSession {
  readonly luks: readonly LuksVolume[];
  /** What is on the disks once all known keys were tried. */
  inspect(): Promise<ApplianceLayout>;
  /**
   * Opens one file system for reading beside others, in a read-only session; `options` choose a subvolume. Not to be mixed with `mount`. Its
   * files name links without following them: use them inside of `unionFiles` alone.
   *
   * @throws {AppError} GUEST_FILE_SYSTEM_UNSUPPORTED, GUEST_UNRECOGNISED
   */
  openVolume(device: string, options: readonly string[]): Promise<ApplianceVolume>;
  /**
   * Mounts file systems of the layout, the root first, in place of what was mounted before.
   *
   * @throws {AppError} GUEST_FILE_SYSTEM_UNSUPPORTED - one cannot be mounted; GUEST_UNRECOGNISED - it is not in the layout
   */
  mount(mounts: readonly ApplianceMount[]): Promise<MountedGuest>;
  /** Ends the appliance, its block servers and its folder. Idempotent. Unwritten bytes are lost: `root.finish` keeps them. */
  close(): Promise<void>;
}

/**
 * Starts a libguestfs appliance with the disks of a guest: a small virtual machine whose kernel, not the machine's, parses
 * the guest's volumes (LVM of every kind, md, LUKS, Btrfs, XFS). It sees read-only block servers, or writable ones of the top
 * overlays; it has no network, one processor and bounded memory, and runs as an unprivileged user in a sandbox of its own.
 *
 * Slow without hardware acceleration: 20-50 s to start, and the guest's own programs run 20 times slower. Hence drivers should be
 * appended to an initramfs as a second archive; the guest's own tool (`root.runTool`) is for those who ask for it.
 *
 * @throws {AppError} GUEST_EXECUTOR_UNAVAILABLE - no libguestfs here, or the appliance does not start in time
 * @throws {AppError} GUEST_KEY_REJECTED - a key does not open the volume it is for
 * @throws {AppError} DISK_* - a disk cannot be served; OPERATION_CANCELLED
 */
export async function openAppliance(params: OpenApplianceParams): Promise<ApplianceSession> {
  const started = await startSession(params);
  const { process, exchange, disks } = started;
  const close = (): Promise<void> => started.close();
  const { writable } = params;
  try {
    const devices = blockDevices(process);
    const luks = await unlock(process, devices, params.keys);
    return {
      luks,
      openVolume: volumeOpener(process, devices, exchange),
      inspect: () => inspectLayout(process, devices, { disks, luks }),
      mount: async (mounts) =>
        withEnd(await mountGuestTree({ process, devices, exchange, mounts, writable }), close),
      close,
    };
  } catch (cause) {
    await close();
    throw toAppError(cause, 'open appliance');
  }
}

/** After `finish` or `abandon` of the root nothing is left running, as with every executor. */
function withEnd({ files, root }: MountedGuest, close: () => Promise<void>): MountedGuest {
  if (root === null) return { files, root };
  const finish = async (): Promise<void> => {
    await root.finish();
    await close();
  };
  return { files, root: { ...root, finish, abandon: close } };
}
