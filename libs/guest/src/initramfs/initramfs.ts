import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createByteCursor, initramfsError, type ByteCursor } from './byteCursor.ts';
import { nextPacking, type Packing } from './compression.ts';
import { readCpio } from './cpio.ts';
import { unpackGzip, unpackZstd } from './unpack.ts';
import { unpackByTool, type ToolPacking } from './unpackByTool.ts';

/** What an initramfs image holds. */
export interface Initramfs {
  /** How its parts are packed, in order; more than one with early microcode or an appended archive. */
  readonly parts: readonly Packing[];
  /** Names of all members, without leading slash, last part wins. */
  readonly names: ReadonlySet<string>;
  /** Those of `names` that are symbolic links. */
  readonly links: ReadonlySet<string>;
  /** Contents of the small files that were asked for. */
  readonly files: ReadonlyMap<string, Buffer>;
}

const maxImageBytes = 1024 * 1024 * 1024;
/** Over all parts of an image together. A rescue image with all modules of a distribution has some 300 MiB. */
const maxUnpackedBytes = 1024 * 1024 * 1024;
const maxEntries = 200_000;
const maxParts = 16;
const maxKeptBytes = 1024 * 1024;

interface Collected {
  readonly parts: Packing[];
  readonly names: Set<string>;
  readonly links: Set<string>;
  readonly files: Map<string, Buffer>;
  readonly wanted: (name: string) => boolean;
  /** What the parts may still unpack to. */
  leftBytes: number;
}

/** Counts unpacked bytes against the one budget of the image, whatever the number of its parts. */
async function* counted(stream: AsyncIterable<Buffer>, into: Collected): AsyncGenerator<Buffer> {
  for await (const piece of stream) {
    into.leftBytes -= piece.length;
    if (into.leftBytes < 0) throw initramfsError(`unpacks to more than ${maxUnpackedBytes} bytes`);
    yield piece;
  }
}

async function collectArchive(cursor: ByteCursor, into: Collected): Promise<void> {
  const keep = (name: string, sizeBytes: number): boolean => sizeBytes <= maxKeptBytes && into.wanted(name);
  for await (const entry of readCpio(cursor, keep)) {
    into.names.add(entry.name);
    if ((entry.mode & 0o170000) === 0o120000) into.links.add(entry.name);
    if (into.names.size > maxEntries) throw initramfsError(`more than ${maxEntries} members`);
    if (entry.data !== null) into.files.set(entry.name, entry.data);
  }
}

/** An unpacked part may itself hold several archives, with zero bytes between them. */
async function collectArchives(stream: AsyncIterable<Buffer>, into: Collected): Promise<void> {
  const cursor = createByteCursor(counted(stream, into), maxUnpackedBytes);
  for (let count = 0; count < maxParts; count += 1) {
    const packing = await nextPacking(cursor);
    if (packing === 'end') return;
    if (packing !== 'cpio') throw initramfsError(`${packing} bytes inside a packed part`);
    await collectArchive(cursor, into);
  }
  throw initramfsError(`more than ${maxParts} archives in one part`);
}

async function collectByTool(
  cursor: ByteCursor,
  packing: ToolPacking,
  into: Collected,
  params: { readonly workDir: string; readonly signal: AbortSignal },
): Promise<void> {
  const scratch = await mkdtemp(join(params.workDir, 'unpack-'));
  try {
    const maxBytes = into.leftBytes;
    const { unpacked, rest } = await unpackByTool({
      cursor,
      packing,
      workDir: scratch,
      maxBytes,
      signal: params.signal,
    });
    await collectArchives(unpacked, into);
    await collectParts(createByteCursor(rest, maxImageBytes), into, params);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function collectParts(
  cursor: ByteCursor,
  into: Collected,
  params: { readonly workDir: string; readonly signal: AbortSignal },
): Promise<void> {
  for (;;) {
    params.signal.throwIfAborted();
    const packing = await nextPacking(cursor);
    if (packing === 'end') return;
    if (into.parts.length === maxParts) throw initramfsError(`more than ${maxParts} parts`);
    into.parts.push(packing);
    if (packing === 'cpio') await collectArchive(cursor, into);
    else if (packing === 'gzip') await collectArchives(unpackGzip(cursor), into);
    else if (packing === 'zstd') await collectArchives(unpackZstd(cursor), into);
    else if (packing === 'lzo' || packing === 'unknown')
      throw initramfsError(`packing ${packing} is not known here`);
    else await collectByTool(cursor, packing, into, params);
  }
}

/**
 * Reads an initramfs image as the kernel does: uncompressed archives and packed ones (gzip, zstd; xz, lzma, bzip2, lz4
 * through the host's program), one behind the other. Bounded in bytes, members and parts.
 *
 * @throws {AppError} GUEST_INITRAMFS_UNREADABLE - malformed, cut, empty, or beyond the bounds
 */
export async function readInitramfs(params: {
  readonly image: AsyncIterable<Buffer>;
  /** Names whose contents are kept (files up to 1 MiB). */
  readonly wanted: (name: string) => boolean;
  readonly workDir: string;
  readonly signal: AbortSignal;
}): Promise<Initramfs> {
  const into: Collected = {
    parts: [],
    names: new Set(),
    links: new Set(),
    files: new Map(),
    wanted: params.wanted,
    leftBytes: maxUnpackedBytes,
  };
  try {
    await collectParts(createByteCursor(params.image, maxImageBytes), into, params);
  } catch (cause) {
    // Decompressors report broken data as plain errors with a zlib code.
    if (cause instanceof Error && 'errno' in cause && 'code' in cause) throw initramfsError(cause.message);
    throw cause;
  }
  if (into.names.size === 0) throw initramfsError('no members');
  return into;
}

const moduleFile = /^(?:usr\/)?lib\/modules\/([^/]+)\/(?:.*\/)?([\w-]+)\.ko(?:\.(?:gz|xz|zst|bz2))?$/;

/** A module's name as the kernel knows it: underscores only. */
export function moduleName(text: string): string {
  return text.replaceAll('-', '_');
}

/** Modules of one kernel version among the members of an image, sorted. */
export function modulesOf(names: Iterable<string>, kernelVersion: string): readonly string[] {
  const found = new Set<string>();
  for (const name of names) {
    const match = moduleFile.exec(name);
    if (match?.[1] === kernelVersion && match[2] !== undefined) found.add(moduleName(match[2]));
  }
  return [...found].toSorted();
}
