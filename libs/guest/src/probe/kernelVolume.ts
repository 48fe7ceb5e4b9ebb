import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createOverlay, type DiskImage } from '@ascend/disk';
import { AppError, isAppError } from '@ascend/errors';
import { mountAlso, mountByKernel, type GuestMount } from '../apply/guestMount.ts';
import { insidePaths } from '../apply/hostSandbox.ts';
import { exportVolume, type VolumePlace } from '../apply/volumeExport.ts';
import type { GuestFiles } from '../guestFiles.ts';
import { mountedFiles } from './mountedFiles.ts';

/** A volume that the kernel reads for us. Disposing unmounts it and drops what the kernel wrote. */
export interface KernelVolume extends AsyncDisposable {
  /** The files of the part that `options` choose (`subvol=`); use them inside of `unionFiles` alone. */
  files(options: readonly string[]): Promise<GuestFiles>;
}

/** The volume, and where to work. */
export interface KernelVolumeParams {
  readonly image: DiskImage;
  readonly volume: VolumePlace & { readonly content: string };
  readonly workDir: string;
  readonly signal: AbortSignal;
}

function refusal(cause: unknown, content: string): unknown {
  if (!isAppError(cause) || cause.code !== 'GUEST_EXECUTOR_UNAVAILABLE') return cause;
  return new AppError({
    code: 'GUEST_FILE_SYSTEM_UNSUPPORTED',
    message: `open ${content}: the kernel of this machine cannot mount it: ${cause.message}`,
    cause,
  });
}

async function unmountAll(mount: GuestMount, further: readonly (() => Promise<void>)[]): Promise<void> {
  try {
    for (const unmount of further.toReversed()) await unmount();
    await mount.unmount();
  } finally {
    await mount.kill();
  }
}

/**
 * Mounts a volume on a throw-away overlay by the kernel, in namespaces of its own (root only). The overlay lets the kernel
 * replay the log of a file system that was in use, which it does even for reading; the image is never written.
 *
 * @throws {AppError} GUEST_FILE_SYSTEM_UNSUPPORTED - the kernel does not mount it; DISK_*
 */
export async function openKernelVolume(params: KernelVolumeParams): Promise<KernelVolume> {
  const { image, volume, workDir, signal } = params;
  const fileSystem = volume.content;
  const folder = await mkdtemp(join(workDir, 'read-'));
  const stack = new AsyncDisposableStack();
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const open = new Map<string, Promise<GuestFiles>>();
  const further: (() => Promise<void>)[] = [];
  let mount: GuestMount | null = null;
  try {
    const path = join(folder, 'overlay.qcow2');
    await createOverlay({ image, path });
    const overlaid = { chain: image.chain, overlays: [...image.overlays, path] };
    const exported = await exportVolume({
      image: overlaid,
      volume,
      access: 'write',
      workDir: folder,
      signal,
    });
    stack.defer(() => exported.close());
    stack.defer(async () => {
      if (mount !== null) await unmountAll(mount, further);
    });
    const openPart = async (options: readonly string[]): Promise<GuestFiles> => {
      try {
        if (mount === null) {
          mount = await mountByKernel({
            volumePath: exported.volumePath,
            workDir: folder,
            signal,
            fileSystem,
            options,
          });
          return mountedFiles(`/proc/${mount.pid}/root${insidePaths.mount}`);
        }
        const inside = `${insidePaths.mount}-${further.length + 1}`;
        further.push(await mountAlso(mount, { fileSystem, options, path: inside }, signal));
        return mountedFiles(`/proc/${mount.pid}/root${inside}`);
      } catch (cause) {
        throw refusal(cause, fileSystem);
      }
    };
    return {
      files: async (options) => {
        const key = options.join(',');
        const known = open.get(key);
        if (known !== undefined) return await known;
        const files = openPart(options);
        open.set(key, files);
        return await files;
      },
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    };
  } catch (cause) {
    await stack.disposeAsync();
    throw cause;
  }
}
