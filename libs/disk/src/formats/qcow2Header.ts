import type { SourceFormat } from '@ascend/domain';
import {
  checkedVirtualSize,
  headerError,
  safeNumber,
  type ByteReader,
  type ImageHeader,
} from './imageHeader.ts';

// Layout and feature bits: docs/interop/qcow2.txt of QEMU 7.2, read 2026-07.
const magic = 0x51_46_49_fb;
const maxBackingNameBytes = 1023;
const maxL1Bytes = 32 * 1024 * 1024;
const maxExtensions = 64;
const backingFormatExtension = 0xe2_79_2a_ca;

const incompatible = {
  dirty: 1n << 0n,
  corrupt: 1n << 1n,
  dataFile: 1n << 2n,
  compressionType: 1n << 3n,
  extendedL2: 1n << 4n,
} as const;
const knownIncompatible = 0b1_1111n;

const backingFormats: Readonly<Record<string, SourceFormat>> = {
  qcow2: 'qcow2',
  raw: 'raw',
  vpc: 'vhd',
  vhdx: 'vhdx',
  vmdk: 'vmdk',
};

/** True when the bytes start like a QCOW2 file. */
export function looksLikeQcow2(head: Buffer): boolean {
  return head.length >= 4 && head.readUInt32BE(0) === magic;
}

interface FeatureFacts {
  readonly extendedL2: boolean;
  readonly headerBytes: number;
  readonly closedCleanly: boolean;
}

function readFeatures(head: Buffer, label: string): FeatureFacts {
  if (head.readUInt32BE(4) === 2) return { extendedL2: false, headerBytes: 72, closedCleanly: true };
  if (head.length < 104) throw headerError(label, 'the file ends inside the header', 'DISK_IMAGE_TRUNCATED');
  const bits = head.readBigUInt64BE(72);
  if ((bits & ~knownIncompatible) !== 0n) {
    const problem = `unknown incompatible features 0x${(bits & ~knownIncompatible).toString(16)}`;
    throw headerError(label, problem, 'DISK_FORMAT_UNSUPPORTED');
  }
  if ((bits & incompatible.dataFile) !== 0n) {
    throw headerError(label, 'the data lies in another file', 'DISK_EXTERNAL_DATA_FILE');
  }
  if ((bits & incompatible.corrupt) !== 0n) {
    throw headerError(label, 'the image is marked corrupt', 'DISK_IMAGE_CORRUPT');
  }
  const headerBytes = head.readUInt32BE(100);
  if (headerBytes < 104 || headerBytes % 8 !== 0 || headerBytes > 4096) {
    throw headerError(label, `the header length ${headerBytes} is impossible`);
  }
  const refcountOrder = head.readUInt32BE(96);
  if (refcountOrder > 6) throw headerError(label, `the refcount order ${refcountOrder} is above 6`);
  checkCompression(head, bits, headerBytes, label);
  return {
    extendedL2: (bits & incompatible.extendedL2) !== 0n,
    headerBytes,
    closedCleanly: (bits & incompatible.dirty) === 0n,
  };
}

function checkCompression(head: Buffer, bits: bigint, headerBytes: number, label: string): void {
  const type = headerBytes > 104 && head.length > 104 ? head.readUInt8(104) : 0;
  const declared = (bits & incompatible.compressionType) !== 0n;
  if (type > 1) {
    throw headerError(label, `compression type ${type} is not known`, 'DISK_FORMAT_UNSUPPORTED');
  }
  if (declared !== (type !== 0)) throw headerError(label, 'the compression type contradicts its feature bit');
}

/** The recorded backing format; null when no extension records it. */
function readBackingFormat(cluster: Buffer, from: number, to: number, label: string): SourceFormat | null {
  let at = from;
  for (let count = 0; at + 8 <= to; count += 1) {
    const type = cluster.readUInt32BE(at);
    const length = cluster.readUInt32BE(at + 4);
    if (type === 0) return null;
    if (at + 8 + length > to || count === maxExtensions) {
      throw headerError(label, `a header extension at ${at} of ${length} bytes does not fit`);
    }
    if (type === backingFormatExtension) {
      const name = cluster.toString('latin1', at + 8, at + 8 + length);
      const format = Object.hasOwn(backingFormats, name) ? backingFormats[name] : undefined;
      if (format !== undefined) return format;
      const shown = JSON.stringify(name.slice(0, 40));
      throw headerError(label, `backing format ${shown} cannot be read`, 'DISK_FORMAT_UNSUPPORTED');
    }
    at += 8 + Math.ceil(length / 8) * 8;
  }
  return null;
}

