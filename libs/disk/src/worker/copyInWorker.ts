import { rm } from 'node:fs/promises';
import { flushCompileCache } from 'node:module';
import { Worker } from 'node:worker_threads';
import { AppError, deserializeError, serializeError, toAppError } from '@ascend/errors';
import type { DiskImage } from '../blockdev.ts';
import type { BandwidthLimiter } from '../copy/bandwidth.ts';
import type { CopyTuning } from '../copy/copyDisk.ts';
import { monotonicClock } from '../copy/monotonicClock.ts';
import type { CopyProgress } from '../copy/pass.ts';
import type { CopyResult } from '../sink.ts';
import { bundledModule } from './bundledModule.ts';
import type { CopyWorkerData } from './copyWorker.ts';
import { endProcessesOf, makeTransferFolder } from './leftovers.ts';
import type { FromWorker, OnFailure, Question, ToWorker, WorkerStart } from './messages.ts';
import { openModuleSink, type SinkModule } from './sinkModule.ts';

// The bytes of a copy are outside of the heap: what is left is small, and a young generation of this size keeps it so.
const resourceLimits = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 128 };
const stopWithinMs = 30_000;
const exitWithinMs = 5_000;

/** One disk to copy in a thread of its own. What crosses to the thread is JSON. */
export interface CopyInWorkerParams {
  readonly image: DiskImage;
  readonly sink: SinkModule;
  /** As for `copyDisk`. */
  readonly targetSizeBytes: number;
  /** A private folder is made below it and removed at the end. */
  readonly workDir: string;
  readonly signal: AbortSignal;
  /** Cap of this copy alone; null = no cap. */
  readonly bandwidthBytesPerSecond: number | null;
  /** Caps that are shared with other copies, in this thread and others; their rates may be changed while it runs. */
  readonly limiters?: readonly BandwidthLimiter[];
  readonly tuning?: CopyTuning;
  /** Last confirmed offset; counts only if the sink then says that it kept what was written. */
  readonly resumeFromBytes: number;
  /** Default `suspend`: a sink that is resumable keeps what was written, any other is aborted. */
  readonly onFailure?: OnFailure;
  /** Longest time from the cancel to the end of the thread, by force then; default 30 s. */
  readonly stopWithinMs?: number;
  /** The sink is open, told where the copy begins; it waits until this has resolved, nothing is written before. */
  readonly onStarted?: (start: WorkerStart) => Promise<void>;
  /** Absolute counters, at most every 200 ms. */
  readonly onProgress: (progress: CopyProgress) => void;
  /** As for `copyDisk`: the copy waits until it has resolved. */
  readonly onConfirmed: (offsetBytes: number) => Promise<void>;
  /** All is copied and flushed. The disk gets its final name once this has resolved. */
  readonly onCopied: (result: CopyResult) => Promise<void>;
  /** Called now and then while a cap holds the copy. */
  readonly onHeld?: () => void;
}

/** What came of it; the sink is finished. */
export interface WorkerCopyResult extends CopyResult, WorkerStart {}

function cancelled(cause?: unknown): AppError {
  return new AppError({ code: 'OPERATION_CANCELLED', message: 'copy disk: cancelled', cause });
}

/** How the thread ended. `lost`: without its last word. */
type Ending =
  | { readonly type: 'finished'; readonly result: WorkerCopyResult }
  | { readonly type: 'failed'; readonly error: unknown }
  | { readonly type: 'lost'; readonly cause: unknown };

function startWorker(params: CopyInWorkerParams, workDir: string): Worker {
  const data: CopyWorkerData = {
    ascendCopy: {
      image: params.image,
      sink: params.sink,
      tuning: params.tuning ?? {},
      targetSizeBytes: params.targetSizeBytes,
      workDir,
      bandwidthBytesPerSecond: params.bandwidthBytesPerSecond,
      limits: (params.limiters ?? []).map((limiter) => limiter.memory),
      resumeFromBytes: params.resumeFromBytes,
      onFailure: params.onFailure ?? 'suspend',
    },
  };
  const url = bundledModule(new URL('./copyWorker.ts', import.meta.url), import.meta.url);
  return new Worker(new URL(url), { workerData: data, resourceLimits, name: 'copy-disk' });
}

let compiled: Promise<unknown> | undefined;

/**
 * Compiles the thread's code here and puts it into the compile cache, where there is one. A thread that strips types itself runs
 * WebAssembly, and its end can then abort the whole process (V8 "jit_page_->allocations_.erase", nodejs/node#64500, open 2026-09); it
 * also takes 8 MiB more.
 */
async function compileOnce(): Promise<void> {
  compiled ??= import('./copyWorker.ts').then(() => flushCompileCache());
  await compiled;
}

