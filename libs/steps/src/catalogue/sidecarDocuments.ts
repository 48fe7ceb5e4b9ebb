import { realpath } from 'node:fs/promises';
import path from 'node:path';
import { isInside } from '@ascend/disk';
import { AppError, isAppError } from '@ascend/errors';
import type { SpecDocument, SpecReader } from '@ascend/vm-spec';
import { ownReader } from './ownReader.ts';
import { maxForeignBytes } from './specFile.ts';
import { readSpecText } from './specText.ts';
import type { ScannedRepository } from '@ascend/domain';

type Skipped = ScannedRepository['skipped'][number];

/** Texts of one scan that are held at the same time. */
const maxTotalBytes = 64 * 1024 * 1024;
/** Files of one scan that are looked at. */
const maxFiles = 5000;

/** A sidecar whose format is known. */
export interface SidecarDocument {
  readonly relPath: string;
  readonly document: SpecDocument;
  readonly reader: SpecReader;
  /** Place of the reader in the list: the lower one tells more. */
  readonly rank: number;
}

/** Where a path leads must be inside the repository. @throws {AppError} DISK_PATH_OUTSIDE_REPOSITORY */
export async function pathInside(realRoot: string, relPath: string): Promise<string> {
  const absPath = path.join(realRoot, relPath);
  const real = await realpath(absPath).catch(() => absPath);
  if (isInside(realRoot, real)) return real;
  throw new AppError({
    code: 'DISK_PATH_OUTSIDE_REPOSITORY',
    message: `read VM specification ${relPath}: it leads outside the repository`,
    details: { path: relPath },
  });
}

/** Reads each sidecar once and tells its format. */
export interface SidecarLibrary {
  /** null = no known format, or of no use; where its name promised one, `skipped` has the reason. */
  find(relPath: string): Promise<SidecarDocument | null>;
  readonly skipped: readonly Skipped[];
}

/** Are files of this name always about a VM? */
function promisesVm(relPath: string): boolean {
  return /\.(?:ovf|vmx)$/i.test(relPath);
}

/** `readers`: all formats, those of the platforms beside our own JSON. */
export function openSidecars(realRoot: string, readers: readonly SpecReader[]): SidecarLibrary {
  const all = [ownReader, ...readers];
  const known = new Map<string, SidecarDocument | null>();
  const skipped: Skipped[] = [];
  let totalBytes = 0;
  const read = async (relPath: string): Promise<SidecarDocument | null> => {
    if (totalBytes >= maxTotalBytes || known.size >= maxFiles) {
      const reason = `more than ${maxFiles} files or ${maxTotalBytes} bytes that may describe a VM`;
      skipped.push({ relPath, code: 'CATALOG_SCAN_LIMIT', reason });
      return null;
    }
    try {
      const text = await readSpecText(await pathInside(realRoot, relPath), maxForeignBytes);
      const document = { name: relPath, text };
      const rank = all.findIndex((reader) => reader.recognise(document) !== null);
      const reader = all[rank];
      if (reader === undefined) return null;
      totalBytes += Buffer.byteLength(text);
      return { relPath, document, reader, rank };
    } catch (cause) {
      if (!isAppError(cause)) throw cause;
      if (promisesVm(relPath)) skipped.push({ relPath, code: cause.code, reason: cause.message });
      return null;
    }
  };
  return {
    skipped,
    find: async (relPath) => {
      const found = known.has(relPath) ? (known.get(relPath) ?? null) : await read(relPath);
      known.set(relPath, found);
      return found;
    },
  };
}
