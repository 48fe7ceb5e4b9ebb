import { open, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { runProcess } from '@ascend/runtime';
import { openFileSource } from '../byteSource.ts';
import { initramfsError, type ByteCursor } from './byteCursor.ts';
import { looksLikeCpio } from './cpio.ts';

/** Packings that a program of the host unpacks. */
export type ToolPacking = 'xz' | 'lzma' | 'bzip2' | 'lz4';

const suffixes: Readonly<Record<ToolPacking, string>> = { xz: 'xz', lzma: 'lzma', bzip2: 'bz2', lz4: 'lz4' };

/** Argument arrays: read `file.<suffix>`, write `file`, keep the input, replace the output. */
function toolCommand(packing: ToolPacking, packed: string, unpacked: string): readonly string[] {
  if (packing === 'xz') return ['xz', '--decompress', '--keep', '--force', '--memlimit=512MiB', packed];
  if (packing === 'lzma') return ['xz', '--format=lzma', '--decompress', '--keep', '--force', packed];
  if (packing === 'bzip2') return ['bzip2', '--decompress', '--keep', packed];
  return ['lz4', '-d', '-f', '-q', packed, unpacked];
}

const windowBytes = 4096;

/**
 * Finds where an uncompressed archive begins behind a packed one of unknown length: a member header at a multiple
 * of four (the kernel demands that), with nothing but hex digits in it.
 */
async function findAppendedArchive(path: string, startOffset: number): Promise<number | null> {
  const source = await openFileSource(path);
  try {
    for (let at = 0; at < source.sizeBytes; at += 1024 * 1024) {
      const piece = await source.read(at, Math.min(1024 * 1024 + windowBytes, source.sizeBytes - at));
      for (
        let hit = piece.indexOf('07070', 0, 'latin1');
        hit !== -1;
        hit = piece.indexOf('07070', hit + 1, 'latin1')
      ) {
        const aligned = (startOffset + at + hit) % 4 === 0;
        if (aligned && looksLikeCpio(piece.subarray(hit, hit + 110))) return at + hit;
      }
    }
    return null;
  } finally {
    await source.close();
  }
}

// Largest block of the legacy format: what 8 MiB that cannot be compressed take (LZ4_compressBound).
const maxLz4BlockBytes = 8_421_520;

/** The bytes of a legacy LZ4 stream, which has no end mark: blocks until a size that cannot be one. */
async function* lz4Bytes(cursor: ByteCursor): AsyncGenerator<Buffer> {
  yield await cursor.take(4);
  for (;;) {
    const head = await cursor.peek(4);
    const size = head.length < 4 ? 0 : head.readUInt32LE(0);
    if (size === 0 || size > maxLz4BlockBytes) return;
    yield await cursor.take(4 + size);
  }
}

async function* restBytes(cursor: ByteCursor): AsyncGenerator<Buffer> {
  for (let piece = await cursor.takeSome(); piece.length > 0; piece = await cursor.takeSome()) yield piece;
}

async function spill(bytes: AsyncIterable<Buffer>, path: string): Promise<void> {
  const file = await open(path, 'w', 0o600);
  try {
    for await (const piece of bytes) await file.writeFile(piece);
  } finally {
    await file.close();
  }
}

async function* streamFile(path: string, from: number): AsyncGenerator<Buffer> {
  const source = await openFileSource(path);
  try {
    for (let at = from; at < source.sizeBytes; at += 1024 * 1024) {
      yield await source.read(at, Math.min(1024 * 1024, source.sizeBytes - at));
    }
  } finally {
    await source.close();
  }
}

/** The unpacked bytes of the packed part, and what lies behind it. */
export interface ToolUnpacked {
  readonly unpacked: AsyncIterable<Buffer>;
  readonly rest: AsyncIterable<Buffer>;
}

/**
 * Unpacks the rest of the cursor with the host's program, file to file in `workDir`, under a limit of `maxBytes`.
 * Leaves its two scratch files in `workDir`, which the caller removes.
 *
 * @throws {AppError} GUEST_INITRAMFS_UNREADABLE - the program refuses the bytes or the limit was reached
 */
export async function unpackByTool(params: {
  readonly cursor: ByteCursor;
  readonly packing: ToolPacking;
  readonly workDir: string;
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}): Promise<ToolUnpacked> {
  const { cursor, packing, workDir, maxBytes, signal } = params;
  const unpacked = join(workDir, `initramfs-${cursor.position}`);
  const packed = `${unpacked}.${suffixes[packing]}`;
  const startOffset = cursor.position;
  await spill(packing === 'lz4' ? lz4Bytes(cursor) : restBytes(cursor), packed);
  const end = packing === 'lz4' ? null : await findAppendedArchive(packed, startOffset);
  const restPath = `${unpacked}.rest`;
  if (end !== null) {
    await spill(streamFile(packed, end), restPath);
    await truncate(packed, end);
  }
  const command = toolCommand(packing, packed, unpacked);
  try {
    await runProcess({ program: 'prlimit', args: [`--fsize=${maxBytes}`, '--', ...command], signal });
  } catch (cause) {
    if (signal.aborted) throw cause;
    await rm(unpacked, { force: true });
    throw initramfsError(`${packing} part: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
  // Of a legacy LZ4 stream the end is known: what follows is still in the cursor.
  const rest = end === null ? restBytes(cursor) : streamFile(restPath, 0);
  return { unpacked: streamFile(unpacked, 0), rest };
}
