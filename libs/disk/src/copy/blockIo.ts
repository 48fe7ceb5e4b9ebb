import type { DiskSink } from '../sink.ts';
import type { DiskSource } from '../source/diskSource.ts';
import { settleAll } from '../settleAll.ts';
import { blockBytes, unitLength, type PlannedRun } from './blockPlan.ts';
import type { StallDetector } from './stallDetector.ts';

const zeroBlock = Buffer.alloc(blockBytes);

/** A block with data in it. */
export type DataRun = Extract<PlannedRun, { kind: 'data' }>;

/** Both ends of a copy. */
export interface CopyEnds {
  readonly source: Pick<DiskSource, 'readInto' | 'sizeBytes'>;
  readonly sink: DiskSink;
  readonly targetSizeBytes: number;
  readonly unitBytes: number;
  readonly stall: StallDetector;
}

interface Span {
  readonly offset: number;
  readonly length: number;
  readonly isData: boolean;
}

/** The block up to `endBytes` as spans of neighbouring units that have their bit set, or have not, in order. */
function spansOf(units: number, unitBytes: number, endBytes: number): Span[] {
  const spans: { offset: number; length: number; isData: boolean }[] = [];
  for (let unit = 0; unit * unitBytes < endBytes; unit += 1) {
    const isData = (units & (1 << unit)) !== 0;
    const offset = unit * unitBytes;
    const length = Math.min(unitBytes, endBytes - offset);
    const last = spans.at(-1);
    if (last !== undefined && last.isData === isData) last.length += length;
    else spans.push({ offset, length, isData });
  }
  return spans;
}

/**
 * Reads the units of a block that hold data into `buffer`. What lies between them is zeroed only when `filled`: who looks at units
 * alone does not see it. Returns the block's part of the buffer.
 */
export async function readBlock(
  ends: CopyEnds,
  run: DataRun,
  buffer: Buffer,
  filled: boolean,
): Promise<Buffer> {
  const block = run.lengthBytes === buffer.length ? buffer : buffer.subarray(0, run.lengthBytes);
  const reads: Promise<void>[] = [];
  for (const { offset, length, isData } of spansOf(run.units, ends.unitBytes, run.lengthBytes)) {
    const part = length === block.length ? block : block.subarray(offset, offset + length);
    if (isData) reads.push(ends.source.readInto(run.offsetBytes + offset, part));
    else if (filled) part.fill(0);
  }
  await ends.stall.during('read', settleAll(reads));
  return block;
}

function isZero(block: Buffer, from: number, to: number): boolean {
  // Nearly all data is told by three bytes.
  if (block[from] !== 0 || block[to - 1] !== 0 || block[(from + to) >> 1] !== 0) return false;
  return block.compare(zeroBlock, 0, to - from, from, to) === 0;
}

/** The bits of the units that hold something else than zeros. */
export function nonZeroUnits(run: DataRun, block: Buffer, unitBytes: number): number {
  let units = run.units;
  for (let unit = 0; unit * unitBytes < run.lengthBytes; unit += 1) {
    if ((units & (1 << unit)) === 0) continue;
    const from = unit * unitBytes;
    if (isZero(block, from, from + unitLength(run, unit, unitBytes))) units &= ~(1 << unit);
  }
  return units;
}

/**
 * Writes a block: its units with data, and zeros for the others. To an ordered sink all calls are made in order of offsets before this
 * function returns; the promise settles when all of them have.
 */
export async function writeBlock(ends: CopyEnds, run: DataRun, buffer: Buffer, units: number): Promise<void> {
  const { sink, stall } = ends;
  const room = ends.targetSizeBytes - run.offsetBytes;
  const endBytes = Math.min(Math.ceil(run.lengthBytes / sink.alignmentBytes) * sink.alignmentBytes, room);
  if (endBytes > run.lengthBytes) buffer.fill(0, run.lengthBytes, endBytes);
  const spans = spansOf(units, ends.unitBytes, endBytes);
  const call = async ({ offset, length, isData }: Span): Promise<void> => {
    const at = run.offsetBytes + offset;
    const work = isData
      ? sink.write(at, buffer.subarray(offset, offset + length))
      : sink.writeZeros(at, length);
    await stall.during('write', work);
  };
  if (sink.ordered || spans.length === 1) {
    await settleAll(spans.map(call));
    return;
  }
  // Zeros first: a sink that notes what was written finds this block still fresh then.
  await settleAll(spans.filter((span) => !span.isData).map(call));
  await settleAll(spans.filter((span) => span.isData).map(call));
}

// An ordered sink may have to send its zeros: in pieces, the copy is seen to move, and not too many wait at once.
const zeroPieceBytes = 64 * blockBytes;
const zeroPiecesAtOnce = 16;

/** Makes a range of the target read as zeros. `called` is called once all calls to the sink have been made. */
export async function writeZeros(
  ends: CopyEnds,
  fromBytes: number,
  toBytes: number,
  called: () => void = () => undefined,
): Promise<void> {
  const { sink, stall } = ends;
  const pieceBytes = sink.ordered ? zeroPieceBytes : Math.max(1, toBytes - fromBytes);
  const pieces: Promise<void>[] = [];
  for (let at = fromBytes; at < toBytes; at += pieceBytes) {
    if (pieces.length >= zeroPiecesAtOnce) await pieces.shift();
    const piece = stall.during('write', sink.writeZeros(at, Math.min(pieceBytes, toBytes - at)));
    // Its failure is told when it is awaited.
    piece.catch(() => undefined);
    pieces.push(piece);
  }
  called();
  await settleAll(pieces);
}
