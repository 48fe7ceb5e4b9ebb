import { AppError } from '@ascend/errors';
import type { Clock } from '@ascend/runtime';
import type { CopyResult, DiskSink } from '../sink.ts';
import type { DiskSource } from '../source/diskSource.ts';
import { blockBytes, dataBytesOf, unitLength, type PlannedRun } from './blockPlan.ts';
import { createBufferPool } from './bufferPool.ts';
import { blockDigest, createCompletion } from './completion.ts';
import { createConfirmer } from './confirmer.ts';
import { createThrottle } from './throttle.ts';

const poolBuffers = 16;
const confirmEveryBytes = 64 * 1024 * 1024;
const confirmEveryMs = 5000;
const settleMs = 5000;
const zeroUnit = Buffer.alloc(blockBytes);

/** Absolute counters of a copy. `bytesDone` of `bytesTotal`: data that was handled, moved or not; `bytesSkipped`: holes, zeros, already there. */
export interface CopyProgress {
  readonly bytesDone: number;
  readonly bytesTotal: number;
  readonly bytesSkipped: number;
}

/** One pass over the planned blocks of a disk. */
export interface RunBlocksParams {
  readonly source: Pick<DiskSource, 'readInto' | 'sizeBytes'>;
  readonly sink: DiskSink;
  readonly runs: AsyncIterable<PlannedRun>;
  readonly unitBytes: number;
  readonly bytesTotal: number;
  readonly targetSizeBytes: number;
  readonly resumeFromBytes: number;
  readonly bandwidthBytesPerSecond: number | null;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: CopyProgress) => void;
  readonly onConfirmed: (offsetBytes: number) => Promise<void>;
}

type DataRun = Extract<PlannedRun, { kind: 'data' }>;

interface Span {
  readonly offset: number;
  readonly length: number;
}

/** Neighbouring units with (or without) their bit set, as spans within the block; `endBytes` closes the last one. */
function spansOf(units: number, unitBytes: number, endBytes: number, wanted: boolean): Span[] {
  const spans: { offset: number; length: number }[] = [];
  for (let unit = 0; unit * unitBytes < endBytes; unit += 1) {
    if (((units & (1 << unit)) !== 0) !== wanted) continue;
    const offset = unit * unitBytes;
    const length = Math.min(unitBytes, endBytes - offset);
    const last = spans.at(-1);
    if (last !== undefined && last.offset + last.length === offset) last.length += length;
    else spans.push({ offset, length });
  }
  return spans;
}

function isZero(bytes: Buffer): boolean {
  const middle = bytes[bytes.length >> 1];
  if (bytes[0] !== 0 || middle !== 0 || bytes.at(-1) !== 0) return false;
  return bytes.equals(zeroUnit.subarray(0, bytes.length));
}

/** The bits of the units that hold something else than zeros. */
function nonZeroUnits(run: DataRun, block: Buffer, unitBytes: number): number {
  let units = run.units;
  for (let unit = 0; unit * unitBytes < run.lengthBytes; unit += 1) {
    if ((units & (1 << unit)) === 0) continue;
    const from = unit * unitBytes;
    if (isZero(block.subarray(from, from + unitLength(run, unit, unitBytes)))) units &= ~(1 << unit);
  }
  return units;
}

async function readBlock(params: RunBlocksParams, run: DataRun, buffer: Buffer): Promise<Buffer> {
  const block = buffer.subarray(0, run.lengthBytes);
  for (const span of spansOf(run.units, params.unitBytes, run.lengthBytes, false)) {
    block.fill(0, span.offset, span.offset + span.length);
  }
  const reads = spansOf(run.units, params.unitBytes, run.lengthBytes, true).map((span) =>
    params.source.readInto(
      run.offsetBytes + span.offset,
      block.subarray(span.offset, span.offset + span.length),
    ),
  );
  // All must settle before the buffer may be given back.
  const failed = (await Promise.allSettled(reads)).find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return block;
}

