import { stat } from 'node:fs/promises';
import { release } from 'node:os';
import { AppError, isAppError } from '@ascend/errors';
import type { Logger } from '@ascend/runtime';
import {
  attachVolume,
  mountByKernel,
  mountRootless,
  type ExecutorKind,
  type GuestMount,
} from './guestMount.ts';
import { busyboxPath, runInGuest } from './guestSandbox.ts';
import { runsAsRoot } from './hostSandbox.ts';
import type { HostVolume } from './hostVolumes.ts';
import { needsKernelMount } from './mountOptions.ts';

/** What is mounted: exported volumes with their places in the guest, the root first. */
export interface MountTreeParams {
  readonly volumes: readonly HostVolume[];
  /** The file of each volume, in the same order. */
  readonly volumePaths: readonly string[];
  readonly workDir: string;
  readonly executor: ExecutorKind | 'auto';
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

const shortTimeoutMs = 60_000;

function unavailable(message: string): AppError {
  return new AppError({ code: 'GUEST_EXECUTOR_UNAVAILABLE', message: `mount guest: ${message}` });
}

/** Since Linux 6.7 a btrfs whose UUID is in use gets one of its own while it is mounted. */
function separatesClones(): boolean {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  return major > 6 || (major === 6 && minor >= 7);
}

/** Older kernels tell btrfs devices apart by the UUID alone: a clone would be mixed with a mounted one. */
async function refuseMountedClone({ fileSystem, uuid, mountPoint }: HostVolume): Promise<void> {
  if (fileSystem !== 'btrfs' || uuid === null || !/^[\da-f-]{36}$/.test(uuid) || separatesClones()) return;
  const mounted = await stat(`/sys/fs/btrfs/${uuid}`).catch(() => null);
  if (mounted !== null)
    throw unavailable(`a btrfs of the same UUID as ${mountPoint} is mounted on this machine`);
}

/** A link in the place of a mount point would lead the mount to a folder of the sandbox. */
async function assertFolder(mount: GuestMount, mountPoint: string, signal: AbortSignal): Promise<void> {
  const run = (...args: readonly string[]): ReturnType<typeof runInGuest> =>
    runInGuest(mount, {
      args: [busyboxPath, ...args],
      okExitCodes: [0, 1],
      timeoutMs: shortTimeoutMs,
      signal,
    });
  const real = (await run('readlink', '-f', mountPoint)).stdout.trim();
  const isFolder = (await run('test', '-d', mountPoint)).exitCode === 0;
  if (isFolder && real === mountPoint) return;
  throw new AppError({
    code: 'GUEST_LAYOUT_UNSUPPORTED',
    message: `mount ${mountPoint} of guest: the mount point is ${isFolder ? 'a link' : 'no folder'}`,
  });
}

async function mountRoot(params: MountTreeParams): Promise<GuestMount> {
  const { volumes, volumePaths, executor, logger } = params;
  const [root] = volumes;
  const [volumePath, ...moreVolumePaths] = volumePaths;
  if (root === undefined || volumePath === undefined) throw unavailable('no volume is known');
  const paths = { ...params, volumePath, moreVolumePaths };
  const byKernel = (): Promise<GuestMount> =>
    mountByKernel({ ...paths, fileSystem: root.fileSystem, options: root.options });
  const kernelOnly = volumes.find((volume) => needsKernelMount(volume.fileSystem));
  if (kernelOnly !== undefined) {
    if (!runsAsRoot() || executor === 'rootless')
      throw unavailable(`${kernelOnly.fileSystem} is mounted by the kernel alone, which takes root`);
    return await byKernel();
  }
  if (executor === 'kernel') return await byKernel();
  try {
    return await mountRootless(paths);
  } catch (cause) {
    const tryKernel =
      executor === 'auto' && isAppError(cause) && cause.code === 'GUEST_EXECUTOR_UNAVAILABLE' && runsAsRoot();
    if (!tryKernel) throw cause;
    logger.warn('guest cannot be mounted unprivileged, the kernel mounts it', { reason: cause.message });
    return await byKernel();
  }
}

/**
 * Mounts the tree of a guest for writing: its root, then what belongs into it. Without `executor` the unprivileged way is
 * tried first, then the kernel's; xfs and btrfs know only the latter. On failure nothing is left.
 *
 * @throws {AppError} GUEST_EXECUTOR_UNAVAILABLE - this machine cannot; GUEST_LAYOUT_UNSUPPORTED - a mount point is a link
 */
export async function mountTree(params: MountTreeParams): Promise<GuestMount> {
  const { volumes, signal } = params;
  for (const volume of volumes) await refuseMountedClone(volume);
  const mount = await mountRoot(params);
  const unmounts: (() => Promise<void>)[] = [];
  try {
    for (const [index, volume] of volumes.entries()) {
      if (index === 0) continue;
      await assertFolder(mount, volume.mountPoint, signal);
      unmounts.unshift(await attachVolume(mount, { ...volume, index }, signal));
    }
  } catch (cause) {
    await mount.kill();
    throw cause;
  }
  return {
    ...mount,
    unmount: async () => {
      for (const unmount of unmounts) await unmount();
      await mount.unmount();
    },
  };
}
