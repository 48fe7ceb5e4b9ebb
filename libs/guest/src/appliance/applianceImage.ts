import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { AppError, isAppError } from '@ascend/errors';
import { runProcess, systemClock } from '@ascend/runtime';

const buildTimeoutMs = 10 * 60_000;
const shortTimeoutMs = 20_000;
/** Older leftovers of builds that were killed, and appliances of other versions, are nobody's any more. */
const staleAfterMs = 24 * 3_600_000;
const finalName = /^appliance-[0-9a-f]{16}$/;
const partialName = /^partial-/;

/** The kernel, initrd and root of a libguestfs appliance in one folder, as `LIBGUESTFS_PATH` takes it. */
export interface ApplianceImage {
  readonly folder: string;
  /** Version of libguestfs. */
  readonly version: string;
}

function unavailable(message: string, cause?: unknown): AppError {
  return new AppError({ code: 'GUEST_EXECUTOR_UNAVAILABLE', message: `build appliance: ${message}`, cause });
}

async function fishSays(args: readonly string[], signal: AbortSignal): Promise<string> {
  try {
    const { stdout } = await runProcess({ program: 'guestfish', args, timeoutMs: shortTimeoutMs, signal });
    return stdout.trim();
  } catch (cause) {
    if (isAppError(cause) && cause.code === 'PROCESS_NOT_FOUND')
      throw unavailable('guestfish is not installed', cause);
    throw cause;
  }
}

/** Version of the installed libguestfs. @throws {AppError} GUEST_EXECUTOR_UNAVAILABLE - it is not installed */
export async function installedVersion(signal: AbortSignal): Promise<string> {
  return /\d+(?:\.\d+)+/.exec(await fishSays(['--version'], signal))?.[0] ?? 'unknown';
}

async function isThere(file: string): Promise<boolean> {
  return (await stat(file).catch(() => null)) !== null;
}

/** What the appliance is made of: another kernel, libguestfs or architecture makes another appliance. */
async function stampOf(version: string, parts: string): Promise<string> {
  const kernels = [...(await readdir('/lib/modules').catch((): string[] => []))].toSorted();
  const packages = await stat(path.join(parts, 'packages')).catch(() => null);
  const known = JSON.stringify([version, process.arch, kernels, packages?.mtimeMs ?? 0]);
  return createHash('sha256').update(known).digest('hex').slice(0, 16);
}

/** supermin puts the machine's own kernel and programs together (supermin(1)); nothing of a guest is near. */
async function build(parts: string, folder: string, signal: AbortSignal): Promise<void> {
  const cpu = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  const args = ['--build', '--copy-kernel', '-f', 'ext2', '--host-cpu', cpu, parts, '-o', folder];
  try {
    await runProcess({
      program: 'supermin',
      args,
      env: { TMPDIR: path.dirname(folder) },
      timeoutMs: buildTimeoutMs,
      dieWithParent: true,
      signal,
    });
  } catch (cause) {
    if (!isAppError(cause) || cause.code === 'OPERATION_CANCELLED') throw cause;
    const tail = String(cause.details['stderrTail'] ?? cause.message);
    throw unavailable(`supermin: ${tail.trim().split('\n').at(-1) ?? ''}`, cause);
  }
  // Without this file libguestfs does not take the folder for an appliance (guestfs(3), FIXED APPLIANCE).
  await writeFile(path.join(folder, 'README.fixed'), 'Made by supermin for Ascend.\n');
}

async function removeStale(cacheDir: string, keep: string): Promise<void> {
  for (const name of await readdir(cacheDir)) {
    if (name === keep || !(finalName.test(name) || partialName.test(name))) continue;
    const facts = await stat(path.join(cacheDir, name)).catch(() => null);
    if (facts === null || systemClock.now() - facts.mtimeMs < staleAfterMs) continue;
    await rm(path.join(cacheDir, name), { recursive: true, force: true });
  }
}

/** Builds beside the place and renames: who reads an appliance never sees half of one, and of two builders the first wins. */
async function buildInto(parts: string, folder: string, signal: AbortSignal): Promise<void> {
  const cacheDir = path.dirname(folder);
  const partial = path.join(cacheDir, `partial-${randomUUID()}`);
  await mkdir(partial, { mode: 0o700 });
  try {
    const fresh = path.join(partial, 'appliance');
    await build(parts, fresh, signal);
    await rename(fresh, folder).catch(async (cause: unknown) => {
      if (!(await isThere(folder))) throw cause;
    });
    await removeStale(cacheDir, path.basename(folder));
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

/**
 * The appliance of this machine, built when there is none yet (some 10 s, 700 MB) and then kept in `cacheDir`, which processes
 * may share. It holds nothing of any guest and is only read.
 *
 * @throws {AppError} GUEST_EXECUTOR_UNAVAILABLE - libguestfs or supermin is missing or cannot build; OPERATION_CANCELLED
 */
export async function applianceImage(cacheDir: string, signal: AbortSignal): Promise<ApplianceImage> {
  const version = await installedVersion(signal);
  const home = await fishSays(['get-path'], signal);
  for (const folder of home.split(':')) {
    // An appliance that the operator has put there.
    if (await isThere(path.join(folder, 'README.fixed'))) return { folder, version };
    const parts = path.join(folder, 'supermin.d');
    if (!(await isThere(parts))) continue;
    await mkdir(cacheDir, { recursive: true, mode: 0o700 });
    const ready = path.join(cacheDir, `appliance-${await stampOf(version, parts)}`);
    if (!(await isThere(ready))) await buildInto(parts, ready, signal);
    const now = new Date(systemClock.now());
    await utimes(ready, now, now);
    return { folder: ready, version };
  }
  throw unavailable(`no appliance and no parts of one in ${home}`);
}
