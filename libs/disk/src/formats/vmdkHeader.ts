import {
  checkedVirtualSize,
  headerError,
  safeNumber,
  type ByteReader,
  type ImageHeader,
} from './imageHeader.ts';

// "Virtual Disk Format 5.0" (VMware technical note): sparse header and text descriptor.
const sparseMagic = 'KDMV';
const descriptorStart = '# Disk DescriptorFile';
const maxDescriptorBytes = 64 * 1024;
const noParent = 'ffffffff';
const readableExtents = new Set(['FLAT', 'SPARSE', 'VMFS']);

/** True when the bytes start like a VMDK: a hosted sparse extent or a text descriptor. */
export function looksLikeVmdk(head: Buffer): boolean {
  return (
    head.toString('latin1', 0, 4) === sparseMagic ||
    head.toString('latin1', 0, descriptorStart.length) === descriptorStart
  );
}

/** One line of a descriptor: a run of the disk that lies in a file beside it. */
export interface VmdkExtentLine {
  readonly sectors: number;
  /** FLAT, VMFS (both plain data) or SPARSE. */
  readonly kind: string;
  readonly fileName: string;
  /** Where plain data starts in the file. */
  readonly startSector: number;
}

interface Descriptor {
  readonly sectors: number;
  readonly extents: readonly VmdkExtentLine[];
}

function readExtentLine(line: string, label: string): VmdkExtentLine {
  const match = /^RW (\d{1,15}) ([A-Z]+) "([^"]+)"(?: (\d{1,15}))?$/.exec(line);
  const [, sectors = '', kind = '', fileName = '', start = '0'] = match ?? [];
  if (match === null) throw headerError(label, 'an extent line of the descriptor cannot be read');
  if (!readableExtents.has(kind)) {
    throw headerError(label, `extents of kind ${kind} are not read`, 'DISK_FORMAT_UNSUPPORTED');
  }
  // Danger: the block layer follows this name itself; a path or protocol would lead out of the folder.
  if (/[/\\:]/.test(fileName) || fileName === '..' || fileName.includes('\0')) {
    throw headerError(label, 'an extent lies in another folder', 'DISK_PATH_OUTSIDE_REPOSITORY');
  }
  return { sectors: Number(sectors), kind, fileName, startSector: Number(start) };
}

function readDescriptor(text: string, label: string): Descriptor {
  const parent = /^parentCID\s*=\s*([0-9a-fA-F]+)/m.exec(text)?.[1]?.toLowerCase() ?? noParent;
  if (parent !== noParent || /^parentFileNameHint/m.test(text)) {
    throw headerError(
      label,
      'a delta disk needs its parent and is not read alone',
      'DISK_FORMAT_UNSUPPORTED',
    );
  }
  const lines = text.split('\n').map((line) => line.trim());
  const extents = lines.filter((line) => /^RW\b/.test(line)).map((line) => readExtentLine(line, label));
  return {
    sectors: extents.reduce((sum, extent) => sum + extent.sectors, 0),
    extents,
  };
}

async function readDescriptorFile(file: ByteReader): Promise<Descriptor> {
  const { label } = file;
  if (file.sizeBytes > maxDescriptorBytes)
    throw headerError(label, `the descriptor has ${file.sizeBytes} bytes`);
  const text = (await file.readAt(0, file.sizeBytes)).toString('utf8');
  // Danger: for the block layer the text ends at a zero byte; lines behind it would show us another disk than it serves.
  const descriptor = readDescriptor(text.split('\0', 1)[0] ?? '', label);
  if (descriptor.extents.length === 0) throw headerError(label, 'the descriptor names no extent');
  return descriptor;
}

/**
 * The extents that a text descriptor names, in disk order; null when the file is no text descriptor but holds its data itself.
 *
 * @throws {AppError} as `readVmdkHeader`
 */
export async function readVmdkExtentLines(file: ByteReader): Promise<readonly VmdkExtentLine[] | null> {
  const head = await file.readAt(0, Math.min(512, file.sizeBytes));
  if (head.toString('latin1', 0, 4) === sparseMagic) return null;
  return (await readDescriptorFile(file)).extents;
}

async function readSparse(file: ByteReader, head: Buffer): Promise<number> {
  const { label } = file;
  if (head.length < 80) throw headerError(label, 'the file ends inside the header', 'DISK_IMAGE_TRUNCATED');
  const sectors = safeNumber(head.readBigUInt64LE(12), label, 'the capacity');
  const descriptorAt = safeNumber(head.readBigUInt64LE(28), label, 'the descriptor offset') * 512;
  const descriptorBytes = safeNumber(head.readBigUInt64LE(36), label, 'the descriptor size') * 512;
  if (descriptorAt === 0 || descriptorBytes === 0) {
    throw headerError(
      label,
      'this is one extent of a split disk: name its descriptor',
      'DISK_FORMAT_UNSUPPORTED',
    );
  }
  if (descriptorBytes > maxDescriptorBytes * 16) {
    throw headerError(label, `a descriptor of ${descriptorBytes} bytes is impossible`);
  }
  const text = (await file.readAt(descriptorAt, Math.min(descriptorBytes, maxDescriptorBytes))).toString(
    'latin1',
  );
  readDescriptor(text.split('\0')[0] ?? '', label);
  return sectors;
}

/**
 * Reads and checks a VMDK: monolithicSparse, streamOptimized, or a text descriptor with flat or sparse extents beside it.
 *
 * @throws {AppError} DISK_FORMAT_MISMATCH, DISK_HEADER_INVALID, DISK_IMAGE_TRUNCATED; DISK_FORMAT_UNSUPPORTED - a delta disk,
 * a single extent, or an extent kind that is not read; DISK_PATH_OUTSIDE_REPOSITORY - an extent named by a path
 */
export async function readVmdkHeader(file: ByteReader): Promise<ImageHeader> {
  const { label } = file;
  const head = await file.readAt(0, Math.min(512, file.sizeBytes));
  if (!looksLikeVmdk(head)) throw headerError(label, 'this is no VMDK file', 'DISK_FORMAT_MISMATCH');
  let sectors: number;
  let extentFiles: readonly string[] = [];
  if (head.toString('latin1', 0, 4) === sparseMagic) {
    sectors = await readSparse(file, head);
  } else {
    const descriptor = await readDescriptorFile(file);
    sectors = descriptor.sectors;
    extentFiles = descriptor.extents.map((extent) => extent.fileName);
  }
  const virtualSizeBytes = checkedVirtualSize(
    safeNumber(BigInt(sectors) * 512n, label, 'the capacity'),
    label,
  );
  return {
    format: 'vmdk',
    virtualSizeBytes,
    backing: null,
    l1: null,
    clusterBytes: null,
    extentFiles,
    closedCleanly: true,
  };
}
