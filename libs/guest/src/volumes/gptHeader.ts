import { crc32 } from 'node:zlib';
import type { ByteSource } from '../byteSource.ts';

/** Bytes of the blocks that GPT counts in here; tables of other disks are read, never written. */
export const gptBlockBytes = 512;

/** One copy of a GUID partition table (UEFI 2.10 §5.3). */
export interface GptCopy {
  /** Block of this header. */
  readonly block: number;
  readonly otherBlock: number;
  readonly firstUsable: number;
  readonly lastUsable: number;
  readonly tableBlock: number;
  readonly count: number;
  readonly entryBytes: number;
  /** The header's block as it is. */
  readonly header: Buffer;
  readonly table: Buffer;
}

const signature = 'EFI PART';
const maxEntries = 1024;

/** CRC of a header with its own field taken as zero. */
export function headerCrc(header: Buffer): number {
  const copy = Buffer.from(header.subarray(0, header.readUInt32LE(12)));
  copy.writeUInt32LE(0, 16);
  return crc32(copy);
}

/** Reads one copy and proves its two checksums; null when it is not there or not whole. Bounded: everything in it is hostile. */
export async function readGptCopy(source: ByteSource, block: number): Promise<GptCopy | null> {
  if (block < 1 || (block + 1) * gptBlockBytes > source.sizeBytes) return null;
  const header = Buffer.from(await source.read(block * gptBlockBytes, gptBlockBytes));
  if (header.toString('latin1', 0, 8) !== signature) return null;
  const headerBytes = header.readUInt32LE(12);
  const [count, entryBytes] = [header.readUInt32LE(80), header.readUInt32LE(84)];
  if (headerBytes < 92 || headerBytes > gptBlockBytes || headerCrc(header) !== header.readUInt32LE(16))
    return null;
  if (count === 0 || count > maxEntries || entryBytes !== 128) return null;
  const tableBlock = Number(header.readBigUInt64LE(72));
  const tableBytes = count * entryBytes;
  if (tableBlock < 2 || tableBlock * gptBlockBytes + tableBytes > source.sizeBytes) return null;
  const table = Buffer.from(await source.read(tableBlock * gptBlockBytes, tableBytes));
  if (crc32(table) !== header.readUInt32LE(88)) return null;
  return {
    block,
    otherBlock: Number(header.readBigUInt64LE(32)),
    firstUsable: Number(header.readBigUInt64LE(40)),
    lastUsable: Number(header.readBigUInt64LE(48)),
    tableBlock,
    count,
    entryBytes,
    header,
    table,
  };
}
