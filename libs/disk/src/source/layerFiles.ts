import path from 'node:path';
import type { SourceFormat } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import type { DiskImage } from '../blockdev.ts';
import type { ChainLayer } from '../chain/chain.ts';
import { assertChainUnchanged, hashHead } from '../chain/fingerprint.ts';
import { openImageFile, type ImageFile } from '../formats/imageFile.ts';
import { headerError, type ImageHeader } from '../formats/imageHeader.ts';
import { readQcow2Layout } from '../formats/qcow2Layout.ts';
import { readImageHeader } from '../formats/readHeader.ts';
import { readVhdLayout } from '../formats/vhdHeader.ts';
import { readVhdxLayout } from '../formats/vhdxHeader.ts';
import { readVmdkExtentLines } from '../formats/vmdkHeader.ts';
import { readVmdkSparseLayout } from '../formats/vmdkLayout.ts';
import type { LayerMap } from './maps/layerMap.ts';
import { createFlatMap, joinMaps } from './maps/plainMap.ts';
import { createQcow2Map } from './maps/qcow2Map.ts';
import { createTableCache, type TableCache } from './maps/tableCache.ts';
import { createVhdMap } from './maps/vhdMap.ts';
import { createVhdxMap } from './maps/vhdxMap.ts';
import { createVmdkMap } from './maps/vmdkMap.ts';

/** The files of a disk, open for reading, and what they say about it. */
export interface LayerFiles {
  /** Top first: overlays of ours, then the layers of the backup. */
  readonly maps: readonly LayerMap[];
  /** A file has holes of its own: parts that its tables call data may read as zeros. */
  readonly sparse: boolean;
  /** @throws {AppError} DISK_SOURCE_CHANGED, DISK_FILE_MISSING, DISK_FILE_UNREADABLE */
  assertUnchanged(): Promise<void>;
  /** Waits for reads in flight. Idempotent. */
  close(): Promise<void>;
}

/** Files are opened one after the other and all closed again when one of them fails. */
class OpenFiles {
  readonly #files: ImageFile[] = [];
  readonly tables: TableCache = createTableCache();
  sparse = false;

  async open(absPath: string, label: string, format: SourceFormat): Promise<ImageFile> {
    const file = await openImageFile(absPath, label);
    this.#files.push(file);
    this.sparse ||= hasHoles(file, format);
    return file;
  }

  all(): readonly ImageFile[] {
    return this.#files;
  }

  async close(): Promise<void> {
    await Promise.all(this.#files.map((file) => file.close()));
  }
}

async function mapVmdk(file: ImageFile, files: OpenFiles): Promise<LayerMap> {
  const lines = await readVmdkExtentLines(file);
  if (lines === null) return createVmdkMap(file, await readVmdkSparseLayout(file), files.tables);
  const parts: LayerMap[] = [];
  for (const line of lines) {
    if (line.sectors === 0) continue;
    const extentPath = path.join(path.dirname(file.absPath), line.fileName);
    const extent = await files.open(extentPath, line.fileName, 'vmdk');
    parts.push(
      line.kind === 'SPARSE'
        ? createVmdkMap(extent, await readVmdkSparseLayout(extent), files.tables)
        : createFlatMap(extent, line.sectors * 512, line.startSector * 512),
    );
  }
  return joinMaps(parts);
}

type MapFile = (file: ImageFile, header: ImageHeader, files: OpenFiles) => Promise<LayerMap> | LayerMap;

async function mapVhd(file: ImageFile, files: OpenFiles): Promise<LayerMap> {
  const { table, virtualSizeBytes } = await readVhdLayout(file);
  if (table === null) return createFlatMap(file, virtualSizeBytes);
  return createVhdMap(file, virtualSizeBytes, table, files.tables.open(file));
}

const mappers: Readonly<Record<SourceFormat, MapFile>> = {
  qcow2: async (file, header, files) =>
    createQcow2Map(file, await readQcow2Layout(file, header), files.tables),
  vhd: (file, _header, files) => mapVhd(file, files),
  vhdx: async (file, _header, files) =>
    createVhdxMap(file, await readVhdxLayout(file), files.tables.open(file)),
  vmdk: (file, _header, files) => mapVmdk(file, files),
  raw: (file, header) => createFlatMap(file, header.virtualSizeBytes),
  'ebs-snapshot': (file) => {
    throw headerError(file.label, 'a snapshot reference is no image file', 'DISK_FORMAT_UNSUPPORTED');
  },
};

async function mapLayer(
  file: ImageFile,
  format: SourceFormat,
  layer: ChainLayer | null,
  files: OpenFiles,
): Promise<LayerMap> {
  const header = await readImageHeader(file, format);
  const head = await hashHead(file, header);
  if (
    layer !== null &&
    (file.sizeBytes !== layer.fileSizeBytes ||
      file.mtimeMs !== layer.mtimeMs ||
      head !== layer.headSha256 ||
      header.virtualSizeBytes !== layer.virtualSizeBytes)
  ) {
    throw changed(file, 'it is not the file that the chain was opened with');
  }
  const map = await mappers[format](file, header, files);
  if (map.sizeBytes === header.virtualSizeBytes) return map;
  throw headerError(file.label, `its parts have ${map.sizeBytes} bytes, the disk ${header.virtualSizeBytes}`);
}

function changed(file: ImageFile, problem: string): AppError {
  return new AppError({
    code: 'DISK_SOURCE_CHANGED',
    message: `compare ${file.label}: ${problem}`,
    details: { file: file.label, openedSizeBytes: file.sizeBytes, openedMtimeMs: file.mtimeMs },
  });
}

/** Files hold fewer blocks than bytes when they have holes; a few small ones, as every image has them, are not worth a look. */
function hasHoles(file: ImageFile, format: SourceFormat): boolean {
  const missing = file.sizeBytes - file.allocatedBytes;
  const tolerated = format === 'qcow2' ? Math.max(1024 * 1024, file.sizeBytes / 8) : 0;
  return missing > tolerated;
}

async function assertSame(file: ImageFile): Promise<void> {
  const now = await openImageFile(file.absPath, file.label);
  await now.close();
  if (now.identity !== file.identity) throw changed(file, 'another file has its name now');
  if (now.sizeBytes === file.sizeBytes && now.mtimeMs === file.mtimeMs) return;
  throw changed(file, `${now.sizeBytes} bytes now, ${file.sizeBytes} when it was opened`);
}

/**
 * Opens every file of a disk once, read-only, and reads its header again: it must be the file that the chain was opened with.
 *
 * @throws {AppError} DISK_SOURCE_CHANGED, DISK_FILE_MISSING, DISK_FILE_UNREADABLE, DISK_IMAGE_CORRUPT, DISK_IMAGE_TRUNCATED,
 * DISK_HEADER_INVALID and the other codes of the formats' headers
 */
export async function openLayerFiles(image: DiskImage): Promise<LayerFiles> {
  const files = new OpenFiles();
  const maps: LayerMap[] = [];
  try {
    for (const overlay of image.overlays.toReversed()) {
      const file = await files.open(overlay, overlay, 'qcow2');
      maps.push(await mapLayer(file, 'qcow2', null, files));
    }
    for (const layer of image.chain.layers) {
      const file = await files.open(layer.absPath, layer.relPath, layer.format);
      maps.push(await mapLayer(file, layer.format, layer, files));
    }
  } catch (cause) {
    await files.close();
    throw cause;
  }
  return {
    maps,
    sparse: files.sparse,
    assertUnchanged: async () => {
      await assertChainUnchanged(image.chain);
      for (const file of files.all()) await assertSame(file);
    },
    close: () => files.close(),
  };
}
