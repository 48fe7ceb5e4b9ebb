import { constants } from 'node:fs';
import { lstat, open, opendir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, isAppError } from '@ascend/errors';
import type { GuestEntry, GuestFileKind, GuestFiles } from '../guestFiles.ts';

const maxEntries = 200_000;
const pieceBytes = 1024 * 1024;
const notThere = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG', 'ERR_INVALID_ARG_VALUE']);

interface Kinds {
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
}

function kindOf(entry: Kinds): GuestFileKind {
  if (entry.isFile()) return 'file';
  if (entry.isDirectory()) return 'directory';
  return entry.isSymbolicLink() ? 'symlink' : 'other';
}

function codeOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : '';
}

/** null where nothing is; whatever else the kernel says about a path is damage of the file system. */
async function ask<T>(path: string, work: () => Promise<T>): Promise<T | null> {
  try {
    return await work();
  } catch (cause) {
    if (isAppError(cause)) throw cause;
    if (notThere.has(codeOf(cause))) return null;
    throw new AppError({
      code: 'GUEST_FILE_SYSTEM_CORRUPT',
      message: `read ${path} in guest: ${codeOf(cause) || String(cause)}`,
      cause,
    });
  }
}

/** Opens a regular file and nothing else: a pipe or device of the guest would block or act. */
async function* streamFile(root: string, path: string): AsyncGenerator<Buffer> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const own = await ask(path, () => lstat(join(root, path)));
  if (own?.isFile() !== true) return;
  const file = await ask(path, () => open(join(root, path), flags));
  if (file === null) return;
  try {
    if (!(await file.stat()).isFile()) return;
    for (;;) {
      const buffer = Buffer.alloc(pieceBytes);
      const result = await ask(path, () => file.read(buffer, 0, pieceBytes));
      if (result === null || result.bytesRead === 0) return;
      yield buffer.subarray(0, result.bytesRead);
    }
  } finally {
    await file.close();
  }
}

async function readFile(root: string, path: string, maxBytes: number): Promise<Buffer | null> {
  const own = await ask(path, () => lstat(join(root, path)));
  if (own?.isFile() !== true) return null;
  const parts: Buffer[] = [];
  let sizeBytes = own.size;
  if (sizeBytes <= maxBytes) {
    sizeBytes = 0;
    for await (const part of streamFile(root, path)) {
      sizeBytes += part.length;
      if (sizeBytes > maxBytes) break;
      parts.push(part);
    }
  }
  if (sizeBytes <= maxBytes) return Buffer.concat(parts);
  throw new AppError({
    code: 'GUEST_FILE_TOO_LARGE',
    message: `read ${path}: ${sizeBytes} bytes, at most ${maxBytes} are read`,
    details: { sizeBytes, maxBytes },
  });
}

async function listFolder(root: string, path: string): Promise<readonly GuestEntry[]> {
  const entries: GuestEntry[] = [];
  await ask(path, async () => {
    if (!(await lstat(join(root, path))).isDirectory()) return;
    for await (const entry of await opendir(join(root, path))) {
      entries.push({ name: entry.name, kind: kindOf(entry) });
      if (entries.length >= maxEntries) break;
    }
  });
  return entries;
}

/**
 * The files of a mounted file system of a guest below `root`. Danger: links are named and never followed, but a link in
 * the middle of a path would be followed by the kernel, out of the guest: use it inside of `unionFiles` alone, which
 * asks for paths without links. Nothing of the guest may run meanwhile.
 */
export function mountedFiles(root: string): GuestFiles {
  return {
    stat: async (path) => {
      const own = await ask(path, () => lstat(join(root, path)));
      if (own === null) return null;
      return { kind: kindOf(own), sizeBytes: own.size, mode: own.mode & 0o7777, uid: own.uid, gid: own.gid };
    },
    list: (path) => listFolder(root, path),
    read: (path, maxBytes) => readFile(root, path, maxBytes),
    stream: (path) => streamFile(root, path),
    readLink: async (path) => {
      const own = await ask(path, () => lstat(join(root, path)));
      return own?.isSymbolicLink() === true ? await ask(path, () => readlink(join(root, path))) : null;
    },
  };
}
