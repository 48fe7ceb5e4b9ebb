import { crc32 } from 'node:zlib';
import type { ByteSource } from '../../byteSource.ts';

/** An LVM2 physical volume: who it is, and the newest metadata text stored on it. */
export interface PhysicalVolume {
  /** 32 characters, as stored, without dashes. */
  readonly id: string;
  /** Text of the volume group's metadata; null = none on this volume, or it is damaged. */
  readonly metadata: string | null;
}

// Layout: lvm2 lib/format_text/layout.h and lib/label/label.h, all numbers little endian.
const sectorBytes = 512;
const labelSectors = 4;
const mdaMagic = ' LVM2 x[5A%r0N*>';
const mdaHeaderBytes = 512;
const maxAreas = 16;
const maxMetadataBytes = 4 * 1024 * 1024;
const lvmSeed = 0xf597a6cf;

interface Place {
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

/** LVM's checksum: CRC-32 with a seed of its own and without the two inversions that zlib makes. */
export function lvmChecksum(bytes: Uint8Array): number {
  return ~crc32(bytes, ~lvmSeed >>> 0) >>> 0;
}

/** A list of places that ends with one at offset 0. Returns where it ended as well. */
function readPlaces(
  bytes: Buffer,
  start: number,
): { readonly places: readonly Place[]; readonly end: number } {
  const places: Place[] = [];
  let at = start;
  while (at + 16 <= bytes.length && places.length < maxAreas) {
    const offsetBytes = Number(bytes.readBigUInt64LE(at));
    const sizeBytes = Number(bytes.readBigUInt64LE(at + 8));
    at += 16;
    if (offsetBytes === 0) break;
    places.push({ offsetBytes, sizeBytes });
  }
  return { places, end: at };
}

function isInside(source: ByteSource, { offsetBytes, sizeBytes }: Place): boolean {
  return Number.isSafeInteger(offsetBytes + sizeBytes) && offsetBytes + sizeBytes <= source.sizeBytes;
}

/** The text in a metadata area, which is a ring behind its header. null: nothing, damaged, or out of bounds. */
async function readMetadata(source: ByteSource, area: Place): Promise<string | null> {
  if (!isInside(source, area) || area.sizeBytes < mdaHeaderBytes * 2) return null;
  const header = await source.read(area.offsetBytes, mdaHeaderBytes);
  if (header.toString('latin1', 4, 20) !== mdaMagic) return null;
  const start = Number(header.readBigUInt64LE(40));
  const length = Number(header.readBigUInt64LE(48));
  const ignored = (header.readUInt32LE(60) & 1) !== 0;
  if (ignored || start < mdaHeaderBytes || start >= area.sizeBytes) return null;
  if (length === 0 || length > maxMetadataBytes || length > area.sizeBytes - mdaHeaderBytes) return null;
  const first = Math.min(length, area.sizeBytes - start);
  const text = Buffer.concat([
    await source.read(area.offsetBytes + start, first),
    await source.read(area.offsetBytes + mdaHeaderBytes, length - first),
  ]);
  if (lvmChecksum(text) !== header.readUInt32LE(56)) return null;
  const end = text.indexOf(0);
  return text.toString('utf8', 0, end === -1 ? text.length : end);
}

/** Reads the label of a physical volume and its metadata. null: no label. Never throws for strange bytes. */
export async function readPhysicalVolume(source: ByteSource): Promise<PhysicalVolume | null> {
  const head = await source.read(0, Math.min(source.sizeBytes, labelSectors * sectorBytes));
  for (let at = 0; at + sectorBytes <= head.length; at += sectorBytes) {
    const sector = head.subarray(at, at + sectorBytes);
    if (sector.toString('latin1', 0, 8) !== 'LABELONE') continue;
    if (sector.toString('latin1', 24, 32) !== 'LVM2 001') continue;
    const body = sector.readUInt32LE(20);
    if (body < 32 || body + 40 > sectorBytes) continue;
    const data = readPlaces(sector, body + 40);
    const metadata: (string | null)[] = [];
    for (const area of readPlaces(sector, data.end).places) metadata.push(await readMetadata(source, area));
    return {
      id: sector.toString('latin1', body, body + 32),
      metadata: metadata.find((text) => text !== null) ?? null,
    };
  }
  return null;
}
