import type { FileHandle } from 'node:fs/promises';
import { createBlockFile, payloadAt, type SlotLayout } from '../blocks/blockFile.ts';
import { readExactly, writeFully, type WritableFile } from '../blocks/fileAccess.ts';
import { openImageSink, type OpenImage } from '../blocks/imageSink.ts';
import { pagesOf } from '../blocks/tablePages.ts';
import { changeFile } from '../fileErrors.ts';
import type { FileSinkParams, PartialFileSink } from '../sinks/partialSink.ts';
import { checkVhd } from './checkVhd.ts';
import {
  bitmapBytes,
  buildDynamicHeader,
  dynamicHeaderAt,
  dynamicHeaderBytes,
  tableAt,
  unusedEntry,
  vhdBlockBytes,
} from './dynamicHeader.ts';
import { buildVhdFooter, footerBytes, newVhdFooter, parseVhdFooter, type VhdFooter } from './vhdFooter.ts';
import { vhdSizeBytes } from './vhdSize.ts';

/** How to write a dynamic VHD. */
export interface DynamicVhdOptions {
  /** Default false: Windows refuses a VHD with holes, so the space of each touched block is reserved when the file is finished. */
  readonly sparse?: boolean;
}

// The payload of each block starts on a page and its bitmap ends there. The format lets blocks lie on any sector.
const pageBytes = 4096;
const alignmentBytes = 512;
const ourBitmapBytes = bitmapBytes(vhdBlockBytes);
/** Stands where the cookie of the copy of the footer will be: the file is ours, and no VHD yet. */
const partialCookie = 'ascendpt';

function layoutOf(entries: number): SlotLayout {
  const firstSlotAt = Math.ceil((tableAt + entries * 4) / pageBytes) * pageBytes;
  return {
    blockBytes: vhdBlockBytes,
    firstSlotAt,
    slotBytes: pageBytes + vhdBlockBytes,
    payloadInSlot: pageBytes,
  };
}

/** A page that ends in a bitmap with all sectors marked as written: what was not is zeros in the file too. */
function slotHead(): Buffer {
  return Buffer.concat([Buffer.alloc(pageBytes - ourBitmapBytes), Buffer.alloc(ourBitmapBytes, 0xff)]);
}

function partialMark(footer: VhdFooter): Buffer {
  const bytes = buildVhdFooter(footer);
  bytes.write(partialCookie, 0, 'latin1');
  return bytes;
}

/** The footer of a partial mark, or of a file that was complete but for its name. */
function readMark(bytes: Buffer): VhdFooter | null {
  const footer = Buffer.from(bytes);
  if (footer.toString('latin1', 0, 8) === partialCookie) footer.write('conectix', 0, 'latin1');
  const parsed = parseVhdFooter(footer);
  return typeof parsed === 'string' || parsed.type !== 'dynamic' ? null : parsed;
}

interface Started {
  readonly footer: VhdFooter;
  readonly slots: Uint32Array;
  readonly kept: boolean;
}

/** What an earlier attempt left, when all of it is as we write it. */
async function readKept(handle: FileHandle, sizeBytes: number, entries: number): Promise<Started | null> {
  const layout = layoutOf(entries);
  const head = await readExactly(handle, 0, tableAt + entries * 4);
  const footer = head === null ? null : readMark(head.subarray(0, footerBytes));
  if (head === null || footer?.sizeBytes !== sizeBytes) return null;
  const header = head.subarray(dynamicHeaderAt, dynamicHeaderAt + dynamicHeaderBytes);
  if (!header.equals(buildDynamicHeader(entries))) return null;
  const slots = new Uint32Array(entries);
  const isTaken = new Uint8Array(entries);
  for (let block = 0; block < entries; block += 1) {
    const sector: number = head.readUInt32BE(tableAt + block * 4);
    if (sector === unusedEntry) continue;
    const slot = (sector * 512 + ourBitmapBytes - payloadAt(layout, 0)) / layout.slotBytes;
    if (!Number.isInteger(slot) || slot < 0 || slot >= entries || isTaken[slot] === 1) return null;
    isTaken[slot] = 1;
    slots[block] = slot + 1;
  }
  return { footer, slots, kept: true };
}

async function startOrResume(file: WritableFile, params: FileSinkParams): Promise<Started> {
  const { sizeBytes } = params;
  const entries = Math.ceil(sizeBytes / vhdBlockBytes);
  const kept = params.resume ? await readKept(file.handle, sizeBytes, entries) : null;
  if (kept !== null) {
    // It may have been complete: it must not look so while it changes.
    await writeFully(file, 0, partialMark(kept.footer));
    await file.handle.datasync();
    return kept;
  }
  const footer = newVhdFooter('dynamic', sizeBytes);
  const head = Buffer.alloc(layoutOf(entries).firstSlotAt);
  head.fill(0xff, tableAt);
  partialMark(footer).copy(head);
  buildDynamicHeader(entries).copy(head, dynamicHeaderAt);
  await file.handle.truncate(0);
  await writeFully(file, 0, head);
  return { footer, slots: new Uint32Array(entries), kept: false };
}

async function writeTable(file: WritableFile, named: Uint32Array, blocks: readonly number[]): Promise<void> {
  const layout = layoutOf(named.length);
  for (const { from, to } of pagesOf(blocks, pageBytes / 4, named.length)) {
    const bytes = Buffer.alloc((to - from) * 4);
    for (let block = from; block < to; block += 1) {
      const slot = named[block] ?? 0;
      const sector: number = (payloadAt(layout, slot - 1) - ourBitmapBytes) / 512;
      bytes.writeUInt32BE(slot === 0 ? unusedEntry : sector, (block - from) * 4);
    }
    await writeFully(file, tableAt + from * 4, bytes);
  }
}

/** True when the file is a complete dynamic VHD of this size. */
export async function isDynamicVhd(filePath: string, sizeBytes: number): Promise<boolean> {
  const report = await checkVhd(filePath).catch(() => null);
  return report?.problems.length === 0 && report.blockBytes !== null && report.virtualSizeBytes === sizeBytes;
}

async function openImage(file: WritableFile, params: FileSinkParams): Promise<OpenImage> {
  const { sizeBytes } = params;
  const { footer, slots, kept } = await startOrResume(file, params);
  const blocks = createBlockFile({
    file,
    sizeBytes,
    alignmentBytes,
    layout: layoutOf(slots.length),
    slots,
    slotHead: slotHead(),
    writeTable: (named, fresh) => writeTable(file, named, fresh),
  });
  const complete = async (endBytes: number): Promise<void> => {
    const bytes = buildVhdFooter(footer);
    await writeFully(file, endBytes, bytes);
    await changeFile('finish', file.path, () => file.handle.sync());
    await writeFully(file, 0, bytes);
  };
  return { blocks, alignmentBytes, kept, complete };
}

/**
 * A dynamic VHD with blocks of 2 MiB, which are appended as they are first touched. The copy of the footer at the start is written last:
 * what was cut before has none, is refused by readers and goes on by resume. Memory: 8 bytes for each block, 8 MiB at 2040 GiB.
 *
 * @throws {AppError} DISK_FORMAT_LIMIT, DISK_IO_FAILED, DISK_SPACE_EXHAUSTED
 */
export async function openDynamicVhdSink(
  params: FileSinkParams,
  options: DynamicVhdOptions = {},
): Promise<PartialFileSink> {
  vhdSizeBytes(params.sizeBytes);
  return await openImageSink(params, { sparse: options.sparse ?? false }, (file) => openImage(file, params));
}
