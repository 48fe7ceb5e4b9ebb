import { checkFile, type Findings, type StructureReport } from '../blocks/structureReport.ts';
import type { ByteReader } from '../formats/imageHeader.ts';
import {
  bitmapBytes,
  dynamicHeaderBytes,
  parseDynamicHeader,
  unusedEntry,
  type DynamicHeader,
} from './dynamicHeader.ts';
import { footerBytes, parseVhdFooter, type VhdFooter } from './vhdFooter.ts';
import { maxVhdBytes } from './vhdSize.ts';

const windowBytes = 1024 * 1024;
// 2040 GiB in blocks of 512 KiB; the blocks of nearly every VHD have 2 MiB.
const maxEntries = 4 * 1024 ** 2;

type Facts = Omit<StructureReport, 'problems'>;

const noFacts: Facts = { virtualSizeBytes: null, blockBytes: null, allocatedBlocks: null };

interface Extent {
  readonly at: number;
  readonly end: number;
  readonly what: string;
}

/** File offsets of all blocks that have space, in table order; null when the table cannot be read. */
async function readTable(file: ByteReader, header: DynamicHeader): Promise<Float64Array> {
  const at = Number(header.tableAt);
  const starts = new Float64Array(header.maxTableEntries);
  let used = 0;
  const bytes = header.maxTableEntries * 4;
  for (let done = 0; done < bytes; done += windowBytes) {
    const window = await file.readAt(at + done, Math.min(windowBytes, bytes - done));
    for (let entry = 0; entry < window.length; entry += 4) {
      const sector = window.readUInt32BE(entry);
      if (sector !== unusedEntry) {
        starts[used] = sector * 512;
        used += 1;
      }
    }
  }
  return starts.subarray(0, used);
}

function checkBlocks(
  starts: Float64Array,
  slotBytes: number,
  tables: readonly Extent[],
  findings: Findings,
): void {
  const dataEnd = tables.at(-1)?.at ?? 0;
  let previousEnd = 0;
  for (const at of starts.toSorted()) {
    const end = at + slotBytes;
    if (end > dataEnd) findings.add(`the block at ${at} ends at ${end}, behind the data (${dataEnd})`);
    if (at < previousEnd)
      findings.add(`the block at ${at} overlaps the block before it, which ends at ${previousEnd}`);
    const table = tables.find((other) => at < other.end && end > other.at && other.end <= dataEnd);
    if (table !== undefined) findings.add(`the block at ${at} overlaps the ${table.what}`);
    previousEnd = end;
  }
}

async function checkDynamic(
  file: ByteReader,
  footer: VhdFooter,
  last: Buffer,
  findings: Findings,
): Promise<Facts> {
  const facts = { ...noFacts, virtualSizeBytes: footer.sizeBytes };
  const first = await file.readAt(0, footerBytes);
  if (!first.equals(last)) findings.add('the footer and its copy at the start differ');
  const headerAt = last.readBigUInt64BE(16);
  if (headerAt % 512n !== 0n || headerAt > BigInt(file.sizeBytes - dynamicHeaderBytes)) {
    findings.add(`the dynamic header at ${headerAt} lies outside the file`);
    return facts;
  }
  const header = parseDynamicHeader(await file.readAt(Number(headerAt), dynamicHeaderBytes));
  if (typeof header === 'string') {
    findings.add(`dynamic header: ${header}`);
    return facts;
  }
  const { maxTableEntries, blockBytes } = header;
  if (maxTableEntries * blockBytes < footer.sizeBytes) {
    findings.add(`${maxTableEntries} blocks of ${blockBytes} bytes do not hold ${footer.sizeBytes} bytes`);
  }
  const tableBytes = BigInt(maxTableEntries) * 4n;
  if (
    maxTableEntries > maxEntries ||
    header.tableAt % 512n !== 0n ||
    header.tableAt + tableBytes > BigInt(file.sizeBytes)
  ) {
    findings.add(`the table of ${maxTableEntries} entries at ${header.tableAt} does not fit into the file`);
    return facts;
  }
  const at = Number(header.tableAt);
  const tables: Extent[] = [
    { at: 0, end: footerBytes, what: 'copy of the footer' },
    { at: Number(headerAt), end: Number(headerAt) + dynamicHeaderBytes, what: 'dynamic header' },
    { at, end: at + maxTableEntries * 4, what: 'block table' },
    { at: file.sizeBytes - footerBytes, end: file.sizeBytes, what: 'footer' },
  ];
  const starts = await readTable(file, header);
  checkBlocks(starts, bitmapBytes(blockBytes) + blockBytes, tables, findings);
  return { ...facts, blockBytes, allocatedBlocks: starts.length };
}

async function check(file: ByteReader, findings: Findings): Promise<Facts> {
  if (file.sizeBytes < footerBytes) {
    findings.add(`the file has ${file.sizeBytes} bytes, less than a footer`);
    return noFacts;
  }
  const last = await file.readAt(file.sizeBytes - footerBytes, footerBytes);
  const footer = parseVhdFooter(last);
  if (typeof footer === 'string') {
    findings.add(`footer: ${footer}`);
    return noFacts;
  }
  if (footer.sizeBytes > maxVhdBytes) findings.add(`${footer.sizeBytes} bytes are more than 2040 GiB`);
  if (footer.type === 'dynamic') return await checkDynamic(file, footer, last, findings);
  if (file.sizeBytes !== footer.sizeBytes + footerBytes) {
    findings.add(`a fixed disk of ${footer.sizeBytes} bytes in a file of ${file.sizeBytes}`);
  }
  if (last.readBigUInt64BE(16) !== 0xffff_ffff_ffff_ffffn)
    findings.add('a fixed disk names a dynamic header');
  return { ...noFacts, virtualSizeBytes: footer.sizeBytes };
}

/**
 * Checks the structure of a VHD, fixed or dynamic: footer, copy, checksums, sizes, table, and that no block lies outside the file
 * or on another. Reads tables only, no data; memory grows with the table, 32 MiB at most.
 *
 * @throws {AppError} DISK_FILE_MISSING, DISK_FILE_UNREADABLE, DISK_FILE_NOT_REGULAR
 */
export async function checkVhd(filePath: string): Promise<StructureReport> {
  return await checkFile(filePath, check);
}