/** Answers the thread's questions by the caller's functions; what they throw stops the copy and is thrown in the end. */
function createAnswers(params: CopyInWorkerParams, post: (message: ToWorker) => void) {
  let start: WorkerStart = { alreadyFinished: false, resumedFromBytes: 0, resumable: false };
  const failure: { cause: unknown; failed: boolean } = { cause: undefined, failed: false };
  const fail = (cause: unknown): void => {
    if (!failure.failed) Object.assign(failure, { cause, failed: true });
  };
  const hear = async (question: Question): Promise<void> => {
    if (question.about === 'confirmed') await params.onConfirmed(question.offsetBytes);
    else if (question.about === 'copied') await params.onCopied(question.result);
    else {
      start = question.start;
      await params.onStarted?.(start);
    }
  };
  return {
    failure,
    start: (): WorkerStart => start,
    /** Runs a function of the caller that nobody waits for. */
    tell: (run: () => void): void => {
      try {
        run();
      } catch (cause) {
        fail(cause);
        post({ type: 'cancel' });
      }
    },
    answer: async (id: number, question: Question): Promise<void> => {
      try {
        await hear(question);
        post({ type: 'answer', id, error: null });
      } catch (cause) {
        fail(cause);
        post({ type: 'answer', id, error: serializeError(toAppError(cause, 'note progress of copy')) });
      }
    },
  };
}

/** Ends the thread by force when it has not ended by itself in time; the function returned calls that off. */
function endWithin(worker: Worker, ms: number): () => void {
  const over = new AbortController();
  const wait = async (): Promise<void> => {
    await monotonicClock.sleep(ms, over.signal);
    await worker.terminate();
  };
  wait().catch(() => undefined);
  return () => over.abort();
}

/** Talks to the thread until it is gone. */
async function follow(worker: Worker, params: CopyInWorkerParams): Promise<Ending> {
  const { signal } = params;
  const post = (message: ToWorker): void => worker.postMessage(message, []);
  const answers = createAnswers(params, post);
  const callOffs: (() => void)[] = [];
  const state: { ending: Ending } = { ending: { type: 'lost', cause: undefined } };
  const ended = (ending: Ending): void => {
    state.ending = ending;
    callOffs.push(endWithin(worker, exitWithinMs));
  };
  const onMessage = (message: FromWorker): void => {
    if (message.type === 'progress') answers.tell(() => params.onProgress(message.progress));
    else if (message.type === 'held') answers.tell(() => params.onHeld?.());
    else if (message.type === 'question') void answers.answer(message.id, message.question);
    else if (message.type === 'finished')
      ended({ type: 'finished', result: { ...message.result, ...answers.start() } });
    else ended({ type: 'failed', error: deserializeError(message.error) });
  };
  const onAbort = (): void => {
    post({ type: 'cancel' });
    callOffs.push(endWithin(worker, params.stopWithinMs ?? stopWithinMs));
  };
  worker.on('message', onMessage);
  worker.on('error', (cause) => {
    if (state.ending.type === 'lost') state.ending = { type: 'lost', cause };
  });
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  await new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  signal.removeEventListener('abort', onAbort);
  for (const callOff of callOffs) callOff();
  const { ending } = state;
  const { failure } = answers;
  return failure.failed && ending.type === 'failed' ? { type: 'failed', error: failure.cause } : ending;
}

/** Removes what a thread that was lost has written: it can do so itself no more. */
async function abortSink(module: SinkModule, workDir: string): Promise<void> {
  const { signal } = new AbortController();
  const { sink } = await openModuleSink(module, { workDir, signal, source: null });
  await sink.abort();
}

/**
 * Copies one disk in a thread of its own: source, sink and hashing all live there, so that several disks use several cores and this
 * thread stays free. The disk stands under its final name when it resolves. However it ends: no process of the copy is left, the private
 * folder is gone, and the sink is finished, suspended or aborted. A thread that was lost (out of memory, a bug) leaves a resumable sink as
 * a killed process would.
 *
 * @throws {AppError} DISK_WORKER_LOST - the thread ended without a word; OPERATION_CANCELLED; all that `copyDisk`, the sink's module and
 * the caller's functions throw
 */
export async function copyInWorker(params: CopyInWorkerParams): Promise<WorkerCopyResult> {
  const { signal } = params;
  if (signal.aborted) throw cancelled();
  await compileOnce();
  const workDir = await makeTransferFolder(params.workDir);
  try {
    const ending = await follow(startWorker(params, workDir), params);
    if (ending.type === 'finished') return ending.result;
    if (ending.type === 'failed') throw toAppError(ending.error, 'copy disk');
    await endProcessesOf(workDir);
    if (params.onFailure === 'abort') await abortSink(params.sink, workDir);
    if (signal.aborted) throw cancelled(ending.cause);
    throw new AppError({
      code: 'DISK_WORKER_LOST',
      message: 'copy disk: its thread ended without a result',
      cause: ending.cause,
    });
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}
