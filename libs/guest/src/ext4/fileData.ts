import { AppError } from '@ascend/errors';
import type { ByteSource } from '../byteSource.ts';
import { readBlockMap } from './blockMap.ts';
import type { Inode } from './inode.ts';
import type { Superblock } from './superblock.ts';

const pieceBytes = 1024 * 1024;

function refuseUnreadable(inode: Inode): void {
  if (!inode.encrypted) return;
  throw new AppError({
    code: 'GUEST_FILE_SYSTEM_UNSUPPORTED',
    message: `read inode ${inode.number}: encrypted`,
  });
}

/** One run of a file as pieces: `bytes` from the disk, or zeros when `physical` is null. */
async function* readRun(
  source: ByteSource,
  offsetBytes: number | null,
  length: number,
): AsyncGenerator<Buffer> {
  for (let done = 0; done < length; done += pieceBytes) {
    const size = Math.min(pieceBytes, length - done);
    yield offsetBytes === null ? Buffer.alloc(size) : await source.read(offsetBytes + done, size);
  }
}

/**
 * The contents of a file or directory in pieces of at most 1 MiB; holes and unwritten extents as zeros.
 *
 * @throws {AppError} GUEST_FILE_SYSTEM_CORRUPT - the block map leads outside
 * @throws {AppError} GUEST_FILE_SYSTEM_UNSUPPORTED - encrypted
 */
export async function* streamInode(source: ByteSource, fs: Superblock, inode: Inode): AsyncGenerator<Buffer> {
  refuseUnreadable(inode);
  let position = 0;
  for (const run of await readBlockMap(source, fs, inode)) {
    const start = run.logical * fs.blockBytes;
    if (start >= inode.sizeBytes) break;
    if (start < position) {
      throw new AppError({
        code: 'GUEST_FILE_SYSTEM_CORRUPT',
        message: `read inode ${inode.number}: extents overlap at byte ${start}`,
      });
    }
    yield* readRun(source, null, start - position);
    const length = Math.min(run.count * fs.blockBytes, inode.sizeBytes - start);
    yield* readRun(source, run.physical === null ? null : run.physical * fs.blockBytes, length);
    position = start + length;
  }
  yield* readRun(source, null, inode.sizeBytes - position);
}

/**
 * The whole contents in one buffer.
 *
 * @throws {AppError} GUEST_FILE_TOO_LARGE - more than `maxBytes`
 */
export async function readWhole(params: {
  readonly source: ByteSource;
  readonly fs: Superblock;
  readonly inode: Inode;
  readonly maxBytes: number;
  readonly label: string;
}): Promise<Buffer> {
  const { source, fs, inode, maxBytes, label } = params;
  if (inode.sizeBytes > maxBytes) {
    throw new AppError({
      code: 'GUEST_FILE_TOO_LARGE',
      message: `read ${label}: ${inode.sizeBytes} bytes, at most ${maxBytes} are read`,
      details: { sizeBytes: inode.sizeBytes, maxBytes },
    });
  }
  const pieces: Buffer[] = [];
  for await (const piece of streamInode(source, fs, inode)) pieces.push(piece);
  return Buffer.concat(pieces);
}
