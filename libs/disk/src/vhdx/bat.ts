import { batIndexOf, type VhdxLayout } from './vhdxLayout.ts';

const mib = 1024 ** 2;

/** States of a payload block. [MS-VHDX] 2.5.1.1 */
export const blockStates = {
  notPresent: 0,
  undefined: 1,
  zero: 2,
  unmapped: 3,
  fullyPresent: 6,
  partiallyPresent: 7,
} as const;

/** One entry of the table, taken apart. */
export interface BatEntry {
  readonly state: number;
  readonly offsetMiB: number;
  /** Bits 3 to 19, which must be 0. */
  readonly reserved: number;
}

/** Reads the entry at a byte of the table. */
export function readBatEntry(table: Buffer, at: number): BatEntry {
  const low = table.readUInt32LE(at);
  const high = table.readUInt32LE(at + 4);
  return { state: low & 7, reserved: (low >>> 3) & 0x1_ffff, offsetMiB: high * 4096 + (low >>> 20) };
}

function writeBatEntry(table: Buffer, at: number, state: number, offsetMiB: number): void {
  table.writeUInt32LE((((offsetMiB & 0xfff) << 20) | state) >>> 0, at);
  table.writeUInt32LE(Math.floor(offsetMiB / 4096), at + 4);
}

/**
 * Encodes entries `from` to `to` of the table; `slots` holds per block its slot plus 1, 0 = none. A block without space has the state
 * ZERO, not NOT_PRESENT: of the latter a reader may return anything ("the block contents are undefined"), and our disks have zeros there.
 * Sector bitmap entries are 0 (NOT_PRESENT), as they must be without a parent.
 */
export function encodeBat(layout: VhdxLayout, slots: Uint32Array, from: number, to: number): Buffer {
  const bytes = Buffer.alloc((to - from) * 8);
  const perChunk = layout.chunkRatio + 1;
  const firstMiB = layout.firstPayloadAt / mib;
  const blockMiB = layout.blockBytes / mib;
  for (let index = from; index < Math.min(to, layout.batEntries); index += 1) {
    if (index % perChunk === layout.chunkRatio) continue;
    const slot = slots[index - Math.floor(index / perChunk)] ?? 0;
    const state = slot === 0 ? blockStates.zero : blockStates.fullyPresent;
    writeBatEntry(bytes, (index - from) * 8, state, slot === 0 ? 0 : firstMiB + (slot - 1) * blockMiB);
  }
  return bytes;
}

/**
 * Reads a table that we wrote (`table` holds the entries from `from` on) into `slots`. False when an entry is not as we write it.
 */
export function decodeBat(layout: VhdxLayout, table: Buffer, from: number, slots: Uint32Array): boolean {
  const perChunk = layout.chunkRatio + 1;
  const count = Math.min(layout.batEntries - from, table.length / 8);
  for (let entry = 0; entry < count; entry += 1) {
    const index = from + entry;
    const { state, offsetMiB, reserved } = readBatEntry(table, entry * 8);
    if (reserved !== 0) return false;
    if (index % perChunk === layout.chunkRatio) {
      if (state !== blockStates.notPresent) return false;
      continue;
    }
    if (state === blockStates.zero && offsetMiB === 0) continue;
    const slot = (offsetMiB * mib - layout.firstPayloadAt) / layout.blockBytes;
    const isOurs = state === blockStates.fullyPresent && Number.isInteger(slot) && slot >= 0;
    if (!isOurs || slot >= layout.blocks) return false;
    slots[index - Math.floor(index / perChunk)] = slot + 1;
  }
  return true;
}

/** The table indexes of these blocks. */
export function batIndexes(layout: VhdxLayout, blocks: readonly number[]): number[] {
  return blocks.map((block) => batIndexOf(block, layout.chunkRatio));
}
