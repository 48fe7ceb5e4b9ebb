import { chooseExecutor, type ExecutorPolicy, type GuestFacts } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import type { Logger } from '@ascend/runtime';
import { findFileSystem } from '../appliance/applianceVolumes.ts';
import { openAppliance, type ApplianceLayout, type ApplianceSession } from '../appliance/index.ts';
import type { ExecutorKind } from '../apply/guestMount.ts';
import { unionFiles, type MountedFiles } from '../unionFiles.ts';
import { volumeLabel } from './findRoot.ts';
import type { ApplianceChoice } from '../appliance/applianceSetup.ts';
import type { GuestDisk } from './openDisks.ts';
import { openRootFiles, type RootFiles } from './rootFiles.ts';

/** Who works on a guest that is known. */
export interface ExecutorParams {
  /** Default: `auto`. `rootless` and `kernel` are the two ways of the host. */
  readonly executor?: ExecutorKind | ExecutorPolicy | undefined;
  /** Absent: none is used. */
  readonly appliance?: ApplianceChoice | undefined;
}

/** What opening a known guest works with. */
export interface GuestTreeParams extends ExecutorParams {
  readonly images: readonly GuestDisk[];
  readonly guest: GuestFacts;
  readonly workDir: string;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** The policy behind an executor that was named in full. */
export function policyOf(executor: ExecutorParams['executor']): ExecutorPolicy {
  return executor === 'rootless' || executor === 'kernel' ? 'host' : (executor ?? 'auto');
}

/**
 * The appliance where layout and policy choose it; null: the host does the work.
 *
 * @throws {AppError} GUEST_EXECUTOR_UNAVAILABLE - it is chosen, and none is set up
 */
export function chosenAppliance(guest: GuestFacts, params: ExecutorParams): ApplianceChoice | null {
  const choice = chooseExecutor(guest, policyOf(params.executor));
  if (choice.kind === 'host') return null;
  if (params.appliance !== undefined) return params.appliance;
  throw new AppError({
    code: 'GUEST_EXECUTOR_UNAVAILABLE',
    message: `open guest: the appliance is needed (${choice.reason}), and none is set up`,
  });
}

/** A part of the guest's tree and where this session of the appliance has it. */
export interface ApplianceMountPlace {
  readonly mountPoint: string;
  readonly device: string;
  readonly options: readonly string[];
}

/**
 * The devices of what the facts say is mounted, the root first; the EFI system partition is none of them.
 *
 * @throws {AppError} GUEST_UNRECOGNISED - no root is known; GUEST_FILE_SYSTEM_CORRUPT - a volume is not there any more
 */
export function mountPlaces(guest: GuestFacts, seen: ApplianceLayout): readonly ApplianceMountPlace[] {
  const { root, mounts = [], volumes = [] } = guest;
  if (root === null || mounts.length === 0)
    throw new AppError({ code: 'GUEST_UNRECOGNISED', message: 'open guest: no root file system is known' });
  return mounts
    .filter(({ fileSystem }) => fileSystem !== 'vfat')
    .map(({ mountPoint, volume: index, options }) => {
      const volume = volumes[index];
      const system = volume === undefined ? null : findFileSystem(volume, seen);
      if (system !== null) return { mountPoint, device: system.device, options };
      const name = volume === undefined ? 'its volume' : volumeLabel(volume);
      throw new AppError({
        code: 'GUEST_FILE_SYSTEM_CORRUPT',
        message: `open guest: ${mountPoint}: ${name} is not on the disks any more, or no key has opened it`,
      });
    });
}

async function mountForReading(
  session: ApplianceSession,
  guest: GuestFacts,
): Promise<Omit<RootFiles, keyof AsyncDisposable>> {
  const mounted: MountedFiles[] = [];
  const dirty: string[] = [];
  for (const { mountPoint, device, options } of mountPlaces(guest, await session.inspect())) {
    const { files, wasInUse } = await session.openVolume(device, options);
    mounted.push({ mountPoint, files });
    if (wasInUse) dirty.push(device);
  }
  return { files: unionFiles(mounted), dirty };
}

async function openByAppliance(params: GuestTreeParams, appliance: ApplianceChoice): Promise<RootFiles> {
  const { images, workDir, logger, signal } = params;
  const session = await openAppliance({ ...appliance, images, writable: false, workDir, logger, signal });
  try {
    const tree = await mountForReading(session, params.guest);
    return { ...tree, [Symbol.asyncDispose]: () => session.close() };
  } catch (cause) {
    await session.close();
    throw cause;
  }
}

/**
 * Opens the tree of a known guest for reading, by the executor that layout and policy choose: this project's readers, or a read-only
 * session of the appliance. Nothing is left when it is disposed or fails.
 *
 * @throws {AppError} GUEST_UNRECOGNISED, GUEST_FILE_SYSTEM_CORRUPT, GUEST_FILE_SYSTEM_UNSUPPORTED, GUEST_EXECUTOR_UNAVAILABLE,
 * GUEST_KEY_REJECTED, DISK_*, OPERATION_CANCELLED
 */
export async function openGuestTree(params: GuestTreeParams): Promise<RootFiles> {
  const appliance = chosenAppliance(params.guest, params);
  return appliance === null ? await openRootFiles(params) : await openByAppliance(params, appliance);
}
