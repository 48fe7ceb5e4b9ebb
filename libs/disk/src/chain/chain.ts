import { realpath } from 'node:fs/promises';
import path from 'node:path';
import type { LayerFacts, SourceFormat } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import { openImageFile, type ImageFile } from '../formats/imageFile.ts';
import { headerError, type ImageHeader } from '../formats/imageHeader.ts';
import { detectFormat, readImageHeader } from '../formats/readHeader.ts';
import { readVmdkExtentLines } from '../formats/vmdkHeader.ts';
import { readVmdkSparseLayout } from '../formats/vmdkLayout.ts';
import { hashHead } from './fingerprint.ts';
import { isInside, locate, openRoot, relativeName, type RepositoryRoot } from './locate.ts';

// QEMU opens every layer as its own node; beyond this depth the open alone takes seconds and many descriptors.
const maxLayers = 200;

/** One file of a chain as found here. */
export interface ChainLayer extends LayerFacts {
  /** Real path on this machine, links resolved, below the repository root. */
  readonly absPath: string;
  readonly virtualSizeBytes: number;
}

/** One disk of a restore point: its files, top (the chosen point) first. */
export interface DiskChain {
  readonly rootPath: string;
  /** Size of the top layer; a shorter backing file reads as zeros behind its end. */
  readonly virtualSizeBytes: number;
  readonly layers: readonly ChainLayer[];
  /** Sentences an operator should know about the files, e.g. one that was not closed cleanly. */
  readonly remarks: readonly string[];
}

/** Which disk to open. */
export interface OpenChainParams {
  /** Root folder of the repository on this machine. */
  readonly rootPath: string;
  /** As recorded: absolute (possibly under another mount point) or relative to the root. */
  readonly path: string;
  readonly format: SourceFormat;
}

/**
 * The plain file name that a recorded backing name means.
 *
 * @throws {AppError} DISK_BACKING_PROTOCOL - `json:`, `nbd:`, `http:` and the like
 */
function plainBackingName(name: string, label: string): string {
  const plain = name.startsWith('file:') && !name.startsWith('file://') ? name.slice('file:'.length) : name;
  const colon = plain.indexOf(':');
  const slash = plain.indexOf('/');
  // The same rule as QEMU's path_has_protocol: a colon before the first slash makes a protocol.
  if (colon === -1 || (slash !== -1 && slash < colon)) return plain;
  throw new AppError({
    code: 'DISK_BACKING_PROTOCOL',
    message: `open chain ${label}: its backing name starts with the protocol ${JSON.stringify(plain.slice(0, Math.min(colon, 20)))}`,
    details: { file: label },
  });
}

/** Danger: the block layer believes the header of a sparse extent, which can send it to any file; so it is read here first. */
async function checkSparseExtent(absPath: string, name: string): Promise<void> {
  const extent = await openImageFile(absPath, name);
  try {
    await readVmdkSparseLayout(extent);
  } finally {
    await extent.close();
  }
}

async function checkExtents(root: RepositoryRoot, file: ImageFile, header: ImageHeader): Promise<void> {
  if (header.extentFiles.length === 0) return;
  for (const { kind, fileName: name } of (await readVmdkExtentLines(file)) ?? []) {
    const real = await realpath(path.join(path.dirname(file.absPath), name)).catch(() => null);
    if (real === null) throw headerError(file.label, `its extent ${name} is missing`, 'DISK_BACKING_MISSING');
    if (!isInside(root.real, real)) {
      throw headerError(
        file.label,
        `its extent ${name} is a link out of the repository`,
        'DISK_PATH_OUTSIDE_REPOSITORY',
      );
    }
    if (kind === 'SPARSE') await checkSparseExtent(real, name);
  }
}

interface OpenedLayer {
  readonly layer: ChainLayer;
  readonly header: ImageHeader;
  readonly identity: string;
}

async function openLayer(
  root: RepositoryRoot,
  absPath: string,
  format: SourceFormat | null,
): Promise<OpenedLayer> {
  const relPath = relativeName(root, absPath);
  const file = await openImageFile(absPath, relPath);
  try {
    const header = await readImageHeader(file, format ?? (await detectFormat(file)));
    await checkExtents(root, file, header);
    return {
      header,
      identity: file.identity,
      layer: {
        relPath,
        absPath,
        format: header.format,
        fileSizeBytes: file.sizeBytes,
        mtimeMs: file.mtimeMs,
        virtualSizeBytes: header.virtualSizeBytes,
        headSha256: await hashHead(file, header),
      },
    };
  } finally {
    await file.close();
  }
}

