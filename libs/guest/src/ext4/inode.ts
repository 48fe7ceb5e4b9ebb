import { AppError } from '@ascend/errors';
import type { ByteSource } from '../byteSource.ts';
import type { GuestFileKind } from '../guestFiles.ts';
import type { Superblock } from './superblock.ts';

/** One inode, as far as reading needs it. */
export interface Inode {
  readonly number: number;
  readonly kind: GuestFileKind;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  readonly usesExtents: boolean;
  readonly encrypted: boolean;
  /** The 60 bytes of block pointers, extents or a short link target. */
  readonly blockArea: Buffer;
}

/** Number of the root directory's inode. */
export const rootInode = 2;

const kinds: Readonly<Record<number, GuestFileKind>> = { 0x8: 'file', 0x4: 'directory', 0xa: 'symlink' };

function descriptorOffset(fs: Superblock, group: number): number {
  const perBlock = Math.floor(fs.blockBytes / fs.descriptorBytes);
  const meta = Math.floor(group / perBlock);
  const within = (group % perBlock) * fs.descriptorBytes;
  if (fs.firstMetaGroup === null || meta < fs.firstMetaGroup) {
    return (fs.firstDataBlock + 1 + meta) * fs.blockBytes + within;
  }
  // Every meta group's first block group is assumed to carry a superblock copy only when it is group 0 or a power of 3, 5, 7.
  const first = meta * perBlock;
  const sparse = [3, 5, 7].some((base) => {
    let power = base;
    while (power < first) power *= base;
    return power === first;
  });
  const skip = first <= 1 || sparse ? 1 : 0;
  return (fs.firstDataBlock + first * fs.blocksPerGroup + skip) * fs.blockBytes + within;
}

/**
 * Reads one inode.
 *
 * @throws {AppError} GUEST_FILE_SYSTEM_CORRUPT - the number or the table's place cannot be
 */
export async function readInode(source: ByteSource, fs: Superblock, number: number): Promise<Inode> {
  if (number < 1 || number > fs.inodeCount) {
    throw new AppError({
      code: 'GUEST_FILE_SYSTEM_CORRUPT',
      message: `read inode ${number}: the file system has ${fs.inodeCount}`,
    });
  }
  const group = Math.floor((number - 1) / fs.inodesPerGroup);
  const descriptor = await source.read(descriptorOffset(fs, group), fs.descriptorBytes);
  const high = fs.descriptorBytes >= 64 ? descriptor.readUInt32LE(0x28) : 0;
  const table = high * 2 ** 32 + descriptor.readUInt32LE(0x8);
  const index = (number - 1) % fs.inodesPerGroup;
  const raw = await source.read(table * fs.blockBytes + index * fs.inodeBytes, 128);
  const mode = raw.readUInt16LE(0);
  const flags = raw.readUInt32LE(0x20);
  const kind = kinds[mode >> 12] ?? 'other';
  return {
    number,
    kind,
    mode: mode & 0o7777,
    uid: raw.readUInt16LE(0x78) * 65536 + raw.readUInt16LE(2),
    gid: raw.readUInt16LE(0x7a) * 65536 + raw.readUInt16LE(0x18),
    sizeBytes: raw.readUInt32LE(0x6c) * 2 ** 32 + raw.readUInt32LE(4),
    usesExtents: (flags & 0x80000) !== 0,
    encrypted: (flags & 0x800) !== 0,
    blockArea: Buffer.from(raw.subarray(0x28, 0x28 + 60)),
  };
}
