import { constants } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { changeFile } from '../fileErrors.ts';
import { createAllocator, type Allocator } from './allocator.ts';
import { clusterBytes, l1EntriesOf, l2Entries, readL1Entry, readL2Entry, roundToClusters } from './layout.ts';
import {
  encodeOwnHeader,
  firstFreeOffset,
  firstRefcountTableOffset,
  headerBytes,
  isOwnHeader,
  l1Offset,
  type OwnHeader,
  type Qcow2Compression,
} from './ownHeader.ts';
import { placeRefcounts, writeRefcounts } from './refcounts.ts';
import { createTableFile, type TableFile } from './tableFile.ts';
import { createTables, type Tables } from './tables.ts';

// 2 MiB: the tables of 16 GiB of disk.
const maxTables = 32;

/** Which image to write. */
export interface ImageWriterParams {
  readonly partialPath: string;
  readonly sizeBytes: number;
  readonly compression: Qcow2Compression;
  /** Keep what an earlier writer of this kind left. */
  readonly resume: boolean;
}

/** An image that is being written: file, tables and free space. */
export interface ImageWriter {
  readonly file: TableFile;
  readonly tables: Tables;
  readonly allocator: Allocator;
  /** It holds what an earlier attempt wrote. */
  readonly kept: boolean;
  /** Writes the reference counts and marks the image clean and durable; closes it. */
  finish(): Promise<void>;
}

interface Content {
  readonly l1: Buffer;
  /** Everything named lies before this cluster boundary. */
  readonly endOffset: number;
}

function dirtyHeader(params: ImageWriterParams): OwnHeader {
  return {
    sizeBytes: params.sizeBytes,
    compression: params.compression,
    refcountTableOffset: firstRefcountTableOffset,
    refcountTableClusters: 1,
    dirty: true,
  };
}

/** Where the last cluster that a table names ends; null when it names something that is not in the file or not ours. */
function endOfTable(table: Buffer, headBytes: number, fileBytes: number, compressed: boolean): number | null {
  let end = 0;
  for (let index = 0; index < l2Entries; index += 1) {
    const entry = readL2Entry(table, index);
    if (entry.kind === 'none') continue;
    if (entry.kind === 'foreign' || (entry.kind === 'compressed' && !compressed)) return null;
    if (entry.offset < headBytes || entry.offset >= fileBytes) return null;
    end = Math.max(end, entry.offset + (entry.kind === 'compressed' ? entry.lengthBytes : clusterBytes));
  }
  return end;
}

/** Reads back what an earlier writer left; null when that cannot be gone on with. */
async function readContent(file: TableFile, params: ImageWriterParams): Promise<Content | null> {
  const { sizeBytes, compression } = params;
  const headBytes = firstFreeOffset(sizeBytes);
  const fileBytes = await file.size();
  if (fileBytes < headBytes) return null;
  if (!isOwnHeader(await file.read(0, headerBytes), sizeBytes, compression)) return null;
  const l1 = await file.read(l1Offset, l1EntriesOf(sizeBytes) * 8);
  let end = headBytes;
  for (let index = 0; index * 8 < l1.length; index += 1) {
    const offset = readL1Entry(l1, index);
    if (offset === 0) continue;
    if (offset === null || offset < headBytes || offset + clusterBytes > fileBytes) return null;
    const table = await file.read(offset, clusterBytes);
    const tableEnd = endOfTable(table, headBytes, fileBytes, compression === 'zstd');
    if (tableEnd === null) return null;
    end = Math.max(end, offset + clusterBytes, tableEnd);
  }
  return { l1, endOffset: roundToClusters(end) };
}

async function openKept(params: ImageWriterParams): Promise<{ file: TableFile; content: Content } | null> {
  const { partialPath } = params;
  // Danger: a pipe of that name would block without the flag.
  const flags = constants.O_RDWR | constants.O_NONBLOCK | constants.O_NOFOLLOW;
  const handle = await open(partialPath, flags).catch(() => null);
  if (handle === null) return null;
  const file = createTableFile(handle, partialPath);
  try {
    const content = (await handle.stat()).isFile() ? await readContent(file, params) : null;
    if (content !== null) {
      // What no table names was written after the last flush: new clusters must be holes. The mark comes first, in case the image was
      // finished but not yet renamed.
      await file.write(0, [encodeOwnHeader(dirtyHeader(params))]);
      await file.sync();
      await file.truncate(content.endOffset);
      return { file, content };
    }
  } catch (cause) {
    await file.close();
    throw cause;
  }
  await file.close();
  return null;
}

async function createNew(params: ImageWriterParams): Promise<{ file: TableFile; content: Content }> {
  const { partialPath, sizeBytes } = params;
  const l1 = Buffer.alloc(l1EntriesOf(sizeBytes) * 8);
  const endOffset = firstFreeOffset(sizeBytes);
  const handle = await changeFile('make', partialPath, async () => {
    // Never the old file again: somebody may still have it open.
    await rm(partialPath, { force: true });
    return await open(partialPath, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
  });
  const file = createTableFile(handle, partialPath);
  try {
    await file.truncate(endOffset);
    await file.write(0, [encodeOwnHeader(dirtyHeader(params))]);
    return { file, content: { l1, endOffset } };
  } catch (cause) {
    await file.close();
    throw cause;
  }
}

async function finishImage(
  params: ImageWriterParams,
  parts: Pick<ImageWriter, 'file' | 'tables' | 'allocator'>,
): Promise<void> {
  const { file, tables, allocator } = parts;
  allocator.trim();
  await tables.flush();
  const place = placeRefcounts(allocator.trim());
  await file.truncate(place.endOffset);
  const headBytes = firstFreeOffset(params.sizeBytes);
  await writeRefcounts({ file, headBytes, place, l2Offsets: () => tables.offsets() });
  await file.sync();
  const header = encodeOwnHeader({
    ...dirtyHeader(params),
    refcountTableOffset: place.tableOffset,
    refcountTableClusters: place.tableClusters,
    dirty: false,
  });
  await file.write(0, [header]);
  await file.sync();
  await file.close();
}

/**
 * Opens a QCOW2 image to write (version 3, clusters of 64 KiB, nothing below it). While it is written its dirty bit is set: its
 * reference counts are made at the end. What it holds can be read by QEMU at any time after a flush.
 *
 * @throws {AppError} DISK_FORMAT_LIMIT, DISK_SPACE_EXHAUSTED, DISK_IO_FAILED
 */
export async function openImageWriter(params: ImageWriterParams): Promise<ImageWriter> {
  const old = params.resume ? await openKept(params) : null;
  const { file, content } = old ?? (await createNew(params));
  const allocator = createAllocator(content.endOffset);
  const tables = createTables({
    file,
    l1: content.l1,
    allocateCluster: () => allocator.clusters(1),
    maxTables,
  });
  const parts = { file, tables, allocator };
  return { ...parts, kept: old !== null, finish: () => finishImage(params, parts) };
}
