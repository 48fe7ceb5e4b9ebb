import { AppError } from '@ascend/errors';
import { runProcess } from '@ascend/runtime';
import { mountRootless, type GuestMount } from '../../apply/guestMount.ts';
import { insidePaths } from '../../apply/hostSandbox.ts';

const checkTimeoutMs = 30_000;

async function output(mount: GuestMount, command: readonly string[], signal: AbortSignal): Promise<string> {
  const [program = '', ...args] = [...mount.enter, ...command];
  return (await runProcess({ program, args, timeoutMs: checkTimeoutMs, signal })).stdout;
}

/** ntfs-3g mounts what it does not want to write read-only, with success. */
async function assertWritable(mount: GuestMount, signal: AbortSignal): Promise<void> {
  // The kernel asks for the root's permissions only now; until then nobody may make files in it.
  await output(mount, ['stat', insidePaths.mount], signal);
  const table = await output(mount, ['cat', '/proc/self/mountinfo'], signal);
  const line = table.split('\n').find((each) => each.split(' ')[4] === insidePaths.mount);
  if (line?.split(' ')[5]?.split(',').includes('rw') === true) return;
  throw new AppError({
    code: 'GUEST_FILE_SYSTEM_DIRTY',
    message:
      'mount guest: the Windows volume is hibernated or was in use, ntfs-3g opens it for reading alone',
  });
}

/**
 * Mounts an exported NTFS volume by ntfs-3g, for writing unless told, as an unprivileged user in namespaces of its own. Hibernated
 * volumes are refused always, volumes whose log is open unless `acceptDirty`, which drops that log.
 *
 * @throws {AppError} GUEST_FILE_SYSTEM_DIRTY - hibernated, or in use and that is not accepted
 * @throws {AppError} GUEST_EXECUTOR_UNAVAILABLE - no FUSE or ntfs-3g on this machine, or it refused the volume (message)
 * @throws {AppError} OPERATION_CANCELLED
 */
export async function mountNtfs(params: {
  readonly volumePath: string;
  readonly workDir: string;
  readonly acceptDirty: boolean;
  /** Opens volumes in any state and writes nothing; what a log holds is not seen then. */
  readonly readOnly?: boolean;
  readonly signal: AbortSignal;
}): Promise<GuestMount> {
  const recovery = params.acceptDirty ? 'recover' : 'norecover';
  // no_detach: stays in the foreground. streams_interface=none: no path of ours reaches an alternate stream.
  const access = params.readOnly === true ? 'ro' : 'rw';
  const options = `${access},no_detach,${recovery},streams_interface=none,windows_names,noatime,big_writes`;
  const mount = await mountRootless(params, {
    program: 'ntfs-3g',
    args: ['-o', options, insidePaths.volume, insidePaths.mount],
    identity: 'same',
  });
  try {
    if (params.readOnly !== true) await assertWritable(mount, params.signal);
    return mount;
  } catch (cause) {
    await mount.kill();
    throw cause;
  }
}
