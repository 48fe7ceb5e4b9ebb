/** A structure as guestfish prints it: `key: value` lines, in brackets with an index when it is one of several. */
export type FishRecord = ReadonlyMap<string, string>;

/** The structures in an answer; at most `maxRecords`. Values of a guest may hold line ends and look like more than they are. */
export function parseRecords(text: string, maxRecords: number): readonly FishRecord[] {
  const records: Map<string, string>[] = [];
  // What stands before the first structure belongs to none.
  let current = new Map<string, string>();
  for (const line of text.split('\n')) {
    if (/^\[\d+\] = \{$/.test(line)) {
      if (records.length === maxRecords) break;
      current = new Map();
      records.push(current);
    } else if (line === '}') {
      current = new Map();
    } else {
      const field = /^ {2}(\w+): (.*)$/.exec(line);
      if (field?.[1] !== undefined && !current.has(field[1])) current.set(field[1], field[2] ?? '');
    }
  }
  return records;
}

/** One structure that is printed alone. */
export function parseRecord(text: string): FishRecord {
  const fields = new Map<string, string>();
  for (const line of text.split('\n')) {
    const field = /^(\w+): (.*)$/.exec(line);
    if (field?.[1] !== undefined && !fields.has(field[1])) fields.set(field[1], field[2] ?? '');
  }
  return fields;
}

/** Lines that are not empty. */
export function parseLines(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '');
}

/** A number of a structure; null when it is none or negative. */
export function numberOf(record: FishRecord, key: string): number | null {
  const value = Number(record.get(key) ?? 'none');
  return Number.isSafeInteger(value) && value >= 0 ? value : null;
}

/** Text that a guest chose, in one line for people: control characters become `?`, at most 255 characters. */
export function shownText(text: string): string {
  return text
    .trim()
    .replaceAll(/\p{Cc}/gu, '?')
    .slice(0, 255);
}
