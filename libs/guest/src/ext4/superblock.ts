import { AppError } from '@ascend/errors';
import type { ByteSource } from '../byteSource.ts';

/** The numbers of an ext2/3/4 file system that reading needs. */
export interface Superblock {
  readonly blockBytes: number;
  readonly blockCount: number;
  readonly inodeCount: number;
  readonly inodesPerGroup: number;
  readonly inodeBytes: number;
  readonly descriptorBytes: number;
  readonly firstDataBlock: number;
  readonly blocksPerGroup: number;
  /** Group descriptors from this meta group on lie in their own group; null = all lie after the superblock. */
  readonly firstMetaGroup: number | null;
  /** The journal holds changes that are not in place yet (a crash-consistent backup). */
  readonly needsRecovery: boolean;
}

// Incompatible features that do not change how files are read, or that are handled:
// filetype, recover, meta_bg, extents, 64bit, mmp, flex_bg, ea_inode, csum_seed, largedir, encrypt, casefold.
const readableIncompat =
  0x2 | 0x4 | 0x10 | 0x40 | 0x80 | 0x100 | 0x200 | 0x400 | 0x2000 | 0x4000 | 0x10000 | 0x20000;
const incompatRecover = 0x4;
const incompatMetaBg = 0x10;
const incompat64bit = 0x80;

function corrupt(message: string): AppError {
  return new AppError({ code: 'GUEST_FILE_SYSTEM_CORRUPT', message: `open ext file system: ${message}` });
}

function check(superblock: Superblock, sizeBytes: number): Superblock {
  const { blockBytes, inodeBytes, inodesPerGroup, descriptorBytes, blocksPerGroup } = superblock;
  if (blockBytes > 65536) throw corrupt(`block size of ${blockBytes} bytes`);
  if (inodeBytes < 128 || inodeBytes > blockBytes || (inodeBytes & (inodeBytes - 1)) !== 0) {
    throw corrupt(`inode size of ${inodeBytes} bytes`);
  }
  if (descriptorBytes < 32 || descriptorBytes > 1024)
    throw corrupt(`group descriptor of ${descriptorBytes} bytes`);
  if (inodesPerGroup === 0 || blocksPerGroup === 0) throw corrupt('empty block groups');
  if (superblock.blockCount * blockBytes > sizeBytes + blockBytes) {
    throw corrupt(
      `${superblock.blockCount} blocks of ${blockBytes} bytes do not fit into ${sizeBytes} bytes`,
    );
  }
  return superblock;
}

/**
 * Reads and checks the superblock.
 *
 * @throws {AppError} GUEST_FILE_SYSTEM_CORRUPT - no magic, or numbers that cannot be
 * @throws {AppError} GUEST_FILE_SYSTEM_UNSUPPORTED - an incompatible feature that is not known here
 */
export async function readSuperblock(source: ByteSource): Promise<Superblock> {
  const raw = await source.read(1024, 1024);
  if (raw.readUInt16LE(0x38) !== 0xef53) throw corrupt('no magic number');
  const dynamic = raw.readUInt32LE(0x4c) >= 1;
  const incompat = dynamic ? raw.readUInt32LE(0x60) : 0;
  const unknown = incompat & ~readableIncompat;
  if (unknown !== 0) {
    throw new AppError({
      code: 'GUEST_FILE_SYSTEM_UNSUPPORTED',
      message: `open ext file system: incompatible features 0x${(unknown >>> 0).toString(16)}`,
    });
  }
  const wide = (incompat & incompat64bit) !== 0;
  const logBlock = raw.readUInt32LE(0x18);
  if (logBlock > 6) throw corrupt(`block size of 2^${10 + logBlock} bytes`);
  const high = wide ? raw.readUInt32LE(0x150) : 0;
  return check(
    {
      blockBytes: 1024 << logBlock,
      blockCount: high * 2 ** 32 + raw.readUInt32LE(0x4),
      inodeCount: raw.readUInt32LE(0x0),
      inodesPerGroup: raw.readUInt32LE(0x28),
      inodeBytes: dynamic ? raw.readUInt16LE(0x58) : 128,
      descriptorBytes: wide ? raw.readUInt16LE(0xfe) : 32,
      firstDataBlock: raw.readUInt32LE(0x14),
      blocksPerGroup: raw.readUInt32LE(0x20),
      firstMetaGroup: (incompat & incompatMetaBg) === 0 ? null : raw.readUInt32LE(0x104),
      needsRecovery: (incompat & incompatRecover) !== 0,
    },
    source.sizeBytes,
  );
}
