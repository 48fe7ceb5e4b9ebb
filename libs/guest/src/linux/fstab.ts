/** One mount of `etc/fstab`. */
export interface FstabEntry {
  /** As written: `UUID=…`, `/dev/sda1`, `LABEL=…`, `tmpfs`. */
  readonly device: string;
  readonly mountPoint: string;
  readonly fileSystem: string;
  /** Split at commas; empty when the field is missing. */
  readonly options: readonly string[];
}

const maxEntries = 10_000;

/** Undoes the octal escapes of fstab (`\040` is a space). */
function unescape(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCodePoint(Number.parseInt(digits, 8)),
  );
}

/** Reads the text of an fstab: comments and lines with fewer than three fields are skipped; at most 10000 entries. */
export function parseFstab(text: string): readonly FstabEntry[] {
  const entries: FstabEntry[] = [];
  for (const line of text.split('\n')) {
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith('#')) continue;
    const [device, mountPoint, fileSystem, options = ''] = trimmed.split(/\s+/);
    if (device === undefined || mountPoint === undefined || fileSystem === undefined) continue;
    entries.push({
      device: unescape(device),
      mountPoint: unescape(mountPoint),
      fileSystem,
      options: unescape(options).split(',').filter(Boolean),
    });
    if (entries.length >= maxEntries) break;
  }
  return entries;
}
