import { blockBytes } from '../copy/blockPlan.ts';
import type { Extent } from '../extent.ts';

/** Neighbouring blocks of 1 MiB by index, `to` not included. */
export interface BlockRange {
  readonly from: number;
  readonly to: number;
}

/** The blocks that hold data, in order, neighbours merged. `onEdge` is told the block on either side of each border between extents. */
export async function* dataBlocks(
  extents: AsyncIterable<Extent>,
  onEdge?: (block: number) => void,
): AsyncGenerator<BlockRange> {
  let held: BlockRange | null = null;
  for await (const extent of extents) {
    if (extent.lengthBytes === 0) continue;
    const end = extent.offsetBytes + extent.lengthBytes;
    onEdge?.(Math.floor(extent.offsetBytes / blockBytes));
    onEdge?.(Math.floor((end - 1) / blockBytes));
    if (extent.kind !== 'data') continue;
    const range = { from: Math.floor(extent.offsetBytes / blockBytes), to: Math.ceil(end / blockBytes) };
    if (held !== null && range.from <= held.to) held = { from: held.from, to: Math.max(held.to, range.to) };
    else {
      if (held !== null) yield held;
      held = range;
    }
  }
  if (held !== null) yield held;
}

/** Blocks that are in one of two ordered lists or in both: in order, neighbours merged. Lazy on both. */
export async function* unionOf(
  first: AsyncIterable<BlockRange>,
  second: AsyncIterable<BlockRange>,
): AsyncGenerator<BlockRange> {
  const sides = [first[Symbol.asyncIterator](), second[Symbol.asyncIterator]()] as const;
  const heads = [await sides[0].next(), await sides[1].next()];
  let held: BlockRange | null = null;
  try {
    for (;;) {
      const open = heads.flatMap((head, side) => (head.done === true ? [] : [{ side, range: head.value }]));
      const [a, b] = open;
      if (a === undefined) break;
      const { side, range } = b === undefined || a.range.from <= b.range.from ? a : b;
      heads[side] = await (side === 0 ? sides[0] : sides[1]).next();
      if (held !== null && range.from <= held.to) held = { from: held.from, to: Math.max(held.to, range.to) };
      else {
        if (held !== null) yield held;
        held = range;
      }
    }
    if (held !== null) yield held;
  } finally {
    await sides[0].return?.();
    await sides[1].return?.();
  }
}
