import type { Extent } from '../extent.ts';

/** Size of a copy block and of a digest block. */
export const blockBytes = 1024 * 1024;

// Zeros of this length are digested in one turn of the event loop: a tenth of a second.
const maxZeroBlocks = 1024 * 1024;

/** One piece of work, in disk order: a run of blocks that read as zeros, or one block with data in some of its units. */
export type PlannedRun =
  | { readonly kind: 'zeros'; readonly offsetBytes: number; readonly lengthBytes: number }
  | {
      readonly kind: 'data';
      readonly offsetBytes: number;
      readonly lengthBytes: number;
      /** Bit n set: unit n of the block holds data. */
      readonly units: number;
    };

/** Bytes of one unit of a block, short at the end of the disk. */
export function unitLength(run: { readonly lengthBytes: number }, unit: number, unitBytes: number): number {
  return Math.max(0, Math.min(unitBytes, run.lengthBytes - unit * unitBytes));
}

/** Bytes of all units whose bit is set. */
export function dataBytesOf(run: PlannedRun, unitBytes: number): number {
  if (run.kind === 'zeros') return 0;
  let sum = 0;
  for (let unit = 0; unit * unitBytes < run.lengthBytes; unit += 1) {
    if ((run.units & (1 << unit)) !== 0) sum += unitLength(run, unit, unitBytes);
  }
  return sum;
}

/**
 * Turns extents in disk order into blocks of 1 MiB with a bit per unit, and the runs of zeros between them. Lazy: asks for the
 * next extent only when the blocks of the last one are consumed. Covers the disk without gap or overlap.
 */
export async function* planBlocks(
  extents: AsyncIterable<Extent>,
  sizeBytes: number,
  unitBytes: number,
): AsyncGenerator<PlannedRun> {
  const lengthOf = (block: number): number => Math.min(blockBytes, sizeBytes - block * blockBytes);
  let next = 0;
  let current = -1;
  let units = 0;
  function* emit(block: number): Generator<PlannedRun> {
    for (; block > next; next = Math.min(block, next + maxZeroBlocks)) {
      const offsetBytes = next * blockBytes;
      const end = Math.min(block, next + maxZeroBlocks) * blockBytes;
      yield { kind: 'zeros', offsetBytes, lengthBytes: Math.min(end, sizeBytes) - offsetBytes };
    }
    if (units !== 0) {
      yield { kind: 'data', offsetBytes: block * blockBytes, lengthBytes: lengthOf(block), units };
    }
    next = block + (units === 0 ? 0 : 1);
    units = 0;
  }
  for await (const extent of extents) {
    if (extent.kind !== 'data') continue;
    const end = extent.offsetBytes + extent.lengthBytes;
    for (let block = Math.floor(extent.offsetBytes / blockBytes); block * blockBytes < end; block += 1) {
      if (block !== current) {
        if (units !== 0) yield* emit(current);
        current = block;
      }
      const from = Math.max(0, Math.floor((extent.offsetBytes - block * blockBytes) / unitBytes));
      const to = Math.ceil((Math.min(end, (block + 1) * blockBytes) - block * blockBytes) / unitBytes);
      for (let unit = from; unit < to; unit += 1) units |= 1 << unit;
    }
  }
  if (units !== 0) yield* emit(current);
  yield* emit(Math.ceil(sizeBytes / blockBytes));
}
