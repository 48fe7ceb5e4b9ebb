import type { SourceFormat } from '@ascend/domain';
import { openImageFile } from '../formats/imageFile.ts';
import { detectFormat, readImageHeader } from '../formats/readHeader.ts';

/** What one image file says about itself. */
export interface ImageFacts {
  readonly format: SourceFormat;
  readonly virtualSizeBytes: number;
  readonly fileSizeBytes: number;
  readonly mtimeMs: number;
  /** Exactly as recorded; null for an image that stands alone. */
  readonly backingName: string | null;
  readonly backingFormat: SourceFormat | null;
  readonly clusterBytes: number | null;
  /** false: a writer died with it open. */
  readonly closedCleanly: boolean;
}

/**
 * Reads the header of one image file; its backing file is not looked for. Without `format` the content tells it: only for files an
 * operator names, never for what a chain refers to.
 *
 * @throws {AppError} DISK_FILE_MISSING, DISK_FILE_UNREADABLE, DISK_FILE_NOT_REGULAR and the header codes of `openChain`
 */
export async function probeImage(absPath: string, format?: SourceFormat): Promise<ImageFacts> {
  const file = await openImageFile(absPath);
  try {
    const header = await readImageHeader(file, format ?? (await detectFormat(file)));
    return {
      format: header.format,
      virtualSizeBytes: header.virtualSizeBytes,
      fileSizeBytes: file.sizeBytes,
      mtimeMs: file.mtimeMs,
      backingName: header.backing?.name ?? null,
      backingFormat: header.backing?.format ?? null,
      clusterBytes: header.clusterBytes,
      closedCleanly: header.closedCleanly,
    };
  } finally {
    await file.close();
  }
}
