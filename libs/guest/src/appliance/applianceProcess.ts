import { AppError } from '@ascend/errors';
import { startProcess, systemClock, type RunningProcess } from '@ascend/runtime';
import { hostSandboxCommand, insidePaths, type Command, type SandboxBind } from '../apply/hostSandbox.ts';
import { fishLine, type FishArgument } from './fishLine.ts';
import { createFishShell, type FishAnswer } from './fishShell.ts';

/** A running guestfish in its sandbox. */
export interface ApplianceProcess {
  readonly pid: number;
  /**
   * Runs one command and returns its output.
   *
   * @throws {AppError} GUEST_EDIT_FAILED - its error; PROCESS_STALLED - no end in time, and everything is ended;
   * GUEST_EXECUTOR_UNAVAILABLE - the appliance is gone; OPERATION_CANCELLED
   */
  ask(command: string, args: readonly FishArgument[], limits?: CommandLimits): Promise<Buffer>;
  /** The same, with the failure as a value. */
  tryAsk(command: string, args: readonly FishArgument[], limits?: CommandLimits): Promise<FishAnswer>;
  /** Ends guestfish and with it the appliance, at once. Idempotent. */
  kill(): Promise<void>;
}

/** Bounds of one command. */
interface CommandLimits {
  /** Default: 120 s. */
  readonly timeoutMs?: number;
  /** What the command reads from standard input: one line. */
  readonly inputLine?: string;
}

const commandTimeoutMs = 120_000;

/** What starting works with. */
export interface StartProcessParams {
  /** Writable folder of the session; appears as `insidePaths.volume`. It has the folder `tmp`. */
  readonly sessionDir: string;
  readonly binds: readonly SandboxBind[];
  /** Folder of the appliance as it appears inside. */
  readonly appliancePath: string;
  readonly acceleration: 'kvm' | 'tcg';
  readonly signal: AbortSignal;
}

function settings({ appliancePath, acceleration }: StartProcessParams): readonly string[] {
  const scratch = `${insidePaths.volume}/tmp`;
  return [
    'LIBGUESTFS_BACKEND=direct',
    `LIBGUESTFS_PATH=${appliancePath}`,
    `LIBGUESTFS_TMPDIR=${scratch}`,
    `LIBGUESTFS_CACHEDIR=${scratch}`,
    `XDG_RUNTIME_DIR=${scratch}`,
    `TMPDIR=${scratch}`,
    ...(acceleration === 'tcg' ? ['LIBGUESTFS_BACKEND_SETTINGS=force_tcg'] : []),
  ];
}

function cancelled(): AppError {
  return new AppError({ code: 'OPERATION_CANCELLED', message: 'run appliance: cancelled' });
}

function gone(stderr: string): AppError {
  return new AppError({
    code: 'GUEST_EXECUTOR_UNAVAILABLE',
    message: `run appliance: guestfish ended: ${stderr.trim().split('\n').at(-1) ?? ''}`,
  });
}

async function sandboxed(params: StartProcessParams): Promise<Command> {
  const { sessionDir, binds } = params;
  const fish = ['guestfish', '--no-progress-bars', '--keys-from-stdin'];
  // No core dump: it would hold a guest's memory and keys.
  const inside = ['prlimit', '--core=0', 'env', ...settings(params), ...fish];
  return await hostSandboxCommand({ purpose: 'tool', volumePath: sessionDir, binds }, inside);
}

/**
 * Starts guestfish where it sees the machine's programs, the appliance, the session's folder and the sockets of the disks, as
 * an unprivileged user, without network. It and its QEMU live in a pid namespace that ends with this process, even by kill -9.
 */
export async function startAppliance(params: StartProcessParams): Promise<ApplianceProcess> {
  const { signal } = params;
  const command = await sandboxed(params);
  signal.throwIfAborted();
  const running: RunningProcess = startProcess({
    ...command,
    dieWithParent: true,
    keepInputOpen: true,
    onStdout: (chunk) => shell.takeStdout(chunk),
    onStderr: (chunk) => shell.takeStderr(chunk),
  });
  const shell = createFishShell((text) => running.write(text));
  const kill = async (): Promise<void> => {
    signal.removeEventListener('abort', onAbort);
    await running.stop(0);
  };
  const onAbort = (): void => {
    shell.end(cancelled());
    void kill();
  };
  signal.addEventListener('abort', onAbort, { once: true });
  void running.ended.then(({ stderr }) => shell.end(signal.aborted ? cancelled() : gone(stderr)));

  const tryAsk: ApplianceProcess['tryAsk'] = async (name, args, limits = {}) => {
    const timeoutMs = limits.timeoutMs ?? commandTimeoutMs;
    const line = fishLine(name, args);
    const over = new AbortController();
    const message = `run appliance: ${name}: no end after ${timeoutMs} ms`;
    const watch = async (): Promise<void> => {
      const late = await systemClock.sleep(timeoutMs, over.signal).then(
        () => true,
        () => false,
      );
      if (!late) return;
      shell.end(new AppError({ code: 'PROCESS_STALLED', message }));
      await kill();
    };
    try {
      return await shell.send(line, { inputLine: limits.inputLine, onStart: () => void watch() });
    } finally {
      over.abort();
    }
  };
  return {
    pid: running.pid,
    tryAsk,
    ask: async (name, args, limits) => {
      const { stdout, error } = await tryAsk(name, args, limits);
      if (error === null) return stdout;
      throw new AppError({ code: 'GUEST_EDIT_FAILED', message: `run appliance: ${error.slice(0, 500)}` });
    },
    kill,
  };
}
