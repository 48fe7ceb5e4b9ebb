import { writtenDisks } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import { openAppliance } from '../appliance/index.ts';
import type { GuestFiles } from '../guestFiles.ts';
import { mountPlaces, policyOf, type GuestTreeParams } from '../probe/guestTree.ts';
import type { ApplianceChoice } from '../appliance/applianceSetup.ts';
import type { GuestRoot } from './guestRoot.ts';

/** The tree of a guest, mounted for writing in an appliance. */
export interface ApplianceRootFiles {
  readonly root: GuestRoot;
  /** Reads what is mounted, also what `root` has just written. */
  readonly files: GuestFiles;
}

/**
 * Starts an appliance on the overlays of the written disks (others stay read-only), opens what keys open, and mounts the tree. `finish` and
 * `abandon` of the root end it; on failure nothing is left.
 *
 * @throws {AppError} GUEST_EXECUTOR_UNAVAILABLE, GUEST_KEY_REJECTED, GUEST_LAYOUT_UNSUPPORTED, GUEST_FILE_SYSTEM_*, DISK_*
 */
export async function openApplianceRoot(
  params: GuestTreeParams,
  appliance: ApplianceChoice,
): Promise<ApplianceRootFiles> {
  const { images, guest, workDir, logger, signal, executor } = params;
  const written = writtenDisks(guest, policyOf(executor));
  const session = await openAppliance({
    ...appliance,
    images,
    writable: true,
    writtenDisks: written,
    workDir,
    logger,
    signal,
  });
  try {
    const places = mountPlaces(guest, await session.inspect());
    const mounts = places.map(({ mountPoint, device, options }) => ({
      mountPoint,
      device,
      options: ['nodev,nosuid,noatime', ...options].join(','),
    }));
    const { root, files } = await session.mount(mounts);
    if (root !== null) return { root, files };
    throw new AppError({ code: 'INTERNAL_BUG', message: 'edit guest: the appliance cannot write' });
  } catch (cause) {
    await session.close();
    throw cause;
  }
}
