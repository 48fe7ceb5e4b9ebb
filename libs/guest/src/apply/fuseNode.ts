import { mkdtemp, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '@ascend/errors';
import { runProcess } from '@ascend/runtime';
import { runsAsRoot } from './hostSandbox.ts';

/** A FUSE device that the unprivileged user of the sandbox may open. */
export interface FuseNode {
  readonly path: string;
  /** Removes a node of our own; programs that have it bound keep it. Idempotent. */
  remove(): Promise<void>;
}

/**
 * The machine's own FUSE device where everybody may open it, else a node of our own in a folder that only root can enter.
 *
 * @throws {AppError} GUEST_EXECUTOR_UNAVAILABLE - no FUSE on this machine
 */
export async function openFuseNode(workDir: string): Promise<FuseNode> {
  const machineNode = '/dev/fuse';
  const own = await stat(machineNode).catch(() => null);
  if (own === null) {
    throw new AppError({
      code: 'GUEST_EXECUTOR_UNAVAILABLE',
      message: 'mount guest: /dev/fuse is not there',
    });
  }
  if (!runsAsRoot() || (own.mode & 0o006) === 0o006)
    return { path: machineNode, remove: async () => undefined };
  const folder = await mkdtemp(join(workDir, 'fuse-'));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  const path = join(folder, 'fuse');
  try {
    // 10, 229: the fixed device numbers of FUSE (Documentation/admin-guide/devices.txt of the kernel).
    await runProcess({ program: 'mknod', args: ['-m', '0666', path, 'c', '10', '229'] });
    return { path, remove };
  } catch (cause) {
    await remove();
    throw new AppError({
      code: 'GUEST_EXECUTOR_UNAVAILABLE',
      message: 'mount guest: /dev/fuse is for root alone, and no node of our own can be made',
      cause,
    });
  }
}
