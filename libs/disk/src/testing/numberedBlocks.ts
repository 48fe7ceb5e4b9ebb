const blockBytes = 65_536;
const step = 8;

/** Blocks of the numbered disk, which has 1 GiB. */
export const blockCount = 2000;

/** Offset of a block: there are seven free ones behind each. */
export function placeOf(block: number): number {
  return block * step * blockBytes;
}

/** 64 KiB that are different for each number; every third does not compress. */
export function blockOf(block: number): Buffer {
  const bytes = Buffer.alloc(blockBytes, `block ${block} `);
  if (block % 3 !== 0) return bytes;
  let state = block + 1;
  for (let at = 0; at < blockBytes; at += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    bytes.writeInt32LE(state ^ (state >>> 15), at);
  }
  return bytes;
}
