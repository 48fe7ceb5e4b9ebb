import { mkdtemp, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, isAppError } from '@ascend/errors';
import { runProcess } from '@ascend/runtime';
import type { DriverTarget } from './infTarget.ts';

/** A folder with driver packages. Disposing removes what was unpacked. */
export interface DriverSource extends AsyncDisposable {
  readonly folder: string;
}

const unpackTimeoutMs = 300_000;
/** virtio-win keeps the drivers of one architecture in folders of its name. */
const archFolders = { amd64: 'amd64', x86: 'x86', arm64: 'ARM64' } as const;

async function unpack(
  image: string,
  folder: string,
  params: { wanted: readonly string[]; signal: AbortSignal },
): Promise<void> {
  const args = ['-x', '-f', image, '-C', folder, ...params.wanted.flatMap((name) => ['--include', name])];
  try {
    await runProcess({ program: 'bsdtar', args, timeoutMs: unpackTimeoutMs, signal: params.signal });
  } catch (cause) {
    if (!isAppError(cause) || cause.code !== 'PROCESS_FAILED') throw cause;
    const message = `read driver image ${image}: it holds nothing like ${params.wanted.join(' or ')}, or cannot be unpacked`;
    throw new AppError({ code: 'GUEST_DRIVER_PACKAGE_INVALID', message, cause });
  }
}

/**
 * Opens a configured source of drivers: a folder as it is, an ISO image (virtio-win) unpacked below `workDir`, only the
 * drivers of the guest's architecture, or all INF files alone.
 *
 * @throws {AppError} GUEST_DRIVER_PACKAGE_INVALID - not there, or no image that can be unpacked
 * @throws {AppError} PROCESS_NOT_FOUND, OPERATION_CANCELLED
 */
export async function openDriverSource(params: {
  readonly path: string;
  /** null: only the INF files, of every architecture. */
  readonly arch: DriverTarget['arch'] | null;
  readonly workDir: string;
  readonly signal: AbortSignal;
}): Promise<DriverSource> {
  const { path, arch, workDir, signal } = params;
  const own = await stat(path).catch(() => null);
  if (own === null) {
    throw new AppError({
      code: 'GUEST_DRIVER_PACKAGE_INVALID',
      message: `read driver source ${path}: not there`,
    });
  }
  if (own.isDirectory()) return { folder: path, [Symbol.asyncDispose]: async () => undefined };
  const folder = await mkdtemp(join(workDir, 'drivers-'));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    const wanted = arch === null ? ['*.[iI][nN][fF]'] : [`*/${archFolders[arch]}/*`];
    await unpack(path, folder, { wanted, signal });
    return { folder, [Symbol.asyncDispose]: remove };
  } catch (cause) {
    await remove();
    throw cause;
  }
}
