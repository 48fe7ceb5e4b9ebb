import type { ScannedRepository, SourceFormat } from '@ascend/domain';
import { AppError, isAppError, toAppError } from '@ascend/errors';
import { openChain } from '../chain/chain.ts';
import { openRoot } from '../chain/locate.ts';
import { formatOfName, isSidecarName } from './fileNames.ts';
import { groupImages, type FoundImage } from './groupImages.ts';
import { assertNotCancelled, walkRepository } from './walk.ts';

async function readImage(rootPath: string, relPath: string, format: SourceFormat): Promise<FoundImage> {
  try {
    const { layers } = await openChain({ rootPath, path: relPath, format });
    const [top, backing] = layers;
    if (top === undefined) throw new AppError({ code: 'INTERNAL_BUG', message: `scan ${relPath}: no layer` });
    return {
      relPath,
      rootRelPath: layers.at(-1)?.relPath ?? top.relPath,
      image: {
        relPath: top.relPath,
        format,
        fileSizeBytes: top.fileSizeBytes,
        mtimeMs: top.mtimeMs,
        virtualSizeBytes: top.virtualSizeBytes,
        backingRelPath: backing?.relPath ?? null,
      },
    };
  } catch (cause) {
    if (!isAppError(cause)) throw cause;
    return { relPath, broken: { relPath, code: cause.code, reason: cause.message } };
  }
}

/** Data files of a split or flat VMDK: their descriptor is the image. */
function isVmdkExtent(relPath: string): boolean {
  return /-(flat|delta|ctk|sesparse|rdmp?|[sf]\d{3})\.vmdk$/i.test(relPath);
}

/**
 * Rebuilds what a catalogue would know from a repository folder alone. Reads headers only; deterministic, so a second scan of the
 * same folder gives the same answer. Files that cannot be used are listed with their code and never stop the scan.
 *
 * @throws {AppError} DISK_FILE_MISSING, DISK_FILE_UNREADABLE, DISK_FILE_NOT_REGULAR - the root itself; OPERATION_CANCELLED
 */
export async function scanRepository(params: {
  readonly rootPath: string;
  readonly signal?: AbortSignal;
}): Promise<ScannedRepository> {
  const root = await openRoot(params.rootPath);
  try {
    const walked = await walkRepository(root, params.signal);
    const images: FoundImage[] = [];
    for (const relPath of walked.files) {
      assertNotCancelled(params.signal);
      const format = formatOfName(relPath);
      if (format !== null && !isVmdkExtent(relPath)) images.push(await readImage(root.real, relPath, format));
    }
    const grouped = groupImages(images, walked.files.filter(isSidecarName));
    return {
      contexts: grouped.contexts,
      skipped: [...walked.skipped, ...grouped.skipped].toSorted((a, b) => (a.relPath < b.relPath ? -1 : 1)),
    };
  } catch (cause) {
    throw toAppError(cause, `scan ${root.given}`);
  }
}