function readBacking(cluster: Buffer, headerBytes: number, label: string): ImageHeader['backing'] {
  const offset = safeNumber(cluster.readBigUInt64BE(8), label, 'the offset of the backing name');
  const length = cluster.readUInt32BE(16);
  if (offset === 0 || length === 0) return null;
  if (length > maxBackingNameBytes) {
    throw headerError(
      label,
      `the backing name has ${length} bytes, at most ${maxBackingNameBytes} are allowed`,
    );
  }
  if (offset < headerBytes || offset + length > cluster.length) {
    throw headerError(label, `the backing name at ${offset} lies outside the first cluster`);
  }
  const name = cluster.toString('utf8', offset, offset + length);
  if (name.includes('\0')) throw headerError(label, 'the backing name holds a zero byte');
  return { name, format: readBackingFormat(cluster, headerBytes, offset, label) };
}

function readL1(head: Buffer, file: ByteReader, bytesPerEntry: number, sizeBytes: number) {
  const entries = head.readUInt32BE(36);
  const offsetBytes = safeNumber(head.readBigUInt64BE(40), file.label, 'the L1 table offset');
  const needed = Math.ceil(sizeBytes / bytesPerEntry);
  if (entries < needed || entries * 8 > maxL1Bytes) {
    throw headerError(file.label, `the L1 table has ${entries} entries, ${needed} are needed`);
  }
  if (offsetBytes % 512 !== 0 || offsetBytes === 0) {
    throw headerError(file.label, `the L1 table offset ${offsetBytes} is not aligned`);
  }
  if (offsetBytes + entries * 8 > file.sizeBytes) {
    const problem = `the L1 table ends at ${offsetBytes + entries * 8}, the file at ${file.sizeBytes}`;
    throw headerError(file.label, problem, 'DISK_IMAGE_TRUNCATED');
  }
  return { offsetBytes, lengthBytes: entries * 8 };
}

/**
 * Reads and checks a QCOW2 header of version 2 or 3 (zlib or zstd compression, extended L2 allowed). Reads at most the first cluster.
 *
 * @throws {AppError} DISK_FORMAT_MISMATCH - no QCOW2 magic; DISK_HEADER_INVALID; DISK_IMAGE_TRUNCATED; DISK_IMAGE_CORRUPT;
 * DISK_IMAGE_ENCRYPTED; DISK_EXTERNAL_DATA_FILE; DISK_FORMAT_UNSUPPORTED - unknown feature, version or backing format
 */
export async function readQcow2Header(file: ByteReader): Promise<ImageHeader> {
  const { label } = file;
  const head = await file.readAt(0, Math.min(512, file.sizeBytes));
  if (!looksLikeQcow2(head)) throw headerError(label, 'this is no QCOW2 file', 'DISK_FORMAT_MISMATCH');
  if (head.length < 72) throw headerError(label, 'the file ends inside the header', 'DISK_IMAGE_TRUNCATED');
  const version = head.readUInt32BE(4);
  if (version !== 2 && version !== 3) {
    throw headerError(label, `QCOW2 version ${version} is not known`, 'DISK_FORMAT_UNSUPPORTED');
  }
  const clusterBits = head.readUInt32BE(20);
  if (clusterBits < 9 || clusterBits > 21)
    throw headerError(label, `cluster bits ${clusterBits} are not 9…21`);
  if (head.readUInt32BE(32) !== 0) throw headerError(label, 'the image is encrypted', 'DISK_IMAGE_ENCRYPTED');
  const features = readFeatures(head, label);
  const clusterBytes = 2 ** clusterBits;
  const size = safeNumber(head.readBigUInt64BE(24), label, 'the virtual size');
  const virtualSizeBytes = checkedVirtualSize(size, label);
  const l2Entries = clusterBytes / (features.extendedL2 ? 16 : 8);
  const l1 = readL1(head, file, clusterBytes * l2Entries, virtualSizeBytes);
  const cluster = await file.readAt(0, Math.min(clusterBytes, file.sizeBytes));
  return {
    format: 'qcow2',
    virtualSizeBytes,
    backing: readBacking(cluster, features.headerBytes, label),
    l1,
    clusterBytes,
    extentFiles: [],
    closedCleanly: features.closedCleanly,
  };
}
