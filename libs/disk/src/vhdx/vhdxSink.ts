import type { FileHandle } from 'node:fs/promises';
import { AppError } from '@ascend/errors';
import { createBlockFile } from '../blocks/blockFile.ts';
import { readExactly, writeFully, writeZeroBytes, type WritableFile } from '../blocks/fileAccess.ts';
import { openImageSink, type OpenImage } from '../blocks/imageSink.ts';
import { pagesOf } from '../blocks/tablePages.ts';
import { changeFile } from '../fileErrors.ts';
import type { FileSinkParams, PartialFileSink } from '../sinks/partialSink.ts';
import { batIndexes, decodeBat, encodeBat } from './bat.ts';
import { chooseBlockBytes } from './blockSize.ts';
import { checkVhdx } from './checkVhdx.ts';
import { newGuid } from './guid.ts';
import { maxVhdxBytes, places, vhdxLayout, type SectorSizes, type VhdxLayout } from './vhdxLayout.ts';
import { buildFileIdentifier, buildHeader, buildMetadata, buildRegionTable } from './vhdxTables.ts';

const mib = 1024 ** 2;
const entriesPerWindow = mib / 8;
const entriesPerPage = 512;

/** How to write a VHDX. */
export interface VhdxOptions {
  /** What the guest sees. `512e` (default): 512 logical, 4096 physical, the usual pair; `512n`: both 512; `4kn`: both 4096. */
  readonly sectors?: '512e' | '512n' | '4kn';
  /** Default: chosen by the survey (`chooseBlockBytes`). On resume the block size of the partial file counts. */
  readonly blockBytes?: number;
  /** Default false: Windows refuses a VHDX with holes, so the space of each touched block is reserved when the file is finished. */
  readonly sparse?: boolean;
}

const sectorSizes: Readonly<Record<NonNullable<VhdxOptions['sectors']>, SectorSizes>> = {
  '512e': { logicalSectorBytes: 512, physicalSectorBytes: 4096 },
  '512n': { logicalSectorBytes: 512, physicalSectorBytes: 512 },
  '4kn': { logicalSectorBytes: 4096, physicalSectorBytes: 4096 },
};

/** @throws {AppError} DISK_FORMAT_LIMIT; DISK_RANGE_INVALID - no multiple of the sector size */
export function checkVhdxSize(sizeBytes: number, sectorBytes: number): void {
  if (sizeBytes > maxVhdxBytes) {
    throw new AppError({
      code: 'DISK_FORMAT_LIMIT',
      message: `size VHDX: ${sizeBytes} bytes are more than the ${maxVhdxBytes} bytes (64 TiB) that the format takes`,
      details: { format: 'vhdx', limitBytes: maxVhdxBytes, sizeBytes },
    });
  }
  if (sizeBytes % sectorBytes === 0) return;
  throw new AppError({
    code: 'DISK_RANGE_INVALID',
    message: `size VHDX: ${sizeBytes} bytes are no multiple of the sector size ${sectorBytes}`,
    details: { format: 'vhdx', sizeBytes, sectorBytes },
  });
}

interface Started {
  readonly layout: VhdxLayout;
  readonly slots: Uint32Array;
  readonly kept: boolean;
}

/** Is the metadata region the one that we write for this layout? The disk's identity is random and not compared. */
function isOwnMetadata(found: Buffer, layout: VhdxLayout): boolean {
  const wanted = buildMetadata(layout);
  const page83At = 64 * 1024 + 16;
  found.copy(wanted, page83At, page83At, page83At + 16);
  return wanted.equals(found);
}

async function readSlots(handle: FileHandle, layout: VhdxLayout): Promise<Uint32Array | null> {
  const slots = new Uint32Array(layout.blocks);
  for (let from = 0; from < layout.batEntries; from += entriesPerWindow) {
    const window = await readExactly(handle, places.batAt + from * 8, mib);
    if (window === null || !decodeBat(layout, window, from, slots)) return null;
  }
  const isTaken = new Uint8Array(layout.blocks + 1);
  for (const slot of slots) {
    if (slot !== 0 && isTaken[slot] === 1) return null;
    isTaken[slot] = 1;
  }
  return slots;
}

/** What an earlier attempt left, when all of it is as we write it; its block size counts, whatever would be chosen now. */
async function readKept(
  handle: FileHandle,
  sizeBytes: number,
  sectors: SectorSizes,
): Promise<Started | null> {
  const identifier = await readExactly(handle, 0, 64 * 1024);
  const metadata = await readExactly(handle, places.metadataAt, places.metadataBytes);
  if (identifier === null || metadata === null || !identifier.equals(buildFileIdentifier())) return null;
  const blockBytes = metadata.readUInt32LE(64 * 1024);
  const isPower = blockBytes > 0 && (blockBytes & (blockBytes - 1)) === 0;
  if (!isPower || blockBytes < mib || blockBytes > 256 * mib) return null;
  const layout = vhdxLayout({ ...sectors, sizeBytes, blockBytes });
  if (!isOwnMetadata(metadata, layout)) return null;
  for (const at of places.regionTables) {
    const table = await readExactly(handle, at, places.regionTableBytes);
    if (table?.equals(buildRegionTable(layout)) !== true) return null;
  }
  const slots = await readSlots(handle, layout);
  return slots === null ? null : { layout, slots, kept: true };
}

