import type { MessagePort } from 'node:worker_threads';
import { deserializeError, serializeError, toAppError } from '@ascend/errors';
import { attachBandwidthLimiter } from '../copy/bandwidth.ts';
import { copyDisk } from '../copy/copyDisk.ts';
import { monotonicClock } from '../copy/monotonicClock.ts';
import { openCopySource } from '../copy/openCopySource.ts';
import type { CopyProgress } from '../copy/pass.ts';
import type { CopyResult, DiskSink } from '../sink.ts';
import type { DiskSource } from '../source/diskSource.ts';
import type { FromWorker, Question, ToWorker, WorkerSetup } from './messages.ts';
import { openModuleSink } from './sinkModule.ts';

const progressEveryMs = 200;
// A side that hangs may hang in its closing too; the failure is told all the same, and the process ends this thread.
const closeWaitMs = 10_000;

/** The thread's end of the conversation. */
interface Line {
  readonly cancelled: AbortSignal;
  post(message: FromWorker): void;
  /** Resolves when the process has noted it. @throws {AppError} what the process could not do */
  ask(question: Question): Promise<void>;
  /** Sends the counters at most every 200 ms. */
  progress(progress: CopyProgress): void;
  /** Sends the counters that were held back. */
  flushProgress(): void;
}

function createLine(port: MessagePort): Line {
  const cancelled = new AbortController();
  const open = new Map<number, PromiseWithResolvers<null>>();
  const post = (message: FromWorker): void => port.postMessage(message, []);
  let nextId = 1;
  let latest: CopyProgress | null = null;
  let sentAtMs = -Infinity;
  const flushProgress = (): void => {
    if (latest === null) return;
    post({ type: 'progress', progress: latest });
    latest = null;
    sentAtMs = monotonicClock.now();
  };
  port.on('message', (message: ToWorker) => {
    if (message.type === 'cancel') cancelled.abort();
    else if (message.error === null) open.get(message.id)?.resolve(null);
    else open.get(message.id)?.reject(deserializeError(message.error));
  });
  return {
    cancelled: cancelled.signal,
    post,
    ask: async (question) => {
      const id = nextId;
      nextId += 1;
      const answer = Promise.withResolvers<null>();
      open.set(id, answer);
      flushProgress();
      post({ type: 'question', id, question });
      await answer.promise.finally(() => open.delete(id));
    },
    progress: (progress) => {
      latest = progress;
      if (monotonicClock.now() - sentAtMs >= progressEveryMs) flushProgress();
    },
    flushProgress,
  };
}

async function closeWithin(closing: Promise<unknown>): Promise<void> {
  const over = new AbortController();
  const silent = closing.catch(() => undefined);
  await Promise.race([silent, monotonicClock.sleep(closeWaitMs, over.signal).catch(() => undefined)]);
  over.abort();
}

function copyTo(sink: DiskSink, source: DiskSource, from: number, setup: WorkerSetup, line: Line) {
  return copyDisk({
    ...setup.tuning,
    source,
    sink,
    targetSizeBytes: setup.targetSizeBytes,
    workDir: setup.workDir,
    signal: line.cancelled,
    bandwidthBytesPerSecond: setup.bandwidthBytesPerSecond,
    throttles: setup.limits.map((memory) => attachBandwidthLimiter(memory)),
    resumeFromBytes: from,
    onProgress: (progress) => line.progress(progress),
    onHeld: () => line.post({ type: 'held' }),
    onConfirmed: (offsetBytes) => line.ask({ about: 'confirmed', offsetBytes }),
  });
}

async function writeDisk(source: DiskSource, setup: WorkerSetup, line: Line): Promise<CopyResult> {
  const { workDir } = setup;
  const { sink, kept, alreadyFinished } = await openModuleSink(setup.sink, {
    workDir,
    signal: line.cancelled,
    source,
  });
  try {
    const resumedFromBytes = kept && !sink.ordered ? setup.resumeFromBytes : 0;
    const start = { alreadyFinished, resumedFromBytes, resumable: sink.resumable };
    await line.ask({ about: 'started', start });
    const result = await copyTo(sink, source, resumedFromBytes, setup, line);
    await line.ask({ about: 'copied', result });
    await sink.finish();
    return result;
  } catch (cause) {
    await closeWithin(setup.onFailure === 'suspend' && sink.resumable ? sink.suspend() : sink.abort());
    throw cause;
  }
}

/** The whole work of the thread: opens both ends, copies, finishes. Never rejects: the end is the last message. */
export async function runWorkerCopy(port: MessagePort, setup: WorkerSetup): Promise<void> {
  const line = createLine(port);
  const { image, workDir, tuning } = setup;
  let last: FromWorker;
  try {
    const source = await openCopySource({
      image,
      workDir,
      signal: line.cancelled,
      engine: tuning.engine ?? 'auto',
    });
    try {
      last = { type: 'finished', result: await writeDisk(source, setup, line) };
    } finally {
      await closeWithin(source.close());
    }
  } catch (cause) {
    last = { type: 'failed', error: serializeError(toAppError(cause, 'copy disk')) };
  }
  line.flushProgress();
  line.post(last);
  port.close();
}
