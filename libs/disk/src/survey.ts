import { AppError } from '@ascend/errors';
import type { DiskSource } from './source/diskSource.ts';

/** What the map of a disk tells before a byte is read: enough to size buffers, choose a layout and estimate. */
export interface DiskSurvey {
  readonly sizeBytes: number;
  /** Bytes that must be read: data extents, rounded to the unit of the copy. */
  readonly dataBytes: number;
  /** How many aligned blocks hold data, by block size in MiB (1, 2, 4, 8, 16, 32). */
  readonly touchedBlocks: Readonly<Record<number, number>>;
}

const mib = 1024 * 1024;
const blockSizesMib = [1, 2, 4, 8, 16, 32] as const;

/** Counts aligned blocks that ranges in disk order touch; each block once, in constant time per range. */
function createBlockCounter(blockBytes: number) {
  let next = 0;
  let count = 0;
  return {
    touch: (from: number, to: number): void => {
      const first = Math.max(Math.floor(from / blockBytes), next);
      next = Math.max(next, Math.ceil(to / blockBytes));
      count += Math.max(0, next - first);
    },
    count: (): number => count,
  };
}

/**
 * Walks the map of a disk once. Lazy: one window of extents is in memory, whatever the disk's size; no data is read. `unitBytes` is the
 * smallest piece that the copy reads.
 *
 * @throws {AppError} DISK_RANGE_INVALID - a unit that does not divide 1 MiB; what the source throws
 */
export async function surveyDisk(
  source: Pick<DiskSource, 'sizeBytes' | 'extents'>,
  unitBytes: number,
): Promise<DiskSurvey> {
  if (!Number.isSafeInteger(unitBytes) || unitBytes < 512 || mib % unitBytes !== 0) {
    throw new AppError({
      code: 'DISK_RANGE_INVALID',
      message: `survey disk: a unit of ${unitBytes} bytes does not divide 1 MiB`,
      details: { unitBytes },
    });
  }
  const { sizeBytes } = source;
  const counters = blockSizesMib.map((sizeMib) => ({ sizeMib, blocks: createBlockCounter(sizeMib * mib) }));
  let dataBytes = 0;
  let counted = 0;
  for await (const extent of source.extents(0, sizeBytes)) {
    if (extent.kind !== 'data' || extent.lengthBytes === 0) continue;
    const end = extent.offsetBytes + extent.lengthBytes;
    const from = Math.max(counted, Math.floor(extent.offsetBytes / unitBytes) * unitBytes);
    counted = Math.max(counted, Math.min(Math.ceil(end / unitBytes) * unitBytes, sizeBytes));
    dataBytes += Math.max(0, counted - from);
    for (const { blocks } of counters) blocks.touch(extent.offsetBytes, end);
  }
  return {
    sizeBytes,
    dataBytes,
    touchedBlocks: Object.fromEntries(counters.map(({ sizeMib, blocks }) => [sizeMib, blocks.count()])),
  };
}
