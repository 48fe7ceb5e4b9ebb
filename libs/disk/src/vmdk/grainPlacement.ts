import { grainBytes, sectorBytes, tableEntries } from './sparseExtent.ts';

/** A part of a write (offset from the start of its data) that is one range of the file. */
export interface FileRun {
  readonly dataOffset: number;
  readonly fileOffset: number;
  length: number;
}

/** A range of the disk below one grain table. */
export interface TableRange {
  readonly tableIndex: number;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

const coverBytes = tableEntries * grainBytes;

/** Splits a range of the disk where another grain table begins. */
export function* rangesByTable(offsetBytes: number, lengthBytes: number): Generator<TableRange> {
  const end = offsetBytes + lengthBytes;
  for (let at = offsetBytes; at < end;) {
    const tableIndex = Math.floor(at / coverBytes);
    const stop = Math.min((tableIndex + 1) * coverBytes, end);
    yield { tableIndex, offsetBytes: at, lengthBytes: stop - at };
    at = stop;
  }
}

/** The numbers of the grains that a range touches. */
export function* grainsOf({ offsetBytes, lengthBytes }: TableRange): Generator<number> {
  const last = Math.floor((offsetBytes + lengthBytes - 1) / grainBytes);
  for (let grain = Math.floor(offsetBytes / grainBytes); grain <= last; grain += 1) yield grain;
}

/**
 * Where the bytes of a range go in the file: neighbours in the file are one run. `sectorOf` tells the place of a grain; null leaves
 * its part out.
 */
export function fileRuns(range: TableRange, sectorOf: (grain: number) => number | null): FileRun[] {
  const runs: FileRun[] = [];
  const end = range.offsetBytes + range.lengthBytes;
  for (const grain of grainsOf(range)) {
    const sector = sectorOf(grain);
    if (sector === null) continue;
    const from = Math.max(grain * grainBytes, range.offsetBytes);
    const length = Math.min((grain + 1) * grainBytes, end) - from;
    const dataOffset = from - range.offsetBytes;
    const fileOffset = sector * sectorBytes + (from - grain * grainBytes);
    const last = runs.at(-1);
    const follows =
      last !== undefined &&
      last.fileOffset + last.length === fileOffset &&
      last.dataOffset + last.length === dataOffset;
    if (follows) last.length += length;
    else runs.push({ dataOffset, fileOffset, length });
  }
  return runs;
}
