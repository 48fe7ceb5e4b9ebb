import { AppError } from '@ascend/errors';
import { systemClock } from '@ascend/runtime';
import type { ApplianceProcess } from './applianceProcess.ts';

/** What ends the editing of a root. */
export interface RootEnd {
  /** What was mounted: device → file system. */
  readonly mounted: ReadonlyMap<string, string>;
}

const checkTimeoutMs = 30 * 60_000;
const unmountAttempts = 20;
const unmountPauseMs = 500;

/** ext is repaired where that needs no question; XFS and Btrfs, which the kernel closed, are only looked at. */
function checkOf(device: string, fileSystem: string): readonly [string, readonly string[]] | null {
  if (/^ext[234]$/.test(fileSystem)) return ['e2fsck', [device, 'correct:true']];
  if (fileSystem === 'xfs') return ['xfs-repair', [device, 'nomodify:true']];
  return fileSystem === 'btrfs' ? ['btrfs-fsck', [device]] : null;
}

/** `xfs-repair` tells damage by the number it prints, the others by failing. */
function problemOf(
  command: string,
  { stdout, error }: { readonly stdout: Buffer; readonly error: string | null },
) {
  // An appliance without the checker's package: the kernel has closed the file system, which must do.
  if (error !== null && /\b(?:is )?not available\b/.test(error)) return null;
  if (error !== null) return error.trim().split('\n').at(-1) ?? '';
  const number = stdout.toString('latin1').trim();
  return command === 'xfs-repair' && number !== '0' ? `xfs_repair -n: exit code ${number}` : null;
}

async function check(process: ApplianceProcess, device: string, fileSystem: string): Promise<void> {
  const known = checkOf(device, fileSystem);
  if (known === null) return;
  const [command, args] = known;
  const problem = problemOf(command, await process.tryAsk(command, args, { timeoutMs: checkTimeoutMs }));
  if (problem === null) return;
  const message = `check ${device}: ${problem.slice(0, 300)}`;
  throw new AppError({ code: 'GUEST_FILE_SYSTEM_CORRUPT', message });
}

/** busybox's `timeout` leaves a watcher that looks once a second whether its program has ended, and keeps the tmpfs of busybox busy. */
async function unmountAll(process: ApplianceProcess): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const { error } = await process.tryAsk('umount-all', []);
    if (error === null) return;
    if (attempt === unmountAttempts || !error.includes('target is busy'))
      throw new AppError({ code: 'GUEST_EDIT_FAILED', message: `unmount guest: ${error.slice(0, 300)}` });
    await systemClock.sleep(unmountPauseMs);
  }
}

/**
 * Unmounts, checks what was mounted, flushes and ends the appliance.
 *
 * @throws {AppError} GUEST_FILE_SYSTEM_CORRUPT
 */
export async function finishRoot(process: ApplianceProcess, { mounted }: RootEnd): Promise<void> {
  await unmountAll(process);
  for (const [device, fileSystem] of mounted) await check(process, device, fileSystem);
  await process.ask('sync', []);
  await process.ask('shutdown', []);
}