/** All but the headers: without them no reader takes the file for a VHDX. */
async function startFile(file: WritableFile, layout: VhdxLayout): Promise<Started> {
  const slots = new Uint32Array(layout.blocks);
  await file.handle.truncate(0);
  await writeZeroBytes(file, 0, places.metadataAt);
  await writeFully(file, 0, buildFileIdentifier());
  for (const at of places.regionTables) await writeFully(file, at, buildRegionTable(layout));
  await writeFully(file, places.metadataAt, buildMetadata(layout));
  for (let from = 0; from * 8 < layout.batBytes; from += entriesPerWindow) {
    await writeFully(file, places.batAt + from * 8, encodeBat(layout, slots, from, from + entriesPerWindow));
  }
  return { layout, slots, kept: false };
}

async function startOrResume(
  file: WritableFile,
  params: FileSinkParams,
  options: VhdxOptions,
): Promise<Started> {
  const sectors = sectorSizes[options.sectors ?? '512e'];
  const { sizeBytes } = params;
  const kept = params.resume ? await readKept(file.handle, sizeBytes, sectors) : null;
  if (kept !== null) {
    // It may have been complete but for its name: it must not look so while it changes.
    for (const at of places.headers) await writeZeroBytes(file, at, places.headerBytes);
    await file.handle.datasync();
    return kept;
  }
  const blockBytes = options.blockBytes ?? chooseBlockBytes(sizeBytes, params.survey);
  return await startFile(file, vhdxLayout({ ...sectors, sizeBytes, blockBytes }));
}

async function writeTable(
  file: WritableFile,
  layout: VhdxLayout,
  named: Uint32Array,
  blocks: readonly number[],
): Promise<void> {
  for (const { from, to } of pagesOf(batIndexes(layout, blocks), entriesPerPage, layout.batEntries)) {
    await writeFully(file, places.batAt + from * 8, encodeBat(layout, named, from, to));
  }
}

async function openImage(
  file: WritableFile,
  params: FileSinkParams,
  options: VhdxOptions,
): Promise<OpenImage> {
  const { layout, slots, kept } = await startOrResume(file, params, options);
  const { blockBytes, firstPayloadAt, logicalSectorBytes } = layout;
  const blocks = createBlockFile({
    file,
    sizeBytes: params.sizeBytes,
    alignmentBytes: logicalSectorBytes,
    layout: { blockBytes, firstSlotAt: firstPayloadAt, slotBytes: blockBytes, payloadInSlot: 0 },
    slots,
    slotHead: null,
    writeTable: (named, fresh) => writeTable(file, layout, named, fresh),
  });
  const complete = async (): Promise<void> => {
    await changeFile('finish', file.path, () => file.handle.sync());
    const ids = { fileWrite: newGuid(), dataWrite: newGuid() };
    for (const [index, at] of places.headers.entries()) {
      await writeFully(file, at, buildHeader(index + 1, ids));
    }
  };
  return { blocks, alignmentBytes: logicalSectorBytes, kept, complete };
}

/** True when the file is a complete VHDX of this size that stands alone. */
export async function isVhdx(filePath: string, sizeBytes: number): Promise<boolean> {
  const report = await checkVhdx(filePath).catch(() => null);
  return report?.problems.length === 0 && report.virtualSizeBytes === sizeBytes;
}

/**
 * A dynamic VHDX whose blocks are appended as they are first touched. The two headers are written last: what was cut before has none,
 * is refused by readers and goes on by resume. Memory: 8 bytes for each block and a bit for each MiB, 24 MiB at 64 TiB.
 *
 * @throws {AppError} DISK_FORMAT_LIMIT - above 64 TiB; DISK_RANGE_INVALID - a size that is no multiple of the logical sector;
 * DISK_IO_FAILED, DISK_SPACE_EXHAUSTED
 */
export async function openVhdxSink(
  params: FileSinkParams,
  options: VhdxOptions = {},
): Promise<PartialFileSink> {
  checkVhdxSize(params.sizeBytes, sectorSizes[options.sectors ?? '512e'].logicalSectorBytes);
  return await openImageSink(params, { sparse: options.sparse ?? false }, (file) =>
    openImage(file, params, options),
  );
}
