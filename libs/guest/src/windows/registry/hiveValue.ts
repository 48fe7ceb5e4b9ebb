import { hiveError } from './hiveHeader.ts';
import { noCell, type HiveCells } from './hiveCells.ts';

/** One value of a key, as stored. */
export interface HiveValue {
  /** Empty for the default value. Hostile input. */
  readonly name: string;
  /** Registry type number: 1 = REG_SZ, 4 = REG_DWORD … (winnt.h); others are possible. */
  readonly type: number;
  /** Read when it is asked for: most values never are. @throws {AppError} GUEST_HIVE_CORRUPT */
  readonly data: Buffer;
}

/** Most bytes that fit into one cell before the data is cut into segments (version 1.4 and later). */
const segmentBytes = 16344;
const maxValueBytes = 64 * 1024 * 1024;

function bigData(cells: HiveCells, record: Buffer, size: number): Buffer {
  const segments = record.readUInt16LE(2);
  if (segments < 2 || segments * segmentBytes < size)
    throw hiveError(`${segments} segments for ${size} bytes`);
  const list = cells.cell(record.readUInt32LE(4), segments * 4, 'segment list');
  cells.spend(size);
  const parts: Buffer[] = [];
  let left = size;
  for (let index = 0; index < segments && left > 0; index += 1) {
    const part = Math.min(left, segmentBytes);
    parts.push(cells.cell(list.readUInt32LE(index * 4), part, 'data segment').subarray(0, part));
    left -= part;
  }
  return Buffer.concat(parts);
}

function valueData(cells: HiveCells, vk: Buffer, minorVersion: number): Buffer {
  const stored = vk.readUInt32LE(4);
  if (stored >= 0x80000000) {
    const size = stored - 0x80000000;
    if (size > 4) throw hiveError(`${size} bytes of data inside of a value`);
    return vk.subarray(8, 8 + size);
  }
  if (stored > maxValueBytes)
    throw hiveError(`a value of ${stored} bytes, at most ${maxValueBytes} are read`);
  if (stored === 0) return Buffer.alloc(0);
  const offset = vk.readUInt32LE(8);
  if (stored > segmentBytes && minorVersion > 3) {
    const record = cells.cell(offset, 8, 'value data');
    if (record.toString('latin1', 0, 2) === 'db') return bigData(cells, record, stored);
  }
  return cells.cell(offset, stored, 'value data').subarray(0, stored);
}

/** Reads one value. @throws {AppError} GUEST_HIVE_CORRUPT */
export function readHiveValue(cells: HiveCells, offset: number, minorVersion: number): HiveValue {
  const vk = cells.cell(offset, 20, 'value');
  if (vk.toString('latin1', 0, 2) !== 'vk') throw hiveError(`no value at ${offset}`);
  const nameBytes = vk.readUInt16LE(2);
  if (20 + nameBytes > vk.length)
    throw hiveError(`the name of the value at ${offset} has ${nameBytes} bytes`);
  const encoding = (vk.readUInt16LE(16) & 1) === 1 ? 'latin1' : 'utf16le';
  return {
    name: vk.toString(encoding, 20, 20 + nameBytes),
    type: vk.readUInt32LE(12),
    get data() {
      return valueData(cells, vk, minorVersion);
    },
  };
}

/** Offsets of the values of a key. @throws {AppError} GUEST_HIVE_CORRUPT */
export function valueOffsets(cells: HiveCells, nk: Buffer): readonly number[] {
  const count = nk.readUInt32LE(36);
  const list = nk.readUInt32LE(40);
  if (count === 0 || list === noCell) return [];
  const cell = cells.cell(list, count * 4, 'value list');
  return Array.from({ length: count }, (_, index) => cell.readUInt32LE(index * 4));
}
