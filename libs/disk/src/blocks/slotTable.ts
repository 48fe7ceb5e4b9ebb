/** Which slot of the file each block has, and which of them the table on disk names already. */
export interface SlotTable {
  /** The slot of a block; a block without one gets the next. */
  slotOf(block: number): number;
  has(block: number): boolean;
  /** Blocks that got their slot since the last call, ascending. */
  takeFresh(): number[];
  /** They could not be named: the next `takeFresh` returns them again. */
  giveBack(blocks: readonly number[]): void;
  /** Notes the blocks as named and returns all named slots: per block its slot plus 1, 0 = none. */
  name(blocks: readonly number[]): Uint32Array;
  /** Slots in use. */
  used(): number;
}

/** A table that goes on with these slots (per block its slot plus 1, 0 = none), all of them named. The array is taken over. */
export function createSlotTable(slots: Uint32Array): SlotTable {
  const named = slots.slice();
  let used = 0;
  for (const slot of slots) if (slot > used) used = slot;
  let fresh: number[] = [];
  return {
    slotOf: (block) => {
      const slot = slots[block] ?? 0;
      if (slot !== 0) return slot - 1;
      used += 1;
      slots[block] = used;
      fresh.push(block);
      return used - 1;
    },
    has: (block) => slots[block] !== 0,
    takeFresh: () => {
      const blocks = fresh.sort((a, b) => a - b);
      fresh = [];
      return blocks;
    },
    giveBack: (blocks) => {
      fresh = [...blocks, ...fresh];
    },
    name: (blocks) => {
      for (const block of blocks) named[block] = slots[block] ?? 0;
      return named;
    },
    used: () => used,
  };
}
