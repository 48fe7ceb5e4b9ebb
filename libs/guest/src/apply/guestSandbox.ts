import { AppError, isAppError } from '@ascend/errors';
import {
  runProcess,
  startProcess,
  systemClock,
  type ProcessResult,
  type RunningProcess,
} from '@ascend/runtime';
import type { GuestMount } from './guestMount.ts';
import { insidePaths, words } from './hostSandbox.ts';
import { cpuTicksBelow } from './processActivity.ts';

/** Where the machine's static busybox appears inside the guest: on a tmpfs, never on its disk. */
export const busyboxPath = '/run/ascend/busybox';

/** Static, so that it runs whatever libraries the guest has. */
export const hostBusybox = '/bin/busybox';

/** Most processes a guest's program may have at once (held for the unprivileged user; root is exempt in Linux). */
const maxProcesses = 512;
const maxFileBytes = 8 * 1024 * 1024 * 1024;

/** One command to run with the guest's root as `/`. */
export interface GuestCommand {
  readonly args: readonly string[];
  readonly input?: Uint8Array;
  readonly okExitCodes?: readonly number[];
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly onLine?: (line: string) => void;
}

/** A program of the guest that works for minutes. */
export interface GuestTool {
  readonly args: readonly string[];
  /** Ends it when for so long it neither printed nor used the processor. */
  readonly stallAfterMs: number;
  /** Ends it even when it is busy: a program that forks for ever never stalls. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * The sandbox of the guest's programs: its root as `/`, no capability, no network, own pids, empty environment, only
 * /dev/null and its kind, /proc read-only (as uid 0 a writable /proc/sys/kernel/core_pattern would be the host's root).
 */
function sandboxArgs(mount: GuestMount): readonly string[] {
  return [
    ...mount.enter,
    ...words(`prlimit --nproc=${maxProcesses} --fsize=${maxFileBytes} --core=0 --`),
    ...words(`bwrap --bind ${insidePaths.mount} / --proc /proc --remount-ro /proc --dev /dev`),
    ...words(`--tmpfs /tmp --tmpfs /run --tmpfs /var/tmp --ro-bind ${hostBusybox} ${busyboxPath}`),
    ...words('--unshare-ipc --unshare-pid --unshare-net --unshare-uts --die-with-parent --new-session'),
    ...words('--clearenv --setenv PATH /usr/sbin:/usr/bin:/sbin:/bin --setenv HOME /root'),
    ...words('--setenv LC_ALL C --setenv TMPDIR /var/tmp --chdir / --cap-drop ALL --'),
  ];
}

function describe(cause: unknown, command: GuestCommand): unknown {
  if (!isAppError(cause)) return cause;
  const label = command.args
    .filter((arg) => arg !== busyboxPath)
    .join(' ')
    .slice(0, 200);
  if (cause.code === 'PROCESS_STALLED') {
    return new AppError({
      code: 'GUEST_TOOL_STALLED',
      message: `run ${label} in guest: no end after ${command.timeoutMs} ms`,
      cause,
    });
  }
  if (cause.code !== 'PROCESS_FAILED') return cause;
  const tail = String(cause.details['stderrTail'] ?? '');
  return new AppError({
    code: 'GUEST_EDIT_FAILED',
    message: `run ${label} in guest: exit code ${String(cause.details['exitCode'])}: ${tail.trim().split('\n').at(-1) ?? ''}`,
    details: { stderrTail: tail },
    cause,
  });
}

/** The sandbox's own failures have the same exit code as many programs' answers ("not there"): they must not look alike. */
function refuseBrokenSandbox(result: ProcessResult): void {
  if (result.exitCode === 0 || !/^(?:bwrap|nsenter|prlimit):/.test(result.stderr)) return;
  throw new AppError({
    code: 'GUEST_EXECUTOR_UNAVAILABLE',
    message: `enter guest: ${result.stderr.trim().split('\n').at(-1) ?? ''}`,
  });
}

/**
 * Runs a program inside the guest's sandbox to its end.
 *
 * @throws {AppError} GUEST_EDIT_FAILED - exit code; GUEST_TOOL_STALLED - no end in time; OPERATION_CANCELLED
 */
export async function runInGuest(mount: GuestMount, command: GuestCommand): Promise<ProcessResult> {
  const [program = '', ...args] = [...sandboxArgs(mount), ...command.args];
  try {
    const result = await runProcess({
      program,
      args,
      dieWithParent: true,
      timeoutMs: command.timeoutMs,
      signal: command.signal,
      ...(command.input === undefined ? {} : { input: command.input }),
      ...(command.okExitCodes === undefined ? {} : { okExitCodes: command.okExitCodes }),
      ...(command.onLine === undefined ? {} : { onStdoutLine: command.onLine, onStderrLine: command.onLine }),
    });
    refuseBrokenSandbox(result);
    return result;
  } catch (cause) {
    throw describe(cause, command);
  }
}

const watchIntervalMs = 1000;

/** Resolves with a reason when the tool must be ended: it stalled, took too long, or `signal` fired. */
async function watchTool(tool: RunningProcess, limits: GuestTool, lastOutput: () => number): Promise<string> {
  const started = systemClock.now();
  let lastSeen = started;
  let ticks = -1;
  for (;;) {
    await systemClock
      .sleep(Math.min(watchIntervalMs, limits.stallAfterMs), limits.signal)
      .catch(() => undefined);
    if (limits.signal.aborted) return 'cancelled';
    const now = systemClock.now();
    const used = await cpuTicksBelow(tool.pid);
    if (used !== ticks) lastSeen = now;
    ticks = used;
    lastSeen = Math.max(lastSeen, lastOutput());
    if (now - lastSeen >= limits.stallAfterMs) return `no output and no work for ${limits.stallAfterMs} ms`;
    if (now - started >= limits.timeoutMs) return `no end after ${limits.timeoutMs} ms`;
  }
}

/**
 * Runs a tool of the guest under a stall detector. Nothing of it is left running, whatever way it ends.
 *
 * @throws {AppError} GUEST_EDIT_FAILED - exit code; GUEST_TOOL_STALLED - ended by us; OPERATION_CANCELLED
 */
export async function runGuestTool(mount: GuestMount, limits: GuestTool): Promise<ProcessResult> {
  const [program = '', ...args] = [...sandboxArgs(mount), ...limits.args];
  let lastOutput = systemClock.now();
  const onLine = (): void => void (lastOutput = systemClock.now());
  const tool = startProcess({
    program,
    args,
    dieWithParent: true,
    onStdoutLine: onLine,
    onStderrLine: onLine,
  });
  const over = new AbortController();
  const signal = AbortSignal.any([limits.signal, over.signal]);
  const watched = watchTool(tool, { ...limits, signal }, () => lastOutput);
  const ended = await Promise.race([tool.ended, watched]);
  over.abort();
  if (typeof ended === 'string') await tool.stop(0);
  limits.signal.throwIfAborted();
  const label = `run ${limits.args.join(' ')} in guest`;
  if (typeof ended === 'string') {
    throw new AppError({ code: 'GUEST_TOOL_STALLED', message: `${label}: ${ended}` });
  }
  refuseBrokenSandbox(ended);
  if (ended.exitCode === 0) return ended;
  throw new AppError({
    code: 'GUEST_EDIT_FAILED',
    message: `${label}: exit code ${ended.exitCode}: ${ended.stderr.trim().split('\n').at(-1) ?? ''}`,
    details: { stderrTail: ended.stderr },
  });
}
