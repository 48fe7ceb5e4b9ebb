import { createHash, hash } from 'node:crypto';
import { blockBytes, type PlannedRun } from './blockPlan.ts';

// Digests of zero blocks are fed in batches, so that a hole of 1 TiB costs milliseconds.
const batchBlocks = 1024;
const digestBytes = 32;
const zeroDigest = hash('sha256', Buffer.alloc(blockBytes), 'buffer');
const zeroBatch = Buffer.concat(Array.from({ length: batchBlocks }, () => zeroDigest));

/** SHA-256 of one block. */
export function blockDigest(block: Uint8Array): Buffer {
  return hash('sha256', block, 'buffer');
}

interface Entry {
  readonly run: PlannedRun;
  /** null: zeros, or not hashed. */
  digest: Buffer | null;
  done: boolean;
}

/** Work in flight in disk order: what completes out of order is digested and confirmed in order. */
export interface Completion {
  /** Everything below this offset is complete. */
  readonly position: number;
  /** Takes up a run; the function returned reports its completion, `digest` null for zeros and without hashing. */
  start(run: PlannedRun): (digest: Buffer | null) => void;
  /**
   * The disk digest (hex): SHA-256 over the SHA-256 of each 1 MiB block, the last one short; null without hashing. Only once, when
   * all is complete.
   */
  digest(): string | null;
}

/** Takes the SHA-256 of blocks in disk order, by number of the block; a block that is not named is zeros. */
export type BlockDigestListener = (index: number, digest: Uint8Array) => void;

/** An empty queue at offset 0. Memory grows with the runs in flight only. */
export function createCompletion(
  params: { readonly hashing?: boolean; readonly onBlockDigest?: BlockDigestListener | undefined } = {},
): Completion {
  const entries: Entry[] = [];
  const outer = params.hashing === false ? null : createHash('sha256');
  let position = 0;
  const digestZeros = (lengthBytes: number): void => {
    let blocks = Math.floor(lengthBytes / blockBytes);
    for (; blocks > 0; blocks -= batchBlocks) {
      outer?.update(zeroBatch.subarray(0, Math.min(blocks, batchBlocks) * digestBytes));
    }
    const rest = lengthBytes % blockBytes;
    if (rest > 0) outer?.update(blockDigest(Buffer.alloc(rest)));
  };
  const drain = (): void => {
    for (let first = entries[0]; first?.done === true; first = entries[0]) {
      if (first.digest === null) {
        if (outer !== null) digestZeros(first.run.lengthBytes);
      } else {
        outer?.update(first.digest);
        params.onBlockDigest?.(first.run.offsetBytes / blockBytes, first.digest);
      }
      position = first.run.offsetBytes + first.run.lengthBytes;
      entries.shift();
    }
  };
  return {
    get position() {
      return position;
    },
    start: (run) => {
      const entry: Entry = { run, digest: null, done: false };
      entries.push(entry);
      return (digest) => {
        entry.digest = digest;
        entry.done = true;
        drain();
      };
    },
    digest: () => outer?.digest('hex') ?? null,
  };
}
