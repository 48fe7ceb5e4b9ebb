import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { AppError } from '@ascend/errors';
import { startProcess, systemClock, type RunningProcess } from '@ascend/runtime';
import { changeFile } from '../fileErrors.ts';
import { outputError } from './qemuError.ts';

// sun_path holds 108 bytes; the file name inside the folder is short.
const maxFolderBytes = 90;
const readyTimeoutMs = 60_000;
const firstPollMs = 5;
const lastPollMs = 100;

/** A private folder (mode 700) for sockets and pid files: below `workDir`, or in the temp folder when that path is too long for a socket. */
export async function makeRunFolder(workDir: string): Promise<string> {
  const prefix = path.join(path.resolve(workDir), 'run-');
  return await changeFile('make folder below', workDir, async () => {
    await mkdir(workDir, { recursive: true });
    return await mkdtemp(
      Buffer.byteLength(prefix) > maxFolderBytes ? path.join(tmpdir(), 'ascend-run-') : prefix,
    );
  });
}

/** A server process with its folder. */
export interface Daemon {
  readonly pid: number;
  readonly folder: string;
  /** Ends the process, waits for its end, then `afterEnd`, then removes the folder. Idempotent. */
  close(): Promise<void>;
}

/** How to start a server process. */
export interface DaemonParams {
  readonly operation: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly folder: string;
  readonly signal?: AbortSignal;
  /** Asked again and again until true, with the process id; throws for what can never become ready. */
  readonly isReady: (pid: number) => Promise<boolean>;
  /** Cleaning up that must happen even when the process died by itself. */
  readonly afterEnd?: () => Promise<void>;
}

function cancelled(operation: string): AppError {
  return new AppError({ code: 'OPERATION_CANCELLED', message: `${operation}: cancelled` });
}

async function waitUntilReady(process: RunningProcess, params: DaemonParams): Promise<void> {
  let ended = false;
  void process.ended.then(() => (ended = true));
  const giveUpAt = systemClock.now() + readyTimeoutMs;
  for (let pause = firstPollMs; ; pause = Math.min(pause * 2, lastPollMs)) {
    if (params.signal?.aborted === true) throw cancelled(params.operation);
    if (ended) throw outputError(params.operation, (await process.ended).stderr, 'DISK_OPEN_FAILED');
    if (await params.isReady(process.pid)) return;
    if (systemClock.now() > giveUpAt) {
      throw new AppError({
        code: 'DISK_SERVER_FAILED',
        message: `${params.operation}: ${params.program} is not ready after ${readyTimeoutMs} ms`,
      });
    }
    await systemClock.sleep(pause);
  }
}

/**
 * Starts a server and waits until it is ready. It gets SIGTERM when this process dies in any way, even by kill -9, so that it
 * can flush and take down its mount points. On failure or cancellation nothing is left.
 *
 * @throws {AppError} DISK_OPEN_FAILED, DISK_SOURCE_BUSY, DISK_SERVER_FAILED and other codes told by the server's output;
 * PROCESS_NOT_FOUND, OPERATION_CANCELLED
 */
export async function startDaemon(params: DaemonParams): Promise<Daemon> {
  let process: RunningProcess;
  try {
    if (params.signal?.aborted === true) throw cancelled(params.operation);
    process = startProcess({
      program: 'setpriv',
      args: ['--pdeathsig', 'TERM', '--', params.program, ...params.args],
      ...(params.env === undefined ? {} : { env: params.env }),
    });
  } catch (cause) {
    await rm(params.folder, { recursive: true, force: true });
    throw cause;
  }
  const close = async (): Promise<void> => {
    params.signal?.removeEventListener('abort', onAbort);
    await process.stop(10_000);
    await params.afterEnd?.();
    await rm(params.folder, { recursive: true, force: true });
  };
  let closing: Promise<void> | null = null;
  const closeOnce = (): Promise<void> => (closing ??= close());
  const onAbort = (): void => void closeOnce().catch(() => undefined);
  params.signal?.addEventListener('abort', onAbort, { once: true });
  try {
    await waitUntilReady(process, params);
  } catch (cause) {
    await closeOnce();
    throw cause;
  }
  return { pid: process.pid, folder: params.folder, close: closeOnce };
}
