import { execa, ExecaError } from 'execa';
import { AppError } from '@ascend/errors';

/** How a child process is run. Never a shell string: program and argument array only. */
export interface ProcessParams {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** Added to the inherited environment, or the whole of it when `cleanEnv` is set. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cleanEnv?: boolean;
  readonly input?: string | Uint8Array;
  readonly signal?: AbortSignal;
  /** Wall limit; only for short tools. Long work uses a stall detector instead. */
  readonly timeoutMs?: number;
  /** Exit codes that are results, not errors. Default: [0]. */
  readonly okExitCodes?: readonly number[];
  readonly onStdoutLine?: (line: string) => void;
  readonly onStderrLine?: (line: string) => void;
  /** Output as it comes, byte by byte, for programs whose output is not made of lines. */
  readonly onStdout?: (chunk: Buffer) => void;
  readonly onStderr?: (chunk: Buffer) => void;
  /** Keeps the standard input open for `RunningProcess.write`; `input` is not used then. Only for `startProcess`. */
  readonly keepInputOpen?: boolean;
  /** Linux: the kernel kills the child when this process dies, even by kill -9 (setpriv --pdeathsig). */
  readonly dieWithParent?: boolean;
}

/** What a finished process left. `runProcess` keeps all output up to 64 MiB, `startProcess` only the last `tailBytes`. */
export interface ProcessResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly durationMs: number;
}

/** A process that goes on running until `stop` or its own end. */
export interface RunningProcess {
  readonly pid: number;
  /** Settles when the process has ended; never rejects. Exit code -1: ended by a signal. */
  readonly ended: Promise<ProcessResult>;
  /** SIGTERM, then SIGKILL after `graceMs`; resolves when the process is gone. Idempotent. */
  stop(graceMs?: number): Promise<void>;
  /** Writes to the standard input that `keepInputOpen` left open. What a process that has ended is told is lost. */
  write(bytes: string | Uint8Array): void;
}

/** Characters of a child's output that are kept for error messages. */
export const tailBytes = 4096;
const maxOutputBytes = 64 * 1024 * 1024;

function inputOf({ input, keepInputOpen }: ProcessParams) {
  if (keepInputOpen === true) return { stdin: 'pipe' as const };
  return input === undefined ? { stdin: 'ignore' as const } : { input };
}

function launch(params: ProcessParams, buffer: boolean) {
  const program = params.dieWithParent === true ? 'setpriv' : params.program;
  const args =
    params.dieWithParent === true
      ? ['--pdeathsig', 'KILL', '--', params.program, ...params.args]
      : [...params.args];
  return execa(program, args, {
    reject: false,
    buffer,
    maxBuffer: maxOutputBytes,
    stripFinalNewline: true,
    forceKillAfterDelay: 5000,
    ...(params.cwd === undefined ? {} : { cwd: params.cwd }),
    ...(params.env === undefined ? {} : { env: { ...params.env } }),
    ...(params.cleanEnv === true ? { extendEnv: false } : {}),
    ...(params.signal === undefined ? {} : { cancelSignal: params.signal }),
    ...(params.timeoutMs === undefined ? {} : { timeout: params.timeoutMs }),
    ...inputOf(params),
  });
}

type Child = ReturnType<typeof launch>;

/** Keeps the tail of a stream and hands complete lines on; also drains it, so the child never blocks on a full pipe. */
function followStream(
  stream: Child['stdout'] | null,
  onLine?: (line: string) => void,
  onChunk?: (chunk: Buffer) => void,
): () => string {
  let kept = '';
  let rest = '';
  stream?.on('data', (chunk: Buffer) => {
    onChunk?.(chunk);
    const text = chunk.toString('utf8');
    kept = (kept + text).slice(-tailBytes);
    if (onLine === undefined) return;
    const lines = (rest + text).split(/[\r\n]+/);
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') onLine(line);
  });
  stream?.on('end', () => {
    if (onLine !== undefined && rest !== '') onLine(rest);
  });
  return () => kept;
}