/** Signs that a backing file is not the one its overlay was made on. None of them is proof: copying a file changes its time. */
function doubtsAbout(overlay: ChainLayer | undefined, backing: ChainLayer): string[] {
  if (overlay === undefined) return [];
  const doubts: string[] = [];
  if (backing.mtimeMs > overlay.mtimeMs) {
    doubts.push(`${backing.relPath} was changed after ${overlay.relPath}, which stands on it`);
  }
  if (backing.virtualSizeBytes > overlay.virtualSizeBytes) {
    const sizes = `${backing.virtualSizeBytes} and ${overlay.virtualSizeBytes} bytes`;
    doubts.push(`${backing.relPath} is larger than ${overlay.relPath}, which stands on it (${sizes})`);
  }
  return doubts;
}

function missingError(recorded: string, namedBy: ChainLayer | undefined, root: RepositoryRoot): AppError {
  const details = { recordedPath: recorded, rootPath: root.given };
  if (namedBy === undefined) {
    const message = `open chain ${recorded}: there is no such file in ${root.given}`;
    return new AppError({ code: 'DISK_FILE_MISSING', message, details });
  }
  return new AppError({
    code: 'DISK_BACKING_MISSING',
    message: `open chain ${namedBy.relPath}: its backing file ${recorded} is not in ${root.given}`,
    details: { ...details, file: namedBy.relPath },
  });
}

/**
 * Opens one disk of a backup: finds every file of its chain below the root, checks every header, and closes them again.
 * Reads only; no program but this one has touched the files.
 *
 * @throws {AppError} DISK_FILE_MISSING, DISK_BACKING_MISSING, DISK_PATH_OUTSIDE_REPOSITORY, DISK_BACKING_PROTOCOL, DISK_CHAIN_LOOP,
 * DISK_CHAIN_TOO_LONG, DISK_FILE_NOT_REGULAR, DISK_FILE_UNREADABLE, DISK_FORMAT_MISMATCH, DISK_FORMAT_UNSUPPORTED, DISK_HEADER_INVALID,
 * DISK_IMAGE_TRUNCATED, DISK_IMAGE_CORRUPT, DISK_IMAGE_ENCRYPTED, DISK_EXTERNAL_DATA_FILE
 */
export async function openChain(params: OpenChainParams): Promise<DiskChain> {
  const root = await openRoot(params.rootPath);
  const layers: ChainLayer[] = [];
  const remarks: string[] = [];
  const seen = new Set<string>();
  let recorded: string | null = params.path;
  let format: SourceFormat | null = params.format;
  while (recorded !== null) {
    const namedBy = layers.at(-1);
    const absPath: string | null = await locate(root, recorded, namedBy?.absPath ?? null);
    if (absPath === null) throw missingError(recorded, namedBy, root);
    const opened: OpenedLayer = await openLayer(root, absPath, format);
    if (seen.has(opened.identity)) {
      throw new AppError({
        code: 'DISK_CHAIN_LOOP',
        message: `open chain ${params.path}: layer ${layers.length} leads back to ${opened.layer.relPath}`,
        details: { file: opened.layer.relPath, layerCount: layers.length },
      });
    }
    seen.add(opened.identity);
    layers.push(opened.layer);
    if (!opened.header.closedCleanly) {
      remarks.push(`${opened.layer.relPath} was not closed cleanly (reference counts may be stale)`);
    }
    remarks.push(...doubtsAbout(namedBy, opened.layer));
    if (layers.length > maxLayers) {
      throw new AppError({
        code: 'DISK_CHAIN_TOO_LONG',
        message: `open chain ${params.path}: more than ${maxLayers} files`,
        details: { file: params.path, maxLayers },
      });
    }
    const backing: ImageHeader['backing'] = opened.header.backing;
    recorded = backing === null ? null : plainBackingName(backing.name, opened.layer.relPath);
    format = backing?.format ?? null;
  }
  return { rootPath: root.given, virtualSizeBytes: layers[0]?.virtualSizeBytes ?? 0, layers, remarks };
}
