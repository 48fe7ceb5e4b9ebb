/** A range of table entries, `to` excluded. */
export interface EntryRange {
  readonly from: number;
  readonly to: number;
}

/** The pages of a table that hold these entries (ascending), neighbouring pages as one range: one write each. */
export function pagesOf(entries: readonly number[], perPage: number, total: number): EntryRange[] {
  const ranges: { from: number; to: number }[] = [];
  for (const entry of entries) {
    const from = Math.floor(entry / perPage) * perPage;
    const to = Math.min(from + perPage, total);
    const last = ranges.at(-1);
    if (last !== undefined && from <= last.to) last.to = Math.max(last.to, to);
    else ranges.push({ from, to });
  }
  return ranges;
}
