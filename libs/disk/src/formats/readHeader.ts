import type { SourceFormat } from '@ascend/domain';
import { checkedVirtualSize, headerError, type ByteReader, type ImageHeader } from './imageHeader.ts';
import { looksLikeQcow2, readQcow2Header } from './qcow2Header.ts';
import { looksLikeVhdFooter, readVhdHeader } from './vhdHeader.ts';
import { looksLikeVhdx, readVhdxHeader } from './vhdxHeader.ts';
import { looksLikeVmdk, readVmdkHeader } from './vmdkHeader.ts';

function readRawHeader(file: ByteReader): ImageHeader {
  if (file.sizeBytes === 0) throw headerError(file.label, 'the file is empty', 'DISK_IMAGE_TRUNCATED');
  return {
    format: 'raw',
    // The block layer rounds an odd end up to whole sectors and reads zeros there.
    virtualSizeBytes: checkedVirtualSize(Math.ceil(file.sizeBytes / 512) * 512, file.label),
    backing: null,
    l1: null,
    clusterBytes: null,
    extentFiles: [],
    closedCleanly: true,
  };
}

const readers: Readonly<
  Record<Exclude<SourceFormat, 'ebs-snapshot'>, (file: ByteReader) => Promise<ImageHeader> | ImageHeader>
> = {
  qcow2: readQcow2Header,
  vhd: readVhdHeader,
  vhdx: readVhdxHeader,
  vmdk: readVmdkHeader,
  raw: readRawHeader,
};

/**
 * Reads and checks the header of a file whose format is already known; the content never decides the format here.
 *
 * @throws {AppError} DISK_FORMAT_MISMATCH, DISK_FORMAT_UNSUPPORTED, DISK_HEADER_INVALID, DISK_IMAGE_TRUNCATED and the codes of the format
 */
export async function readImageHeader(file: ByteReader, format: SourceFormat): Promise<ImageHeader> {
  if (format === 'ebs-snapshot') {
    throw headerError(file.label, 'a snapshot reference is no image file', 'DISK_FORMAT_UNSUPPORTED');
  }
  return await readers[format](file);
}

/**
 * Tells the format of a file by its content. Danger: the content of a raw disk belongs to a guest, which can write any
 * header there; use this only where no format was recorded, never to override one.
 *
 * @throws {AppError} DISK_FILE_UNREADABLE
 */
export async function detectFormat(file: ByteReader): Promise<SourceFormat> {
  const head = await file.readAt(0, Math.min(512, file.sizeBytes));
  if (looksLikeQcow2(head)) return 'qcow2';
  if (looksLikeVhdx(head)) return 'vhdx';
  if (looksLikeVmdk(head)) return 'vmdk';
  if (looksLikeVhdFooter(head)) return 'vhd';
  if (file.sizeBytes >= 1024 && looksLikeVhdFooter(await file.readAt(file.sizeBytes - 512, 512)))
    return 'vhd';
  return 'raw';
}
