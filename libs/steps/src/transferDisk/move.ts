import type { OpenedSink } from '@ascend/connector';
import {
  copyDisk,
  copyInWorker,
  createBandwidthLimiter,
  type BandwidthLimiter,
  type CopyResult,
  type DiskImage,
  type SinkModule,
} from '@ascend/disk';
import { stepDefinitions, type PlannedDisk } from '@ascend/domain';
import type { StepContext } from '../stepHandler.ts';
import type { TransferCheckpoint } from './checkpoint.ts';

/** One disk on its way. */
export interface Transfer {
  readonly context: StepContext;
  readonly image: DiskImage;
  readonly planned: PlannedDisk;
  readonly opened: OpenedSink;
  readonly key: string;
  readonly resumeFromBytes: number;
}

// Shorter than the allowance of the whole step: this detector can say which side hangs, so it shall be the first to speak.
const stallAfterMs = stepDefinitions['transfer-disk'].stallAfterMs * 0.9;

/** The caps that hold this stream: its own first, so that it does not queue for bytes that it may not move yet. */
function capsOf({ operation, streamBandwidth, bandwidth }: StepContext): readonly BandwidthLimiter[] {
  const own = streamBandwidth ?? createBandwidthLimiter(operation.plan.policy.bandwidthBytesPerSecond);
  return bandwidth === undefined ? [own] : [own, bandwidth];
}

/** What both ways of copying are given: limits, and where counters and resume points go. */
function commonParams(transfer: Transfer) {
  const { context, image, planned, key, resumeFromBytes } = transfer;
  const save = (confirmedBytes: number, copied: CopyResult | null): Promise<void> => {
    const checkpoint: TransferCheckpoint = { version: 1, contentKey: key, confirmedBytes, copied };
    return context.checkpoint(checkpoint);
  };
  let counters = { bytesDone: 0, bytesTotal: 0, bytesSkipped: 0 };
  let movedAtMs = context.clock.now();
  return {
    save,
    params: {
      image,
      targetSizeBytes: planned.targetSizeBytes,
      workDir: context.workDir,
      signal: context.signal,
      // Caps that may change are limiters of their own.
      bandwidthBytesPerSecond: null,
      resumeFromBytes,
      onProgress: ({ bytesDone, bytesTotal, bytesSkipped }: typeof counters) => {
        counters = { bytesDone, bytesTotal, bytesSkipped };
        movedAtMs = context.clock.now();
        context.report({ phase: 'copy', ...counters });
      },
      // The counters stand still then; another phase tells everybody who watches that the step lives.
      onHeld: () => {
        const seconds = Math.round((context.clock.now() - movedAtMs) / 1000);
        context.report({ phase: `copy, held by a bandwidth limit for ${seconds} s`, ...counters });
      },
      onConfirmed: (confirmedBytes: number) => save(confirmedBytes, null),
    },
  };
}

/** In a thread of its own, which opens the sink itself and closes it on every way out. */
async function moveInWorker(transfer: Transfer, module: SinkModule): Promise<CopyResult> {
  const { context, planned, opened } = transfer;
  const { params, save } = commonParams(transfer);
  await opened.sink.suspend();
  const { bytesCopied, bytesSkipped, sha256 } = await copyInWorker({
    ...params,
    sink: module,
    limiters: capsOf(context),
    tuning: { stallAfterMs },
    // Before the final name is given: an agent that ends in between finds a finished disk and this result.
    onCopied: (copied) => save(planned.targetSizeBytes, copied),
  });
  return { bytesCopied, bytesSkipped, sha256 };
}

async function moveHere(transfer: Transfer): Promise<CopyResult> {
  const { context, planned, opened } = transfer;
  const { sink } = opened;
  const { params, save } = commonParams(transfer);
  try {
    const copied = await copyDisk({
      ...params,
      sink,
      stallAfterMs,
      throttles: capsOf(context),
    });
    // Before the final name is given: an agent that ends in between finds a finished disk and this result.
    await save(planned.targetSizeBytes, copied);
    await sink.finish();
    return copied;
  } catch (error) {
    try {
      await (sink.resumable ? sink.suspend() : sink.abort());
    } catch (cause) {
      context.logger.warn('closing the sink of a failed transfer failed', { reason: String(cause) });
    }
    throw error;
  }
}

/** Moves the bytes and gives the disk its final name. On failure the sink keeps what it can, for a later attempt. */
export function move(transfer: Transfer): Promise<CopyResult> {
  const { module } = transfer.opened;
  return module === undefined ? moveHere(transfer) : moveInWorker(transfer, module);
}
