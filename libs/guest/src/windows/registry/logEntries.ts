import { marvin32 } from './marvin32.ts';

/** Seed of the checksums in log entries (regf specification of M. Suhanov, read 2026-11). */
export const logSeed = 14219357686671994754n;

/** Logs hold at most what fits into memory once; Windows keeps them far smaller. */
const maxPages = 65_536;
/** A hive of Windows never gets larger than 2 GiB. */
const maxBinsBytes = 0x7fffe000;
const sectorBytes = 512;

/** Some bytes that belong at `offset` of the bins. */
export interface DirtyPage {
  readonly offset: number;
  readonly data: Buffer;
}

/** One transaction: pages that are written together. */
export interface LogEntry {
  readonly sequence: number;
  /** Size of the bins after it. */
  readonly binsBytes: number;
  readonly pages: readonly DirtyPage[];
}

function readPages(entry: Buffer, count: number, binsBytes: number): readonly DirtyPage[] | null {
  const pages: DirtyPage[] = [];
  let at = 40 + count * 8;
  for (let index = 0; index < count; index += 1) {
    const offset = entry.readUInt32LE(40 + index * 8);
    const size = entry.readUInt32LE(44 + index * 8);
    if (at + size > entry.length || offset + size > binsBytes) return null;
    pages.push({ offset, data: entry.subarray(at, at + size) });
    at += size;
  }
  return pages;
}

function readEntry(log: Buffer, at: number): { readonly entry: LogEntry; readonly size: number } | null {
  if (at + 40 > log.length || log.toString('latin1', at, at + 4) !== 'HvLE') return null;
  const size = log.readUInt32LE(at + 4);
  if (size < sectorBytes || size % sectorBytes !== 0 || at + size > log.length) return null;
  const bytes = log.subarray(at, at + size);
  const count = bytes.readUInt32LE(20);
  const binsBytes = bytes.readUInt32LE(16);
  if (count > maxPages || 40 + count * 8 > size) return null;
  if (binsBytes === 0 || binsBytes % 4096 !== 0 || binsBytes > maxBinsBytes) return null;
  if (marvin32(bytes.subarray(40), logSeed) !== bytes.readBigUInt64LE(24)) return null;
  if (marvin32(bytes.subarray(0, 32), logSeed) !== bytes.readBigUInt64LE(32)) return null;
  const pages = readPages(bytes, count, binsBytes);
  return pages === null ? null : { entry: { sequence: bytes.readUInt32LE(12), binsBytes, pages }, size };
}

/** The entries of a transaction log of Windows 8.1 and later, up to the first that is not whole. Never throws. */
export function readLogEntries(log: Buffer): readonly LogEntry[] {
  const entries: LogEntry[] = [];
  let at = sectorBytes;
  for (let found = readEntry(log, at); found !== null; found = readEntry(log, at)) {
    entries.push(found.entry);
    at += found.size;
  }
  return entries;
}

/** The dirty pages of a transaction log before Windows 8.1; null when the log is not whole. Never throws. */
export function readDirtyVector(log: Buffer, binsBytes: number): readonly DirtyPage[] | null {
  const bitmapBytes = Math.ceil(binsBytes / sectorBytes / 8);
  const bitmapAt = sectorBytes + 4;
  if (bitmapAt + bitmapBytes > log.length || log.toString('latin1', sectorBytes, bitmapAt) !== 'DIRT')
    return null;
  const pages: DirtyPage[] = [];
  let at = Math.ceil((bitmapAt + bitmapBytes) / sectorBytes) * sectorBytes;
  for (let bit = 0; bit < binsBytes / sectorBytes; bit += 1) {
    if ((log.readUInt8(bitmapAt + Math.floor(bit / 8)) & (1 << (bit % 8))) === 0) continue;
    if (at + sectorBytes > log.length) return null;
    pages.push({ offset: bit * sectorBytes, data: log.subarray(at, at + sectorBytes) });
    at += sectorBytes;
  }
  return pages;
}
