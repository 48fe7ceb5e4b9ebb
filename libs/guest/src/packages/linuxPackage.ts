import { mkdtemp, open, rm, writeFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { LinuxPackageKind } from '@ascend/domain';
import { AppError, isAppError } from '@ascend/errors';
import { runProcess } from '@ascend/runtime';

/** What a package says about itself. */
export interface LinuxPackage {
  readonly kind: LinuxPackageKind;
  readonly name: string;
  readonly version: string;
  /** In the words of its kind: `amd64`, `x86_64`, `all`, `noarch` … */
  readonly architecture: string;
}

interface ReadContext {
  readonly workDir: string;
  readonly signal: AbortSignal;
}

const maxControlBytes = 4 * 1024 * 1024;
const maxHeaderBytes = 32 * 1024 * 1024;
const maxEntries = 20_000;
const unpackTimeoutMs = 60_000;

function invalid(path: string, problem: string): AppError {
  return new AppError({ code: 'GUEST_AGENT_PACKAGE_INVALID', message: `read package ${path}: ${problem}` });
}

async function readAt(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset);
  return buffer.subarray(0, bytesRead);
}

/** The archive `control.tar.*` of a Debian package, which is an ar archive (deb(5)). */
async function readControlArchive(file: FileHandle, path: string): Promise<Buffer> {
  if ((await readAt(file, 0, 8)).toString('latin1') !== '!<arch>\n')
    throw invalid(path, 'it is no ar archive');
  // debian-binary, control.tar.*, data.tar.*: the second member, a third one at most is looked at.
  for (let offset = 8, member = 0; member < 3; member += 1) {
    const header = (await readAt(file, offset, 60)).toString('latin1');
    const size = Number(header.slice(48, 58).trim());
    if (header.length < 60 || !header.endsWith('`\n') || !Number.isSafeInteger(size) || size < 0) break;
    if (/^control\.tar(?:\.\w+)?\/?\s*$/.test(header.slice(0, 16))) {
      if (size > maxControlBytes) throw invalid(path, `its control archive has ${size} bytes`);
      return await readAt(file, offset + 60, size);
    }
    offset += 60 + size + (size % 2);
  }
  throw invalid(path, 'it has no control archive');
}

async function readDeb(
  file: FileHandle,
  path: string,
  { workDir, signal }: ReadContext,
): Promise<LinuxPackage> {
  const archive = await readControlArchive(file, path);
  const folder = await mkdtemp(join(workDir, 'package-'));
  try {
    const packed = join(folder, 'control.tar');
    await writeFile(packed, archive);
    const args = ['-x', '-O', '-f', packed, '--include', '*control'];
    const { stdout } = await runProcess({ program: 'bsdtar', args, timeoutMs: unpackTimeoutMs, signal });
    const field = (name: string): string =>
      new RegExp(`^${name}:[ \\t]*(.*)$`, 'im').exec(stdout)?.[1]?.trim() ?? '';
    return {
      kind: 'deb',
      name: field('Package'),
      version: field('Version'),
      architecture: field('Architecture'),
    };
  } catch (cause) {
    if (!isAppError(cause) || cause.code !== 'PROCESS_FAILED') throw cause;
    throw invalid(path, 'its control archive cannot be unpacked');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Tags of the main header that are strings (rpm's rpmtag.h). */
const rpmTags = { name: 1000, version: 1001, release: 1002, architecture: 1022 } as const;
const rpmLeadBytes = 96;
const rpmSource = 1;

/** Entries and length of a header structure: magic, two counts, an index of 16 bytes each, then the store. */
async function readRpmIntro(file: FileHandle, path: string, offset: number) {
  const intro = await readAt(file, offset, 16);
  if (intro.length < 16 || intro.readUIntBE(0, 3) !== 0x8eade8)
    throw invalid(path, 'it has no header of an RPM package');
  const [entries, storeBytes] = [intro.readUInt32BE(8), intro.readUInt32BE(12)];
  if (entries > maxEntries || storeBytes > maxHeaderBytes) throw invalid(path, 'its header is too large');
  return { entries, bytes: 16 + entries * 16 + storeBytes };
}

async function readRpm(file: FileHandle, path: string): Promise<LinuxPackage> {
  const lead = await readAt(file, 0, rpmLeadBytes);
  if (lead.length < rpmLeadBytes || lead.readUInt32BE(0) !== 0xedabeedb)
    throw invalid(path, 'it is no RPM package');
  if (lead.readUInt16BE(6) === rpmSource) throw invalid(path, 'it is a source package');
  const signature = await readRpmIntro(file, path, rpmLeadBytes);
  // The signature is padded to a multiple of eight.
  const offset = rpmLeadBytes + Math.ceil(signature.bytes / 8) * 8;
  const { entries, bytes } = await readRpmIntro(file, path, offset);
  const header = await readAt(file, offset, bytes);
  if (header.length < bytes) throw invalid(path, 'it is cut');
  const store = header.subarray(16 + entries * 16);
  const text = (tag: number): string => {
    for (let index = 0; index < entries; index += 1) {
      const at = 16 + index * 16;
      if (header.readUInt32BE(at) !== tag) continue;
      const start = header.readUInt32BE(at + 8);
      const end = store.indexOf(0, start);
      return start >= store.length || end === -1 ? '' : store.toString('utf8', start, end);
    }
    return '';
  };
  return {
    kind: 'rpm',
    name: text(rpmTags.name),
    version: `${text(rpmTags.version)}-${text(rpmTags.release)}`,
    architecture: text(rpmTags.architecture),
  };
}

/**
 * Reads what a .deb or .rpm file says about itself, bounded, without installing or running anything of it.
 *
 * @throws {AppError} GUEST_AGENT_PACKAGE_INVALID - neither, cut, or not named as packages are
 * @throws {AppError} PROCESS_NOT_FOUND, OPERATION_CANCELLED
 */
export async function readLinuxPackage(path: string, context: ReadContext): Promise<LinuxPackage> {
  const file = await open(path, 'r');
  try {
    const found = /\.deb$/i.test(path) ? await readDeb(file, path, context) : await readRpm(file, path);
    // Name and architecture become parts of a script and of messages.
    const isPlain = [found.name, found.architecture].every((word) =>
      /^[A-Za-z0-9][\w.+-]{0,127}$/.test(word),
    );
    if (!isPlain || !/^[\w.+~:^-]{1,128}$/.test(found.version))
      throw invalid(path, 'its name, version or architecture is none');
    return found;
  } finally {
    await file.close();
  }
}
