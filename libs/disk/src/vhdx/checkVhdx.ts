import { checkFile, type Findings, type StructureReport } from '../blocks/structureReport.ts';
import type { ByteReader } from '../formats/imageHeader.ts';
import { blockStates, readBatEntry } from './bat.ts';
import { checkMetadata, type VhdxFacts } from './checkMetadata.ts';
import { checkRegions, takeRegion, type Region } from './checkRegions.ts';
import { structureChecksum } from './crc32c.ts';
import { createSpaceMap, type SpaceMap } from './spaceMap.ts';
import { batEntriesOf, chunkRatioOf, places } from './vhdxLayout.ts';

const mib = 1024 ** 2;
const headerSectionBytes = mib;

type Facts = Omit<StructureReport, 'problems'>;

const noFacts: Facts = { virtualSizeBytes: null, blockBytes: null, allocatedBlocks: null };

interface Header {
  readonly sequenceNumber: bigint;
  readonly bytes: Buffer;
}

async function readHeader(file: ByteReader, at: number, findings: Findings): Promise<Header | null> {
  const bytes = await file.readAt(at, places.headerBytes);
  const add = (problem: string): null => {
    findings.add(`header at ${at}: ${problem}`);
    return null;
  };
  if (bytes.toString('latin1', 0, 4) !== 'head') return add('the signature is missing');
  if (bytes.readUInt32LE(4) !== structureChecksum(bytes)) return add('the checksum is wrong');
  if (bytes.readUInt16LE(66) !== 1) return add(`version ${bytes.readUInt16LE(66)} is not known`);
  return { sequenceNumber: bytes.readBigUInt64LE(8), bytes };
}

/** Checks both headers and the log of the current one. False: there is none to go by. [MS-VHDX] 2.2.2 */
async function checkHeaders(file: ByteReader, space: SpaceMap, findings: Findings): Promise<boolean> {
  const [firstAt, secondAt] = places.headers;
  const first = await readHeader(file, firstAt, findings);
  const second = await readHeader(file, secondAt, findings);
  const isSame = first !== null && second !== null && first.sequenceNumber === second.sequenceNumber;
  if (isSame && !first.bytes.equals(second.bytes)) {
    findings.add(`both headers have the sequence number ${first.sequenceNumber}, and they differ`);
  }
  const isSecond = second !== null && (first === null || second.sequenceNumber > first.sequenceNumber);
  const current = isSecond ? second.bytes : first?.bytes;
  if (current === undefined) return false;
  const hasLog = current.subarray(48, 64).some((byte) => byte !== 0);
  if (hasLog) findings.add('the log must be replayed: the file was not closed');
  if (current.readUInt16LE(64) !== 0) findings.add(`log version ${current.readUInt16LE(64)} is not known`);
  takeRegion('log', current.readBigUInt64LE(72), current.readUInt32LE(68), space, findings);
  return true;
}

/** Looks at one payload entry; true when the block has space in the file. */
function checkPayload(
  table: Buffer,
  at: number,
  block: number,
  context: { readonly blockBytes: number; readonly space: SpaceMap; readonly findings: Findings },
): boolean {
  const { state, offsetMiB, reserved } = readBatEntry(table, at);
  const { findings } = context;
  if (state === blockStates.partiallyPresent || state === 4 || state === 5) {
    findings.add(`block ${block}: state ${state} is not allowed`);
  }
  if (state !== blockStates.fullyPresent) return false;
  if (reserved !== 0) findings.add(`block ${block}: reserved bits are set`);
  const problem =
    offsetMiB === 0 ? 'overlaps another structure' : context.space.take(offsetMiB * mib, context.blockBytes);
  if (problem !== null)
    findings.add(`block ${block}: ${context.blockBytes} bytes at MiB ${offsetMiB}: ${problem}`);
  return true;
}

/** Checks the table of a disk without parent; the number of its blocks that have space in the file. [MS-VHDX] 2.5 */
async function checkBat(
  file: ByteReader,
  region: Region,
  facts: VhdxFacts,
  space: SpaceMap,
  findings: Findings,
): Promise<number> {
  const chunkRatio = chunkRatioOf(facts);
  const entries = batEntriesOf(Math.ceil(facts.sizeBytes / facts.blockBytes), chunkRatio);
  if (entries * 8 > region.lengthBytes) {
    findings.add(`the block table of ${region.lengthBytes} bytes does not hold ${entries} entries`);
    return 0;
  }
  const context = { blockBytes: facts.blockBytes, space, findings };
  let allocated = 0;
  for (let from = 0; from < entries; from += mib / 8) {
    const table = await file.readAt(region.at + from * 8, Math.min(mib, (entries - from) * 8));
    for (let at = 0; at < table.length; at += 8) {
      const index = from + at / 8;
      const isBitmap = index % (chunkRatio + 1) === chunkRatio;
      if (isBitmap && readBatEntry(table, at).state !== 0) {
        findings.add(`entry ${index} names a sector bitmap, which only a disk with a parent has`);
      }
      const block = index - Math.floor(index / (chunkRatio + 1));
      if (!isBitmap && checkPayload(table, at, block, context)) allocated += 1;
    }
  }
  return allocated;
}

async function check(file: ByteReader, findings: Findings): Promise<Facts> {
  if (file.sizeBytes < headerSectionBytes) {
    findings.add(`the file has ${file.sizeBytes} bytes, less than its header section`);
    return noFacts;
  }
  const signature = await file.readAt(0, 8);
  if (signature.toString('latin1') !== 'vhdxfile') findings.add('the file signature is missing');
  const space = createSpaceMap(file.sizeBytes);
  if (space === null) {
    findings.add(`a file of ${file.sizeBytes} bytes is larger than any VHDX`);
    return noFacts;
  }
  space.take(0, headerSectionBytes);
  if (!(await checkHeaders(file, space, findings))) return noFacts;
  const regions = await checkRegions(file, space, findings);
  const facts = regions === null ? null : await checkMetadata(file, regions.metadata, findings);
  if (regions === null || facts === null) return noFacts;
  const known = { virtualSizeBytes: facts.sizeBytes, blockBytes: facts.blockBytes, allocatedBlocks: null };
  if (facts.hasParent) {
    findings.add('the disk has a parent: it does not stand alone, and its table was not checked');
    return known;
  }
  return { ...known, allocatedBlocks: await checkBat(file, regions.bat, facts, space, findings) };
}

/**
 * Checks the structure of a VHDX: signatures, checksums, sequence numbers, region tables, required items, block table; and that nothing
 * overlaps, lies outside the file or off its alignment. Reads tables only, no data; memory is one bit for each MiB of the file.
 *
 * @throws {AppError} DISK_FILE_MISSING, DISK_FILE_UNREADABLE, DISK_FILE_NOT_REGULAR
 */
export async function checkVhdx(filePath: string): Promise<StructureReport> {
  return await checkFile(filePath, check);
}
