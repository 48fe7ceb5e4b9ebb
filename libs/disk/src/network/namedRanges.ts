/** Which parts of a target were named by a write or a zeroing. Neighbours are merged: work in order needs one entry. */
export interface NamedRanges {
  add(offsetBytes: number, lengthBytes: number): void;
  /** Parts of `[0, endBytes)` that were never named, in order. */
  missing(endBytes: number): { offsetBytes: number; lengthBytes: number }[];
}

/** An empty set of ranges. */
export function createNamedRanges(): NamedRanges {
  // Sorted, apart from each other.
  const ranges: { from: number; to: number }[] = [];
  /** Index of the first range that ends at or behind `offset`. */
  const firstTouching = (offset: number): number => {
    let [low, high] = [0, ranges.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((ranges[middle]?.to ?? 0) < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return {
    add: (offset, length) => {
      if (length === 0) return;
      let [from, to] = [offset, offset + length];
      const start = firstTouching(from);
      let end = start;
      for (let range = ranges[end]; range !== undefined && range.from <= to; range = ranges[end]) {
        from = Math.min(from, range.from);
        to = Math.max(to, range.to);
        end += 1;
      }
      ranges.splice(start, end - start, { from, to });
    },
    missing: (endBytes) => {
      const gaps: { offsetBytes: number; lengthBytes: number }[] = [];
      let at = 0;
      for (const { from, to } of [...ranges, { from: endBytes, to: endBytes }]) {
        const stop = Math.min(from, endBytes);
        if (stop > at) gaps.push({ offsetBytes: at, lengthBytes: stop - at });
        at = Math.max(at, to);
      }
      return gaps;
    },
  };
}
