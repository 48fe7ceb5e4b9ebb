import { readFile } from 'node:fs/promises';
import process from 'node:process';
import { AppError, isAppError } from '@ascend/errors';
import { runProcess, startProcess, systemClock, type Logger, type RunningProcess } from '@ascend/runtime';
import { hostSandboxCommand, insidePaths, runsAsRoot, unprivilegedUid, words } from './hostSandbox.ts';
import { openFuseNode } from './fuseNode.ts';
import { descendants } from './processTree.ts';

/** How a guest's root is mounted. `rootless`: FUSE in a user namespace (D22). `kernel`: loop device, needs root. */
export type ExecutorKind = 'rootless' | 'kernel';

/** A root file system, mounted for writing in namespaces of its own; invisible to the rest of the machine. */
export interface GuestMount {
  readonly kind: ExecutorKind;
  /** Arguments that enter the namespaces; a command follows. */
  readonly enter: readonly string[];
  /** Unmounts, which flushes, and waits until everything is gone. */
  unmount(): Promise<void>;
  /** Ends everything at once, without caring for the bytes. Idempotent. */
  kill(): Promise<void>;
}

const mountTimeoutMs = 120_000;
const firstPollMs = 5;
const lastPollMs = 100;

function unavailable(message: string, stderr: string): AppError {
  return new AppError({
    code: 'GUEST_EXECUTOR_UNAVAILABLE',
    message: `mount guest: ${message}: ${stderr.trim().split('\n').at(-1) ?? ''}`,
  });
}

