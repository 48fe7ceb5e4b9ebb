import type { ByteSource } from '../../byteSource.ts';
import { fieldText, uuidText } from '../volumeContent.ts';

/** What one member of a software RAID says about the array and itself. */
export interface MdMember {
  readonly setUuid: string;
  /** `1.0`, `1.1`, `1.2` or `0.90`: tells where the superblock lies. */
  readonly format: string;
  /** Name without the host, e.g. `0`, `root`; null = none stored. */
  readonly name: string | null;
  /** 1, 0, 4, 5, 6, 10; -1 = linear. */
  readonly level: number;
  readonly memberCount: number;
  /** Place of this member in the array; null = spare, faulty or journal. */
  readonly role: number | null;
  /** Bytes of one chunk; 0 where the level has none. */
  readonly chunkBytes: number;
  /** Grows with each change: members with less were out of the array. */
  readonly events: bigint;
  readonly dataOffsetBytes: number;
  readonly dataBytes: number;
  /** A reshape was under way. */
  readonly reshaping: boolean;
}

const magic = 0xa92b4efc;
const sectorBytes = 512;
const blockBytes = 4096;
const firstSpecialRole = 0xfff0;
const maxMembers = 1024;

/** Layout: `struct mdp_superblock_1` of the kernel's md_p.h; little endian. */
function parseVersion1(block: Buffer, format: string): MdMember | null {
  if (block.readUInt32LE(0) !== magic || block.readUInt32LE(4) !== 1) return null;
  const memberCount = block.readUInt32LE(92);
  const slot = block.readUInt32LE(160);
  if (memberCount === 0 || memberCount > maxMembers || slot >= maxMembers) return null;
  const role = block.readUInt16LE(256 + slot * 2);
  const arraySectors = Number(block.readBigUInt64LE(80));
  const dataSectors = Number(block.readBigUInt64LE(136));
  const level = block.readInt32LE(72);
  // `size` is what each member gives; linear and RAID 0 store none and use all of the data area.
  const used = level > 0 && arraySectors > 0 ? Math.min(arraySectors, dataSectors) : dataSectors;
  return {
    setUuid: uuidText(block.subarray(16, 32)),
    format,
    name: fieldText(block.subarray(32, 64))?.replace(/^[^:]*:/, '') ?? null,
    level,
    memberCount,
    role: role < firstSpecialRole && role < memberCount ? role : null,
    chunkBytes: block.readUInt32LE(88) * sectorBytes,
    events: block.readBigUInt64LE(200),
    dataOffsetBytes: Number(block.readBigUInt64LE(128)) * sectorBytes,
    dataBytes: used * sectorBytes,
    reshaping: (block.readUInt32LE(8) & 0x4) !== 0,
  };
}

/** Layout: `mdp_super_t` of md_p.h, in the byte order of the machine that made it; only little endian is read. */
function parseVersion090(block: Buffer, superOffsetBytes: number): MdMember | null {
  if (block.readUInt32LE(0) !== magic || block.readUInt32LE(4) !== 0) return null;
  const memberCount = block.readUInt32LE(40);
  if (memberCount === 0 || memberCount > maxMembers) return null;
  const level = block.readInt32LE(28);
  const role = block.readUInt32LE(3968 + 12);
  const chunkBytes = block.readUInt32LE(260);
  const sizeBytes = block.readUInt32LE(32) * 1024;
  const usesAll = level <= 0 || sizeBytes === 0;
  const words = [20, 52, 56, 60].map((at) => block.readUInt32LE(at).toString(16).padStart(8, '0'));
  return {
    setUuid: words.join(':'),
    format: '0.90',
    name: String(block.readUInt32LE(44)),
    level,
    memberCount,
    role: role < memberCount ? role : null,
    chunkBytes,
    events: block.readBigUInt64LE(156),
    dataOffsetBytes: 0,
    dataBytes: usesAll ? superOffsetBytes : Math.min(sizeBytes, superOffsetBytes),
    reshaping: block.readUInt32LE(8) > 90,
  };
}

function fits(source: ByteSource, member: MdMember): boolean {
  const end = member.dataOffsetBytes + member.dataBytes;
  return Number.isSafeInteger(end) && member.dataBytes > 0 && end <= source.sizeBytes;
}

/** Looks for a superblock where each version keeps it. null: none, or one that does not fit the volume. */
export async function readMdMember(source: ByteSource): Promise<MdMember | null> {
  const sectors = Math.floor(source.sizeBytes / sectorBytes);
  // 1.0: 8 KiB before the end, down to 4 KiB; 0.90: the last whole 64 KiB but one.
  const places = [
    { format: '1.2', at: blockBytes },
    { format: '1.1', at: 0 },
    { format: '1.0', at: Math.floor((sectors - 16) / 8) * blockBytes },
    { format: '0.90', at: Math.floor(source.sizeBytes / 65536) * 65536 - 65536 },
  ];
  for (const { format, at } of places) {
    if (at < 0 || at + blockBytes > source.sizeBytes) continue;
    const block = await source.read(at, blockBytes);
    const member = format === '0.90' ? parseVersion090(block, at) : parseVersion1(block, format);
    if (member !== null && fits(source, member)) return member;
  }
  return null;
}