interface Failure {
  readonly code?: string | undefined;
  readonly exitCode?: number | undefined;
  readonly signal?: string | undefined;
  readonly isCanceled: boolean;
  readonly timedOut: boolean;
}

function describeFailure(error: Failure, params: ProcessParams, stderr: string): AppError {
  const label = params.program;
  if (error.code === 'ENOENT') {
    return new AppError({
      code: 'PROCESS_NOT_FOUND',
      message: `run ${label}: program not found`,
      cause: error,
    });
  }
  if (error.isCanceled) {
    return new AppError({ code: 'OPERATION_CANCELLED', message: `run ${label}: cancelled`, cause: error });
  }
  const details = {
    program: label,
    args: params.args,
    exitCode: error.exitCode ?? null,
    signal: error.signal ?? null,
    stderrTail: stderr,
  };
  if (error.timedOut) {
    const message = `run ${label}: no end after ${params.timeoutMs ?? 0} ms`;
    return new AppError({ code: 'PROCESS_STALLED', message, details, cause: error });
  }
  const last = stderr.trim().split('\n').at(-1) ?? '';
  const how =
    error.signal === undefined ? `exit code ${error.exitCode ?? 'unknown'}` : `signal ${error.signal}`;
  return new AppError({
    code: 'PROCESS_FAILED',
    message: `run ${label}: ${how}: ${last}`,
    details,
    cause: error,
  });
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/**
 * Runs a program to its end.
 *
 * @throws {AppError} PROCESS_NOT_FOUND, PROCESS_FAILED (details: exitCode, signal, stderrTail), PROCESS_STALLED, OPERATION_CANCELLED
 */
export async function runProcess(params: ProcessParams): Promise<ProcessResult> {
  const child = launch(params, true);
  followStream(child.stdout, params.onStdoutLine, params.onStdout);
  const stderrTail = followStream(child.stderr, params.onStderrLine, params.onStderr);
  const result = await child;
  const ok = params.okExitCodes ?? [0];
  if (result.exitCode === undefined || !ok.includes(result.exitCode)) {
    const error = result instanceof ExecaError ? result : undefined;
    if (error !== undefined) throw describeFailure(error, params, stderrTail());
    const message = `run ${params.program}: exit code ${result.exitCode ?? 'unknown'} is not expected`;
    throw new AppError({ code: 'PROCESS_FAILED', message, details: { exitCode: result.exitCode ?? null } });
  }
  return {
    exitCode: result.exitCode,
    stdout: asText(result.stdout),
    stderr: asText(result.stderr),
    durationMs: result.durationMs,
  };
}

/**
 * Starts a program and returns at once. The child gets SIGTERM when this process exits; with `dieWithParent` it
 * also dies when this process is killed -9.
 *
 * @throws {AppError} PROCESS_NOT_FOUND
 */
export function startProcess(params: ProcessParams): RunningProcess {
  const child = launch(params, false);
  const stdoutTail = followStream(child.stdout, params.onStdoutLine, params.onStdout);
  const stderrTail = followStream(child.stderr, params.onStderrLine, params.onStderr);
  if (child.pid === undefined) {
    child.catch(() => undefined);
    throw new AppError({ code: 'PROCESS_NOT_FOUND', message: `start ${params.program}: program not found` });
  }
  const ended = (async (): Promise<ProcessResult> => {
    const result = await child;
    return {
      exitCode: result.exitCode ?? -1,
      stdout: stdoutTail(),
      stderr: stderrTail(),
      durationMs: result.durationMs,
    };
  })();
  const stop = async (graceMs = 5000): Promise<void> => {
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
    await ended;
    clearTimeout(timer);
  };
  // A process that ends while it is written to is told by `ended`; without a listener the broken pipe would end us.
  child.stdin?.on('error', () => undefined);
  const write = (bytes: string | Uint8Array): void => void child.stdin?.write(bytes);
  return { pid: child.pid, ended, stop, write };
}