async function programOf(pid: number): Promise<string> {
  return (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')).trim();
}

async function isMounted(pid: number): Promise<boolean> {
  const table = await readFile(`/proc/${pid}/mountinfo`, 'utf8').catch(() => '');
  return table.split('\n').some((line) => line.split(' ')[4] === insidePaths.mount);
}

/** Waits for the process named `program` below the sandbox, and for `isReady` about it. */
async function waitFor(
  sandbox: RunningProcess,
  program: string,
  params: { readonly isReady: (pid: number) => Promise<boolean>; readonly signal: AbortSignal },
): Promise<number> {
  let over = false;
  void sandbox.ended.then(() => (over = true));
  const giveUpAt = systemClock.now() + mountTimeoutMs;
  for (let pause = firstPollMs; ; pause = Math.min(pause * 2, lastPollMs)) {
    params.signal.throwIfAborted();
    if (over) throw unavailable(`${program} ended`, (await sandbox.ended).stderr);
    for (const pid of await descendants(sandbox.pid)) {
      if ((await programOf(pid)) === program && (await params.isReady(pid))) return pid;
    }
    if (systemClock.now() > giveUpAt)
      throw unavailable(`${program} is not ready after ${mountTimeoutMs} ms`, '');
    await systemClock.sleep(pause);
  }
}

/** Arguments that enter namespaces of a process; a command follows. */
function enterArgs(pid: number, spaces: string, identity: 'root' | 'same' = 'root'): readonly string[] {
  // Root must become the user of the namespace; an ordinary user is it already and may not set groups.
  const credentials = runsAsRoot() && identity === 'root' ? [] : ['--preserve-credentials'];
  return ['nsenter', ...credentials, '--target', String(pid), ...words(spaces), '--'];
}

/** The machine's root has no number in a namespace without one, and such users cannot make files through FUSE. */
function becomeUser(identity: 'root' | 'same'): readonly string[] {
  if (identity === 'root' || !runsAsRoot()) return [];
  return ['setpriv', `--reuid=${unprivilegedUid}`, `--regid=${unprivilegedUid}`, '--clear-groups', '--'];
}

/** Ends the server so that it writes what it holds: by umount, or where nobody inside may do that, by asking it. */
async function endServer(pid: number, identity: 'root' | 'same'): Promise<void> {
  // Not in the pid namespace, which ends with the server before umount could tell of its success.
  if (identity === 'root') await runEntered(enterArgs(pid, '--user --mount'), ['umount', insidePaths.mount]);
  else process.kill(pid, 'SIGTERM');
}

async function runEntered(
  enter: readonly string[],
  command: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  const [program = '', ...args] = [...enter, ...command];
  await runProcess({ program, args, timeoutMs: mountTimeoutMs, ...(signal === undefined ? {} : { signal }) });
}

/** The server's own last words decide: a write that failed at unmount is told by its exit code alone. */
async function assertCleanEnd(server: RunningProcess, program: string): Promise<void> {
  const { exitCode, stderr } = await server.ended;
  if (exitCode === 0) return;
  throw new AppError({
    code: 'GUEST_EDIT_FAILED',
    message: `unmount guest: ${program} ended with exit code ${exitCode}: ${stderr.trim().split('\n').at(-1) ?? ''}`,
  });
}

/** A program that serves a file system of a guest over FUSE, and its arguments. */
export interface FuseServer {
  readonly program: string;
  readonly args: readonly string[];
  /** Who it is in its user namespace; see `HostSandboxParams`. Default: `root`. */
  readonly identity?: 'root' | 'same';
}

const ext4Server: FuseServer = {
  program: 'fuse2fs',
  args: ['-f', '-o', 'rw,fakeroot', insidePaths.volume, insidePaths.mount],
};

interface MountParams {
  readonly volumePath: string;
  readonly workDir: string;
  readonly signal: AbortSignal;
}

async function startFuseServer(
  fuseNode: string,
  params: MountParams,
  server: FuseServer,
): Promise<GuestMount> {
  const { volumePath, signal } = params;
  const { program, args, identity = 'root' } = server;
  const command = await hostSandboxCommand({ purpose: 'fuse-mount', volumePath, fuseNode, identity }, [
    program,
    ...args,
  ]);
  const sandbox = startProcess({ ...command, dieWithParent: true });
  try {
    const pid = await waitFor(sandbox, program, { isReady: isMounted, signal });
    return {
      kind: 'rootless',
      enter: [...becomeUser(identity), ...enterArgs(pid, '--user --mount --pid', identity)],
      kill: () => sandbox.stop(0),
      unmount: async () => {
        await endServer(pid, identity);
        await assertCleanEnd(sandbox, program);
      },
    };
  } catch (cause) {
    await sandbox.stop(0);
    throw cause;
  }
}

/**
 * Mounts by a FUSE server as an unprivileged user in a user namespace.
 *
 * @throws {AppError} GUEST_EXECUTOR_UNAVAILABLE - no FUSE here, or the server refused the volume
 */
export async function mountRootless(
  params: MountParams,
  server: FuseServer = ext4Server,
): Promise<GuestMount> {
  const node = await openFuseNode(params.workDir);
  try {
    return await startFuseServer(node.path, params, server);
  } finally {
    await node.remove();
  }
}

/** Mounts by the kernel through a loop device, as root, in a mount namespace that ends with its holder. */
async function mountByKernel(params: MountParams): Promise<GuestMount> {
  const { volumePath, signal } = params;
  const holder = await hostSandboxCommand({ purpose: 'kernel-mount', volumePath }, ['sleep', 'infinity']);
  const sandbox = startProcess({ ...holder, dieWithParent: true });
  try {
    const pid = await waitFor(sandbox, 'sleep', { isReady: async () => true, signal });
    const enter = enterArgs(pid, '--mount --pid');
    const options = 'loop,nosuid,nodev,noatime';
    await runEntered(
      enter,
      ['mount', '-t', 'ext4', '-o', options, insidePaths.volume, insidePaths.mount],
      signal,
    );
    return {
      kind: 'kernel',
      enter,
      kill: () => sandbox.stop(0),
      unmount: async () => {
        await runEntered(enter, ['umount', insidePaths.mount]);
        await sandbox.stop(0);
      },
    };
  } catch (cause) {
    await sandbox.stop(0);
    if (isAppError(cause) && cause.code === 'PROCESS_FAILED') throw unavailable('mount', cause.message);
    throw cause;
  }
}

/**
 * Mounts an exported ext volume. Without `executor` the unprivileged way is tried first, then the kernel's.
 *
 * @throws {AppError} GUEST_EXECUTOR_UNAVAILABLE - this machine can do neither
 */
export async function mountGuest(
  params: MountParams & { readonly executor: ExecutorKind | 'auto'; readonly logger: Logger },
): Promise<GuestMount> {
  const { executor, logger } = params;
  if (executor === 'kernel') return await mountByKernel(params);
  if (executor === 'rootless') return await mountRootless(params);
  try {
    return await mountRootless(params);
  } catch (cause) {
    const tryKernel = isAppError(cause) && cause.code === 'GUEST_EXECUTOR_UNAVAILABLE' && runsAsRoot();
    if (!tryKernel) throw cause;
    logger.warn('guest cannot be mounted unprivileged, the kernel mounts it', { reason: cause.message });
    return await mountByKernel(params);
  }
}
