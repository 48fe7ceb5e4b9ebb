import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { LoaderPlace, Firmware } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import type { ByteSource } from '../byteSource.ts';
import { gptBlockBytes, headerCrc, readGptCopy, type GptCopy } from '../volumes/gptHeader.ts';
import { biosBootType, espType } from '../volumes/partitionTypes.ts';

/** Bytes for one place of a disk. */
export interface DiskWrite {
  readonly offsetBytes: number;
  readonly bytes: Buffer;
}

/** What is added, and where. */
export interface NewPartition {
  readonly number: number;
  readonly scheme: LoaderPlace['scheme'];
  readonly area: LoaderPlace['area'];
  readonly firmware: Firmware;
}

function changed(message: string): AppError {
  return new AppError({ code: 'GUEST_EDIT_FAILED', message: `add partition: ${message}` });
}

/** The binary form of a GUID: its first three parts are little-endian (UEFI 2.10, appendix A). */
function guidBytes(text: string): Buffer {
  const bytes = Buffer.from(text.replaceAll('-', ''), 'hex');
  return Buffer.concat([
    bytes.subarray(0, 4).toReversed(),
    bytes.subarray(4, 6).toReversed(),
    bytes.subarray(6, 8).toReversed(),
    bytes.subarray(8),
  ]);
}

async function mbrEntry(source: ByteSource, { number, area }: NewPartition): Promise<readonly DiskWrite[]> {
  const sector = await source.read(0, gptBlockBytes);
  const at = 446 + 16 * (number - 1);
  const entry = Buffer.alloc(16);
  // CHS addresses that say "too far for CHS" (UEFI 2.10 §5.2.1).
  entry.fill(0xff, 1, 4);
  entry.writeUInt8(0xef, 4);
  entry.fill(0xff, 5, 8);
  entry.writeUInt32LE(area.firstSector, 8);
  entry.writeUInt32LE(area.sectors, 12);
  const present = sector.subarray(at, at + 16);
  if (number > 4 || present.some((byte) => byte !== 0)) throw changed(`entry ${number} is in use`);
  return [{ offsetBytes: at, bytes: entry }];
}

/** A unique GUID that is the same for every attempt: of the disk's own and the number. */
function partitionGuid(primary: GptCopy, number: number): Buffer {
  const digest = createHash('sha256')
    .update(primary.header.subarray(56, 72))
    .update(`ascend ${number}`)
    .digest();
  const guid = Buffer.from(digest.subarray(0, 16));
  // Version 8 (own) and variant of RFC 9562, in the mixed byte order.
  guid.writeUInt8((guid.readUInt8(7) & 0x0f) | 0x80, 7);
  guid.writeUInt8((guid.readUInt8(8) & 0x3f) | 0x80, 8);
  return guid;
}

function gptEntry(primary: GptCopy, { number, area, firmware }: NewPartition): Buffer {
  const entry = Buffer.alloc(128);
  guidBytes(firmware === 'uefi' ? espType : biosBootType).copy(entry, 0);
  partitionGuid(primary, number).copy(entry, 16);
  entry.writeBigUInt64LE(BigInt(area.firstSector), 32);
  entry.writeBigUInt64LE(BigInt(area.firstSector + area.sectors - 1), 40);
  Buffer.from(firmware === 'uefi' ? 'EFI system partition' : 'BIOS boot partition', 'utf16le').copy(
    entry,
    56,
  );
  return entry;
}

function withEntry(copy: GptCopy, { number, area }: NewPartition, entry: Buffer): readonly DiskWrite[] {
  const table = Buffer.from(copy.table);
  entry.copy(table, (number - 1) * copy.entryBytes);
  const header = Buffer.from(copy.header);
  header.writeBigUInt64LE(BigInt(Math.min(copy.firstUsable, area.firstSector)), 40);
  header.writeUInt32LE(crc32(table), 88);
  header.writeUInt32LE(headerCrc(header), 16);
  return [
    { offsetBytes: copy.tableBlock * gptBlockBytes, bytes: table },
    { offsetBytes: copy.block * gptBlockBytes, bytes: header },
  ];
}

/** Both copies, the second one first: a half-written table is then still whole at the beginning of the disk. */
async function gptEntries(source: ByteSource, added: NewPartition): Promise<readonly DiskWrite[]> {
  const primary = await readGptCopy(source, 1);
  const backup = primary === null ? null : await readGptCopy(source, primary.otherBlock);
  if (primary === null || backup === null) throw changed('the table is not whole');
  const index = added.number - 1;
  const present = primary.table.subarray(index * 128, index * 128 + 128);
  if (present.length < 128 || present.some((byte) => byte !== 0))
    throw changed(`entry ${added.number} is in use`);
  const entry = gptEntry(primary, added);
  return [...withEntry(backup, added, entry), ...withEntry(primary, added, entry)];
}

/**
 * The bytes that add one partition to a disk; other partitions keep numbers, places and identities. Pure but for reading.
 *
 * @throws {AppError} GUEST_EDIT_FAILED - the entry is in use, or the table is damaged
 */
export async function addPartition(source: ByteSource, added: NewPartition): Promise<readonly DiskWrite[]> {
  return added.scheme === 'mbr' ? await mbrEntry(source, added) : await gptEntries(source, added);
}
