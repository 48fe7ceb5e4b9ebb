import { AppError } from '@ascend/errors';
import type { CopyResult } from '../sink.ts';
import { nonZeroUnits, readBlock, writeBlock, writeZeros, type DataRun } from './blockIo.ts';
import { dataBytesOf, type PlannedRun } from './blockPlan.ts';
import { blockDigest } from './completion.ts';
import { createPass, type Pass, type RunBlocksParams } from './pass.ts';
import type { Turn } from './turns.ts';

type Complete = (digest: Buffer | null) => void;

async function passData(
  pass: Pass,
  params: RunBlocksParams,
  run: DataRun,
  buffer: Buffer,
  turn: Turn,
  complete: Complete,
): Promise<void> {
  await pass.pools.reads.acquire();
  const block = await readBlock(params, run, buffer, params.hashing).finally(() =>
    pass.pools.reads.release(),
  );
  const units = nonZeroUnits(run, block, params.unitBytes);
  const digest = units === 0 || !params.hashing ? null : blockDigest(block);
  let moved = 0;
  if (run.offsetBytes + run.lengthBytes > params.resumeFromBytes) {
    await turn.come;
    if (pass.failure.signal.aborted) return;
    const writing = writeBlock(params, run, buffer, units);
    turn.pass();
    await writing;
    moved = dataBytesOf({ ...run, units }, params.unitBytes);
  }
  pass.counters.copied += moved;
  pass.counters.skipped += run.lengthBytes - moved;
  pass.counters.done += dataBytesOf(run, params.unitBytes);
  complete(digest);
  pass.report();
}

/** Makes the range read as zeros, as far as an earlier attempt has not confirmed it. */
async function writeZerosAfter(
  params: RunBlocksParams,
  fromBytes: number,
  toBytes: number,
  called?: () => void,
): Promise<void> {
  await writeZeros(params, Math.max(fromBytes, params.resumeFromBytes), toBytes, called);
}

async function passZeros(
  pass: Pass,
  params: RunBlocksParams,
  run: PlannedRun,
  turn: Turn,
  complete: Complete,
): Promise<void> {
  const { alignmentBytes } = params.sink;
  const end = run.offsetBytes + run.lengthBytes;
  const aligned = Math.min(Math.ceil(end / alignmentBytes) * alignmentBytes, params.targetSizeBytes);
  try {
    await turn.come;
    if (pass.failure.signal.aborted) return;
    await writeZerosAfter(params, run.offsetBytes, aligned, () => turn.pass());
    pass.counters.skipped += run.lengthBytes;
    complete(null);
    pass.report();
  } finally {
    pass.pools.zeroRuns.release();
  }
}

/** A block that an earlier attempt confirmed and of which nobody wants the digest: it is not even read. */
function passKept(pass: Pass, params: RunBlocksParams, run: DataRun): void {
  pass.counters.skipped += run.lengthBytes;
  pass.counters.done += dataBytesOf(run, params.unitBytes);
  pass.completion.start(run)(null);
  pass.report();
}

async function produce(pass: Pass, params: RunBlocksParams): Promise<void> {
  const isStopped = (): boolean => pass.failure.signal.aborted;
  for await (const run of params.runs) {
    if (isStopped()) return;
    if (run.kind === 'zeros') {
      await pass.pools.zeroRuns.acquire();
      if (isStopped()) return;
      const [turn, complete] = [pass.turns.next(), pass.completion.start(run)];
      pass.launch(turn, () => passZeros(pass, params, run, turn, complete));
      continue;
    }
    const isConfirmed = run.offsetBytes + run.lengthBytes <= params.resumeFromBytes;
    if (isConfirmed && !params.hashing) {
      passKept(pass, params, run);
      continue;
    }
    if (!isConfirmed) {
      const bytes = dataBytesOf(run, params.unitBytes);
      await params.stall.held(params.throttle.take(bytes, pass.failure.signal));
    }
    const buffer = await pass.pools.buffers.acquire();
    if (isStopped()) return;
    const [turn, complete] = [pass.turns.next(), pass.completion.start(run)];
    pass.launch(turn, async () => {
      await passData(pass, params, run, buffer, turn, complete);
      pass.pools.buffers.release(buffer);
    });
  }
}

/** What lies behind the source's end reads as zeros; then all is flushed and confirmed. */
async function finishPass(pass: Pass, params: RunBlocksParams): Promise<void> {
  const { alignmentBytes } = params.sink;
  const tail = Math.ceil(params.source.sizeBytes / alignmentBytes) * alignmentBytes;
  await writeZerosAfter(params, Math.min(tail, params.targetSizeBytes), params.targetSizeBytes);
  await pass.confirmer.finish(params.targetSizeBytes);
}

/**
 * Reads, digests and writes the planned blocks, as many at a time as the pool holds, and confirms in order. An ordered sink is called in
 * order of offsets while the reads run ahead.
 *
 * @throws whatever reader, sink or callbacks threw first; DISK_STALLED, OPERATION_CANCELLED
 */
export async function runBlocks(params: RunBlocksParams): Promise<CopyResult> {
  const pass = createPass(params);
  const { signal, stall } = params;
  const onAbort = (): void =>
    pass.failure.fail(new AppError({ code: 'OPERATION_CANCELLED', message: 'copy disk: cancelled' }));
  const onStall = (): void => pass.failure.fail(stall.signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  stall.signal.addEventListener('abort', onStall, { once: true });
  try {
    // A sink may hang in its own call: a failure ends the wait for the producer too.
    await Promise.race([produce(pass, params).catch(pass.failure.fail), pass.failure.stopped]);
    if (!pass.failure.state.failed) await Promise.race([pass.settle(), pass.failure.stopped]);
    if (!pass.failure.state.failed)
      await Promise.race([finishPass(pass, params).catch(pass.failure.fail), pass.failure.stopped]);
    if (pass.failure.state.failed) {
      await pass.settle();
      throw pass.failure.state.cause;
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    stall.signal.removeEventListener('abort', onStall);
  }
  const { copied, skipped } = pass.counters;
  return { bytesCopied: copied, bytesSkipped: skipped, sha256: pass.completion.digest() };
}
