import type { SourceFormat } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import { openImageFile } from '../formats/imageFile.ts';
import { detectFormat } from '../formats/readHeader.ts';
import { formatOfName } from '../repository/fileNames.ts';

/**
 * The format of an image that an operator names: as said, else as its name promises, else by its content. Danger: a guest can write any
 * header to the start of a raw disk, and a raw name can stand on an image; where name and content disagree about that, nothing is guessed.
 *
 * @throws {AppError} DISK_FORMAT_MISMATCH - raw by its name, something else by its content; DISK_FILE_MISSING, DISK_FILE_UNREADABLE,
 * DISK_FILE_NOT_REGULAR
 */
export async function formatOfFile(absPath: string, said: SourceFormat | null): Promise<SourceFormat> {
  const file = await openImageFile(absPath);
  try {
    if (said !== null) return said;
    const promised = formatOfName(absPath);
    if (promised !== null && promised !== 'raw') return promised;
    const found = await detectFormat(file);
    if (promised === null || found === 'raw') return found;
    throw new AppError({
      code: 'DISK_FORMAT_MISMATCH',
      message: `open ${absPath}: raw by its name, ${found} by its content`,
      details: { file: absPath, nameSays: 'raw', contentSays: found },
      hint: `Say which it is (--source-format raw or --source-format ${found}).`,
    });
  } finally {
    await file.close();
  }
}
