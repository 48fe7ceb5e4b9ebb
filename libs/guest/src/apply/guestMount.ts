import { readFile } from 'node:fs/promises';
import process from 'node:process';
import { AppError, isAppError } from '@ascend/errors';
import { runProcess, startProcess, systemClock, type RunningProcess } from '@ascend/runtime';
import {
  hostSandboxCommand,
  insidePaths,
  insideVolume,
  runsAsRoot,
  unprivilegedUid,
  words,
} from './hostSandbox.ts';
import { kernelMountOptions, type KernelMountParams } from './mountOptions.ts';
import { openFuseNode } from './fuseNode.ts';
import { descendants } from './processTree.ts';

/** How a guest's root is mounted. `rootless`: FUSE in a user namespace (D22). `kernel`: loop device, needs root. */
export type ExecutorKind = 'rootless' | 'kernel';

/** A root file system, mounted for writing in namespaces of its own; invisible to the rest of the machine. */
export interface GuestMount {
  readonly kind: ExecutorKind;
  /** Arguments that enter the namespaces; a command follows. */
  readonly enter: readonly string[];
  /** A process in the namespaces. */
  readonly pid: number;
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

async function isMountedAt(pid: number, path: string): Promise<boolean> {
  const table = await readFile(`/proc/${pid}/mountinfo`, 'utf8').catch(() => '');
  return table.split('\n').some((line) => line.split(' ')[4] === path);
}

function isMounted(pid: number): Promise<boolean> {
  return isMountedAt(pid, insidePaths.mount);
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
  readonly moreVolumePaths?: readonly string[];
  readonly workDir: string;
  readonly signal: AbortSignal;
}

async function startFuseServer(
  fuseNode: string,
  params: MountParams,
  server: FuseServer,
): Promise<GuestMount> {
  const { volumePath, moreVolumePaths = [], signal } = params;
  const { program, args, identity = 'root' } = server;
  const command = await hostSandboxCommand(
    { purpose: 'fuse-mount', volumePath, moreVolumePaths, fuseNode, identity },
    [program, ...args],
  );
  const sandbox = startProcess({ ...command, dieWithParent: true });
  try {
    const pid = await waitFor(sandbox, program, { isReady: isMounted, signal });
    return {
      kind: 'rootless',
      pid,
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

/** Takes a further volume down again; waits until what served it is gone. */
type Unmount = () => Promise<void>;

async function mountInside(
  pid: number,
  place: KernelMountParams & { readonly device: string; readonly path: string },
  signal: AbortSignal,
): Promise<void> {
  const type = place.fileSystem.startsWith('ext') ? 'ext4' : place.fileSystem;
  const args = ['-t', type, '-o', kernelMountOptions(place), place.device, place.path];
  try {
    await runEntered(enterArgs(pid, '--mount --pid'), ['mount', ...args], signal);
  } catch (cause) {
    if (isAppError(cause) && cause.code === 'PROCESS_FAILED')
      throw unavailable('mount', String(cause.details['stderrTail'] ?? cause.message));
    throw cause;
  }
}

/** Mounts by the kernel through a loop device, as root, in a mount namespace that ends with its holder. */
export async function mountByKernel(params: MountParams & KernelMountParams): Promise<GuestMount> {
  const { volumePath, moreVolumePaths = [], signal } = params;
  const holder = await hostSandboxCommand({ purpose: 'kernel-mount', volumePath, moreVolumePaths }, [
    'sleep',
    'infinity',
  ]);
  const sandbox = startProcess({ ...holder, dieWithParent: true });
  try {
    const pid = await waitFor(sandbox, 'sleep', { isReady: async () => true, signal });
    const enter = enterArgs(pid, '--mount --pid');
    await mountInside(pid, { ...params, device: insidePaths.volume, path: insidePaths.mount }, signal);
    return {
      kind: 'kernel',
      pid,
      enter,
      kill: () => sandbox.stop(0),
      unmount: async () => {
        await runEntered(enter, ['umount', insidePaths.mount]);
        await sandbox.stop(0);
      },
    };
  } catch (cause) {
    await sandbox.stop(0);
    throw cause;
  }
}

/**
 * Mounts the first volume of a kernel mount once more, in another way (subvolume), at a folder of the sandbox that is
 * made for it.
 *
 * @throws {AppError} GUEST_EXECUTOR_UNAVAILABLE - the kernel refused it
 */
export async function mountAlso(
  mount: GuestMount,
  place: KernelMountParams & { readonly path: string },
  signal: AbortSignal,
): Promise<Unmount> {
  await runEntered(mount.enter, ['mkdir', '-p', place.path], signal);
  await mountInside(mount.pid, { ...place, device: insidePaths.volume }, signal);
  return () => runEntered(mount.enter, ['umount', place.path]);
}

/** A further volume of a mounted guest: its number among the volumes of the sandbox, and where it belongs. */
export interface FurtherVolume extends KernelMountParams {
  readonly index: number;
  /** Absolute in the guest; must be a folder there and no link. */
  readonly mountPoint: string;
}

/** A second FUSE server in the namespaces of the first, without network as well. It ends with the first at the latest. */
async function attachRootless(
  mount: GuestMount,
  volume: FurtherVolume,
  signal: AbortSignal,
): Promise<Unmount> {
  const path = `${insidePaths.mount}${volume.mountPoint}`;
  const [program, ...args] = [
    ...enterArgs(mount.pid, '--user --mount --pid'),
    ...words('unshare --net --ipc --uts -- setpriv --no-new-privs --'),
    'fuse2fs',
    ...words('-f -o rw,fakeroot'),
    insideVolume(volume.index),
    path,
  ];
  const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8' };
  const server = startProcess({ program, args, env, cleanEnv: true, dieWithParent: true });
  try {
    await waitFor(server, 'fuse2fs', { isReady: () => isMountedAt(mount.pid, path), signal });
  } catch (cause) {
    await server.stop(0);
    throw cause;
  }
  return async () => {
    await runEntered(enterArgs(mount.pid, '--user --mount'), ['umount', path]);
    await assertCleanEnd(server, 'fuse2fs');
  };
}

/**
 * Mounts a further volume into a mounted guest, in the same way as its root. Danger: the mount point must have been
 * checked to be no link, or the volume covers a folder of the sandbox.
 *
 * @throws {AppError} GUEST_EXECUTOR_UNAVAILABLE - the server or the kernel refused it
 */
export async function attachVolume(
  mount: GuestMount,
  volume: FurtherVolume,
  signal: AbortSignal,
): Promise<Unmount> {
  if (mount.kind === 'rootless') return await attachRootless(mount, volume, signal);
  const path = `${insidePaths.mount}${volume.mountPoint}`;
  await mountInside(mount.pid, { ...volume, device: insideVolume(volume.index), path }, signal);
  return () => runEntered(enterArgs(mount.pid, '--mount --pid'), ['umount', path]);
}
