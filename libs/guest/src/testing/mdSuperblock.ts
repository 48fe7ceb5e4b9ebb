/** What a member of a software RAID shall say. */
export interface MdSuperblockOptions {
  readonly format: '1.0' | '1.1' | '1.2' | '0.90';
  readonly level: number;
  readonly members: number;
  readonly role: number;
  readonly events?: number;
  readonly chunkBytes?: number;
  readonly name?: string;
  /** Byte of the set's UUID, repeated. */
  readonly set?: number;
}

const mib = 1024 * 1024;

/** Checksum of `mdp_superblock_1`: all its words added, carry added in, its own field left out. */
function checksum1(block: Buffer, bytes: number): number {
  let sum = 0;
  for (let at = 0; at < bytes; at += 4) sum += at === 216 ? 0 : block.readUInt32LE(at);
  return ((sum % 2 ** 32) + Math.floor(sum / 2 ** 32)) >>> 0;
}

function version1(options: MdSuperblockOptions, volumeBytes: number, superOffset: number): Buffer {
  const { level, members, role, events = 1, chunkBytes = 0, name = 'host:0', set = 7 } = options;
  const dataOffset = options.format === '1.0' ? 0 : mib;
  const dataBytes = options.format === '1.0' ? superOffset : volumeBytes - dataOffset;
  const block = Buffer.alloc(4096);
  block.writeUInt32LE(0xa92b4efc, 0);
  block.writeUInt32LE(1, 4);
  block.fill(set, 16, 32);
  block.write(name, 32, 'latin1');
  block.writeInt32LE(level, 72);
  block.writeBigUInt64LE(BigInt(level > 0 ? dataBytes / 512 : 0), 80);
  block.writeUInt32LE(chunkBytes / 512, 88);
  block.writeUInt32LE(members, 92);
  block.writeBigUInt64LE(BigInt(dataOffset / 512), 128);
  block.writeBigUInt64LE(BigInt(dataBytes / 512), 136);
  block.writeBigUInt64LE(BigInt(superOffset / 512), 144);
  block.writeUInt32LE(Math.min(role, members), 160);
  block.fill(role + 1, 168, 184);
  block.writeBigUInt64LE(BigInt(events), 200);
  block.writeUInt32LE(128, 220);
  for (let slot = 0; slot < 128; slot += 1)
    block.writeUInt16LE(slot < members ? slot : 0xffff, 256 + slot * 2);
  block.writeUInt32LE(checksum1(block, 256 + 256), 216);
  return block;
}

function version090(options: MdSuperblockOptions, superOffset: number): Buffer {
  const { level, members, role, events = 1, chunkBytes = 0, set = 7 } = options;
  const block = Buffer.alloc(4096);
  const word = (index: number, value: number): void => void block.writeInt32LE(value, index * 4);
  block.writeUInt32LE(0xa92b4efc, 0);
  word(2, 90);
  for (const index of [5, 13, 14, 15]) word(index, set * 0x01010101);
  word(7, level);
  word(8, level > 0 ? superOffset / 1024 : 0);
  word(9, members);
  word(10, members);
  word(39, events);
  word(65, chunkBytes);
  for (let slot = 0; slot < members; slot += 1) {
    [slot, 8, slot, slot, 6].forEach((value, index) => word(128 + slot * 32 + index, value));
  }
  [role, 8, role, role, 6].forEach((value, index) => word(992 + index, value));
  let sum = 0;
  for (let at = 0; at < 4096; at += 4) sum += block.readUInt32LE(at);
  word(38, ((sum % 2 ** 32) + Math.floor(sum / 2 ** 32)) | 0);
  return block;
}

/** Writes the superblock of a member into the bytes of its volume, as mdadm does; returns where its data starts. */
export function putMdSuperblock(volume: Buffer, options: MdSuperblockOptions): number {
  const places = {
    '1.2': 4096,
    '1.1': 0,
    '1.0': Math.floor((volume.length / 512 - 16) / 8) * 4096,
    '0.90': Math.floor(volume.length / 65536) * 65536 - 65536,
  };
  const at = places[options.format];
  const block = options.format === '0.90' ? version090(options, at) : version1(options, volume.length, at);
  block.copy(volume, at);
  return options.format === '1.0' || options.format === '0.90' ? 0 : mib;
}
