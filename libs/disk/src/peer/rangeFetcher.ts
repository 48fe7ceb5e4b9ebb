import type { AppError } from '@ascend/errors';
import type { Clock } from '@ascend/runtime';
import { createBackoff } from './backoff.ts';
import { maxFrameBytes } from './frame.ts';
import { isCut } from './peerErrors.ts';
import type { PeerClient } from './peerClient.ts';
import { readAnswer, type Piece } from './readFrames.ts';

// One request asks for so much: enough to hide a round trip, little enough to share the links.
const batchBytes = 4 * 1024 * 1024;
const batchPieces = 128;

/** Cuts a read into pieces of one frame each. */
export function piecesOf(offsetBytes: number, target: Uint8Array): readonly Piece[] {
  const pieces: Piece[] = [];
  for (let at = 0; at < target.length; at += maxFrameBytes) {
    const part = target.subarray(at, at + maxFrameBytes);
    pieces.push({ offsetBytes: offsetBytes + at, lengthBytes: part.length, target: part });
  }
  return pieces;
}

/** Reads ranges of the lent disk, many at a time. */
export interface RangeFetcher {
  /** Fills the target. The buffer is out of use when the promise settles. @throws {AppError} as `PeerClient.request` */
  readInto(offsetBytes: number, target: Uint8Array): Promise<void>;
}

/** How ranges are read. */
export interface RangeFetcherParams {
  readonly client: PeerClient;
  /** Requests at a time. */
  readonly lanes: number;
  /** Let the lender compress what shrinks. */
  readonly compress: boolean;
  /** How long to go on trying after a cut, while nothing arrives. */
  readonly giveUpAfterMs: number;
  readonly clock: Clock;
}

interface Waiting extends Piece {
  readonly resolve: () => void;
  readonly reject: (error: AppError) => void;
}

function takeBatch(queue: Waiting[], freeLanes: number): readonly Waiting[] {
  const count = Math.min(batchPieces, Math.max(1, Math.ceil(queue.length / freeLanes)));
  let bytes = 0;
  let taken = 0;
  for (const piece of queue.slice(0, count)) {
    bytes += piece.lengthBytes;
    if (taken > 0 && bytes > batchBytes) break;
    taken += 1;
  }
  return queue.splice(0, taken);
}

/** Runs what is queued, `lanes` batches at a time; call the result whenever something was queued. */
function createLanes(
  queue: Waiting[],
  lanes: number,
  run: (batch: readonly Waiting[]) => Promise<void>,
): () => void {
  let active = 0;
  let isPlanned = false;
  const pump = (): void => {
    isPlanned = false;
    while (active < lanes && queue.length > 0) {
      const batch = takeBatch(queue, lanes - active);
      active += 1;
      void run(batch).finally(() => {
        active -= 1;
        pump();
      });
    }
  };
  return () => {
    // Reads that are asked for in one turn of the event loop go out together.
    if (isPlanned) return;
    isPlanned = true;
    setImmediate(pump);
  };
}

/**
 * Batches reads into requests of up to 4 MiB over several links. Pieces that a cut left open are asked for again with jitter, until
 * nothing has arrived for `giveUpAfterMs`.
 */
export function createRangeFetcher(params: RangeFetcherParams): RangeFetcher {
  const { client, lanes, clock } = params;
  const queue: Waiting[] = [];
  const backoff = createBackoff(clock);
  let failingSinceMs: number | null = null;
  const fetchBatch = async (batch: readonly Waiting[], open: Set<Waiting>): Promise<void> => {
    const ranges = batch.map(({ offsetBytes, lengthBytes }) => [offsetBytes, lengthBytes]);
    const response = await client.request('POST', '/data', { ranges, zstd: params.compress });
    await readAnswer(response, batch, (piece) => {
      open.delete(piece);
      failingSinceMs = null;
      backoff.reset();
      piece.resolve();
    });
  };
  const run = async (batch: readonly Waiting[]): Promise<void> => {
    const open = new Set(batch);
    try {
      await fetchBatch(batch, open);
    } catch (cause) {
      const error = client.toError(cause);
      failingSinceMs ??= clock.now();
      if (!isCut(error) || clock.now() - failingSinceMs >= params.giveUpAfterMs) {
        for (const piece of open) piece.reject(error);
        return;
      }
      queue.unshift(...open);
      await backoff.wait(client.signal).catch(() => undefined);
    }
  };
  const plan = createLanes(queue, lanes, run);
  return {
    readInto: async (offsetBytes, target) => {
      const reads = piecesOf(offsetBytes, target).map(
        (piece) =>
          new Promise<void>((resolve, reject) => queue.push({ ...piece, resolve: () => resolve(), reject })),
      );
      plan();
      const failed = (await Promise.allSettled(reads)).find((result) => result.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
    },
  };
}
