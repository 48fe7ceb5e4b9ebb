import { AppError } from '@ascend/errors';
import { cachedSource, type ByteSource } from '../byteSource.ts';
import type { GuestEntry, GuestFileKind, GuestFiles } from '../guestFiles.ts';
import { readWhole, streamInode } from './fileData.ts';
import { readInode, rootInode, type Inode } from './inode.ts';
import { readSuperblock, type Superblock } from './superblock.ts';

const maxDirectoryBytes = 64 * 1024 * 1024;
const maxLinks = 40;
const maxDepth = 256;

interface DirectoryEntry extends GuestEntry {
  readonly inode: number;
}

const entryKinds: Readonly<Record<number, GuestFileKind>> = { 1: 'file', 2: 'directory', 7: 'symlink' };

/** Entries of one directory; ends at the first record that cannot be. Index blocks read as empty records. */
function parseDirectory(data: Buffer, blockBytes: number): readonly DirectoryEntry[] {
  const entries: DirectoryEntry[] = [];
  let at = 0;
  while (at + 8 <= data.length) {
    const inode = data.readUInt32LE(at);
    const stored = data.readUInt16LE(at + 4);
    // 64 KiB blocks store a full-block record length as 0 or 65535.
    const recordBytes = blockBytes === 65536 && (stored === 0 || stored === 65535) ? 65536 : stored;
    const nameBytes = data.readUInt8(at + 6);
    if (recordBytes < 8 || recordBytes % 4 !== 0 || at + 8 + nameBytes > data.length) break;
    const name = data.toString('utf8', at + 8, at + 8 + nameBytes);
    if (inode !== 0 && name !== '' && !name.includes('/')) {
      entries.push({ inode, name, kind: entryKinds[data.readUInt8(at + 7)] ?? 'other' });
    }
    at += recordBytes;
  }
  return entries;
}

/** An open ext2/3/4 file system. */
export interface Ext4Files extends GuestFiles {
  readonly superblock: Superblock;
}

interface Tree {
  readonly source: ByteSource;
  readonly fs: Superblock;
  readonly directories: Map<number, Promise<readonly DirectoryEntry[]>>;
}

async function entriesOf(tree: Tree, inode: Inode): Promise<readonly DirectoryEntry[]> {
  const known = tree.directories.get(inode.number);
  if (known !== undefined) return await known;
  const label = `directory inode ${inode.number}`;
  const fresh = readWhole({
    source: tree.source,
    fs: tree.fs,
    inode,
    maxBytes: maxDirectoryBytes,
    label,
  }).then((data) => parseDirectory(data, tree.fs.blockBytes));
  tree.directories.set(inode.number, fresh);
  return await fresh;
}

async function linkTarget(tree: Tree, inode: Inode): Promise<string> {
  // Targets shorter than 60 bytes lie in the block area itself and have no block map.
  if (inode.sizeBytes < 60 && !inode.usesExtents) return inode.blockArea.toString('utf8', 0, inode.sizeBytes);
  const label = `link inode ${inode.number}`;
  const data = await readWhole({ source: tree.source, fs: tree.fs, inode, maxBytes: 4096, label });
  return data.toString('utf8');
}

function split(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

/** Walks a path from the root of the file system; `..` stops at the root, links are followed inside. */
async function resolve(tree: Tree, path: string): Promise<Inode | null> {
  const stack = [await readInode(tree.source, tree.fs, rootInode)];
  const pending = split(path);
  let links = 0;
  while (pending.length > 0) {
    const part = pending.shift() ?? '';
    const here = stack.at(-1);
    if (here === undefined || here.kind !== 'directory' || stack.length > maxDepth) return null;
    if (part === '..') {
      if (stack.length > 1) stack.pop();
      continue;
    }
    const entry = (await entriesOf(tree, here)).find((candidate) => candidate.name === part);
    if (entry === undefined) return null;
    const next = await readInode(tree.source, tree.fs, entry.inode);
    if (next.kind !== 'symlink') {
      stack.push(next);
      continue;
    }
    links += 1;
    if (links > maxLinks) return null;
    const target = await linkTarget(tree, next);
    if (target.startsWith('/')) stack.length = 1;
    pending.unshift(...split(target));
    if (pending.length > maxDepth) return null;
  }
  return stack.at(-1) ?? null;
}

async function readLink(tree: Tree, path: string): Promise<string | null> {
  const parts = split(path);
  const name = parts.pop();
  const folder = await resolve(tree, parts.join('/'));
  if (folder === null || folder.kind !== 'directory') return null;
  const entry = (await entriesOf(tree, folder)).find((candidate) => candidate.name === name);
  const inode = entry === undefined ? null : await readInode(tree.source, tree.fs, entry.inode);
  return inode?.kind === 'symlink' ? await linkTarget(tree, inode) : null;
}

function refuseRootless(inode: Inode): void {
  if (inode.kind === 'directory') return;
  throw new AppError({
    code: 'GUEST_FILE_SYSTEM_CORRUPT',
    message: 'open ext file system: the root is no directory',
  });
}

/**
 * Opens an ext2/3/4 file system for reading, in TypeScript alone: no mount, no guest code, no C parser on hostile bytes.
 * The journal is not replayed; `superblock.needsRecovery` tells that it should be.
 *
 * @throws {AppError} GUEST_FILE_SYSTEM_CORRUPT, GUEST_FILE_SYSTEM_UNSUPPORTED
 */
export async function openExt4(volume: ByteSource): Promise<Ext4Files> {
  const source = cachedSource(volume);
  const fs = await readSuperblock(source);
  const tree: Tree = { source, fs, directories: new Map() };
  refuseRootless(await readInode(source, fs, rootInode));
  return {
    superblock: fs,
    stat: async (path) => {
      const inode = await resolve(tree, path);
      if (inode === null) return null;
      const { kind, sizeBytes, mode, uid, gid } = inode;
      return { kind, sizeBytes, mode, uid, gid };
    },
    list: async (path) => {
      const inode = await resolve(tree, path);
      if (inode === null || inode.kind !== 'directory') return [];
      const entries = await entriesOf(tree, inode);
      return entries
        .filter((entry) => entry.name !== '.' && entry.name !== '..')
        .map((entry) => ({ name: entry.name, kind: entry.kind }));
    },
    read: async (path, maxBytes) => {
      const inode = await resolve(tree, path);
      if (inode === null || inode.kind !== 'file') return null;
      return await readWhole({ source, fs, inode, maxBytes, label: path });
    },
    readLink: (path) => readLink(tree, path),
    stream: async function* (path) {
      const inode = await resolve(tree, path);
      if (inode !== null && inode.kind === 'file') yield* streamInode(source, fs, inode);
    },
  };
}