async function writeBlock(
  params: RunBlocksParams,
  run: DataRun,
  buffer: Buffer,
  units: number,
): Promise<void> {
  const { alignmentBytes } = params.sink;
  const room = params.targetSizeBytes - run.offsetBytes;
  const endBytes = Math.min(Math.ceil(run.lengthBytes / alignmentBytes) * alignmentBytes, room);
  buffer.fill(0, run.lengthBytes, endBytes);
  // Zeros first: a sink that notes what was written finds this block still fresh then.
  await Promise.all(
    spansOf(units, params.unitBytes, endBytes, false).map((span) =>
      params.sink.writeZeros(run.offsetBytes + span.offset, span.length),
    ),
  );
  const writes = spansOf(units, params.unitBytes, endBytes, true).map((span) =>
    params.sink.write(run.offsetBytes + span.offset, buffer.subarray(span.offset, span.offset + span.length)),
  );
  const failed = (await Promise.allSettled(writes)).find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

/** The state of one pass: counters, the first failure, and the work in flight. */
function createPass(params: RunBlocksParams) {
  const completion = createCompletion();
  const counters = { done: 0, skipped: 0, copied: 0 };
  const inFlight = new Set<Promise<void>>();
  const stop = new AbortController();
  const failure: { cause: unknown; failed: boolean } = { cause: undefined, failed: false };
  const fail = (cause: unknown): void => {
    if (!failure.failed) Object.assign(failure, { cause, failed: true });
    stop.abort();
  };
  const confirmer = createConfirmer({
    clock: params.clock,
    everyBytes: confirmEveryBytes,
    everyMs: confirmEveryMs,
    startAt: params.resumeFromBytes,
    flush: () => params.sink.flush(),
    onConfirmed: params.onConfirmed,
    onError: fail,
  });
  const report = (): void => {
    params.onProgress({
      bytesDone: counters.done,
      bytesTotal: params.bytesTotal,
      bytesSkipped: counters.skipped,
    });
    confirmer.advance(completion.position, counters.copied);
  };
  const launch = (work: Promise<void>): void => {
    const tracked: Promise<void> = work.catch(fail).finally(() => inFlight.delete(tracked));
    inFlight.add(tracked);
  };
  /** Waits for the work in flight; after a failure only for a while, since a sink may hang. */
  const settle = async (): Promise<void> => {
    const all = Promise.all([...inFlight, confirmer.settle()]);
    if (!failure.failed) {
      await all;
      return;
    }
    const over = new AbortController();
    await Promise.race([all, params.clock.sleep(settleMs, over.signal).catch(() => undefined)]);
    over.abort();
  };
  const stopped = new Promise<void>((resolve) => {
    stop.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  return { completion, counters, confirmer, failure, fail, report, launch, settle, stop, stopped };
}

type Pass = ReturnType<typeof createPass>;

async function passData(
  pass: Pass,
  params: RunBlocksParams,
  run: DataRun,
  buffer: Buffer,
  complete: (digest: Buffer | null) => void,
) {
  const dataBytes = dataBytesOf(run, params.unitBytes);
  const block = await readBlock(params, run, buffer);
  const units = nonZeroUnits(run, block, params.unitBytes);
  const digest = units === 0 ? null : blockDigest(block);
  let moved = 0;
  if (run.offsetBytes + run.lengthBytes > params.resumeFromBytes) {
    await writeBlock(params, run, buffer, units);
    moved = dataBytesOf({ ...run, units }, params.unitBytes);
  }
  pass.counters.done += dataBytes;
  pass.counters.copied += moved;
  pass.counters.skipped += run.lengthBytes - moved;
  complete(digest);
  pass.report();
}

async function writeZerosAfter(params: RunBlocksParams, from: number, to: number): Promise<void> {
  const start = Math.max(from, params.resumeFromBytes);
  if (to > start) await params.sink.writeZeros(start, to - start);
}

async function passZeros(
  pass: Pass,
  params: RunBlocksParams,
  run: PlannedRun,
  complete: (digest: null) => void,
) {
  const { alignmentBytes } = params.sink;
  const end = run.offsetBytes + run.lengthBytes;
  const aligned = Math.min(Math.ceil(end / alignmentBytes) * alignmentBytes, params.targetSizeBytes);
  await writeZerosAfter(params, run.offsetBytes, aligned);
  pass.counters.skipped += run.lengthBytes;
  complete(null);
  pass.report();
}

async function produce(pass: Pass, params: RunBlocksParams): Promise<void> {
  const pool = createBufferPool(poolBuffers, blockBytes);
  const throttle = createThrottle(params.bandwidthBytesPerSecond, params.clock);
  for await (const run of params.runs) {
    if (pass.stop.signal.aborted) return;
    if (run.kind === 'zeros') {
      pass.launch(passZeros(pass, params, run, pass.completion.start(run)));
      continue;
    }
    const resumed = run.offsetBytes + run.lengthBytes <= params.resumeFromBytes;
    if (!resumed) await throttle.take(dataBytesOf(run, params.unitBytes), pass.stop.signal);
    const buffer = await pool.acquire();
    if (pass.stop.signal.aborted) return;
    const work = passData(pass, params, run, buffer, pass.completion.start(run));
    pass.launch(work.finally(() => pool.release(buffer)));
  }
}

/**
 * Reads, digests and writes the planned blocks, 16 at a time, and confirms in order.
 *
 * @throws whatever reader, sink or callbacks threw first; OPERATION_CANCELLED
 */
export async function runBlocks(params: RunBlocksParams): Promise<CopyResult> {
  const pass = createPass(params);
  const onAbort = (): void =>
    pass.fail(new AppError({ code: 'OPERATION_CANCELLED', message: 'copy disk: cancelled' }));
  if (params.signal.aborted) onAbort();
  params.signal.addEventListener('abort', onAbort, { once: true });
  try {
    // A sink may hang in its own call: a failure ends the wait for the producer too.
    await Promise.race([produce(pass, params).catch(pass.fail), pass.stopped]);
    await pass.settle();
    if (pass.failure.failed) throw pass.failure.cause;
    const { alignmentBytes } = params.sink;
    const tail = Math.ceil(params.source.sizeBytes / alignmentBytes) * alignmentBytes;
    await writeZerosAfter(params, Math.min(tail, params.targetSizeBytes), params.targetSizeBytes);
    await pass.confirmer.finish(params.targetSizeBytes);
  } finally {
    params.signal.removeEventListener('abort', onAbort);
  }
  const { copied, skipped } = pass.counters;
  return { bytesCopied: copied, bytesSkipped: skipped, sha256: pass.completion.digest() };
}
