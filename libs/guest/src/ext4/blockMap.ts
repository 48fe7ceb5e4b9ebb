import { AppError } from '@ascend/errors';
import type { ByteSource } from '../byteSource.ts';
import type { Inode } from './inode.ts';
import type { Superblock } from './superblock.ts';

/** `count` blocks of a file from `logical` lie at `physical`; null = they read as zeros. Gaps between runs are holes. */
export interface BlockRun {
  readonly logical: number;
  readonly count: number;
  readonly physical: number | null;
}

const maxRuns = 200_000;
const maxExtentDepth = 5;
const extentMagic = 0xf30a;

function corrupt(inode: Inode, message: string): AppError {
  return new AppError({
    code: 'GUEST_FILE_SYSTEM_CORRUPT',
    message: `read block map of inode ${inode.number}: ${message}`,
  });
}

function readLeaf(node: Buffer, at: number): BlockRun {
  const length = node.readUInt16LE(at + 4);
  // Lengths above 32768 mark preallocated blocks that were never written.
  const unwritten = length > 32768;
  const physical = node.readUInt16LE(at + 6) * 2 ** 32 + node.readUInt32LE(at + 8);
  return {
    logical: node.readUInt32LE(at),
    count: unwritten ? length - 32768 : length,
    physical: unwritten ? null : physical,
  };
}

async function extentRuns(source: ByteSource, fs: Superblock, inode: Inode): Promise<BlockRun[]> {
  const runs: BlockRun[] = [];
  const visited = new Set<number>();
  const walk = async (node: Buffer, depthLeft: number): Promise<void> => {
    if (node.readUInt16LE(0) !== extentMagic) throw corrupt(inode, 'extent node without magic number');
    const entries = node.readUInt16LE(2);
    const depth = node.readUInt16LE(6);
    if (depth > depthLeft || 12 + entries * 12 > node.length)
      throw corrupt(inode, `extent node of depth ${depth}`);
    for (let index = 0; index < entries; index += 1) {
      const at = 12 + index * 12;
      if (depth === 0) {
        if (runs.length >= maxRuns) throw corrupt(inode, `more than ${maxRuns} extents`);
        runs.push(readLeaf(node, at));
        continue;
      }
      const child = node.readUInt16LE(at + 8) * 2 ** 32 + node.readUInt32LE(at + 4);
      if (visited.has(child)) throw corrupt(inode, 'extent tree with a loop');
      visited.add(child);
      await walk(await source.read(child * fs.blockBytes, fs.blockBytes), depth - 1);
    }
  };
  await walk(inode.blockArea, maxExtentDepth);
  return runs.toSorted((left, right) => left.logical - right.logical);
}

/** The older map of direct, single, double and triple indirect blocks. */
async function indirectRuns(source: ByteSource, fs: Superblock, inode: Inode): Promise<BlockRun[]> {
  const runs: { logical: number; count: number; physical: number }[] = [];
  const needed = Math.ceil(inode.sizeBytes / fs.blockBytes);
  const perBlock = fs.blockBytes / 4;
  let logical = 0;
  const add = (physical: number): void => {
    const last = runs.at(-1);
    if (
      physical !== 0 &&
      last !== undefined &&
      last.physical + last.count === physical &&
      last.logical + last.count === logical
    ) {
      last.count += 1;
    } else if (physical !== 0) {
      if (runs.length >= maxRuns) throw corrupt(inode, `more than ${maxRuns} pieces`);
      runs.push({ logical, count: 1, physical });
    }
    logical += 1;
  };
  const walk = async (block: number, level: number): Promise<void> => {
    if (logical >= needed) return;
    if (level === 0) {
      add(block);
      return;
    }
    if (block === 0) {
      logical += perBlock ** level;
      return;
    }
    const table = await source.read(block * fs.blockBytes, fs.blockBytes);
    for (let index = 0; index < perBlock; index += 1) {
      await walk(table.readUInt32LE(index * 4), level - 1);
    }
  };
  for (let index = 0; index < 15; index += 1) {
    await walk(inode.blockArea.readUInt32LE(index * 4), Math.max(0, index - 11));
  }
  return runs;
}

/**
 * The places of a file's blocks, in logical order.
 *
 * @throws {AppError} GUEST_FILE_SYSTEM_CORRUPT - a malformed, looping or absurdly long map
 */
export async function readBlockMap(
  source: ByteSource,
  fs: Superblock,
  inode: Inode,
): Promise<readonly BlockRun[]> {
  return inode.usesExtents ? await extentRuns(source, fs, inode) : await indirectRuns(source, fs, inode);
}
