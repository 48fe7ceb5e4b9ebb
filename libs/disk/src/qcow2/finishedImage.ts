import { isAppError } from '@ascend/errors';
import { openImageFile } from '../formats/imageFile.ts';
import { readQcow2Header } from '../formats/qcow2Header.ts';
import type { Qcow2Compression } from './ownHeader.ts';

// The header's compression type lies behind the fields that every version 3 header has.
const compressionTypeOffset = 104;

/**
 * True when the file is a QCOW2 image of this size and compression type (`none`: the default type, whoever wrote it) that
 * needs no other file.
 */
export async function isFinishedQcow2(
  filePath: string,
  sizeBytes: number,
  compression: Qcow2Compression,
): Promise<boolean> {
  try {
    const file = await openImageFile(filePath);
    try {
      const header = await readQcow2Header(file);
      const fields = await file.readAt(0, compressionTypeOffset + 1);
      const hasType = fields.readUInt32BE(4) >= 3 && fields.readUInt32BE(100) > compressionTypeOffset;
      const type = hasType && fields.readUInt8(compressionTypeOffset) === 1 ? 'zstd' : 'none';
      return header.virtualSizeBytes === sizeBytes && header.backing === null && type === compression;
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (isAppError(cause)) return false;
    throw cause;
  }
}
