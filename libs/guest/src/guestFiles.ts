/** Kind of a directory entry; devices, sockets and pipes are `other` and never opened. */
export type GuestFileKind = 'file' | 'directory' | 'symlink' | 'other';

/** One name in a directory of the guest. The name is hostile input: any bytes but `/`. */
export interface GuestEntry {
  readonly name: string;
  readonly kind: GuestFileKind;
}

/** What a path of the guest is, after following symbolic links inside the guest. */
interface GuestStat {
  readonly kind: GuestFileKind;
  readonly sizeBytes: number;
  /** Permission bits only. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** Read access to the files of a guest, whatever the file system. Links are resolved inside the guest and never leave it. */
export interface GuestFiles {
  /** null: not there, or a link that leads nowhere. */
  stat(path: string): Promise<GuestStat | null>;
  /** Names of a directory in stored order; empty when it is not there or no directory. */
  list(path: string): Promise<readonly GuestEntry[]>;
  /**
   * The whole file, null when it is not there or not a regular file.
   *
   * @throws {AppError} GUEST_FILE_TOO_LARGE - more than `maxBytes`
   */
  read(path: string, maxBytes: number): Promise<Buffer | null>;
  /** The file in pieces of at most 1 MiB; empty when it is not there. */
  stream(path: string): AsyncIterable<Buffer>;
  /** Where a symbolic link points, unresolved; null when the path is no link. Absent where a reader cannot tell. */
  readLink?(path: string): Promise<string | null>;
}

/** Most bytes a text configuration file of a guest may have. */
const maxConfigBytes = 1024 * 1024;

/** A text file, or null when it is not there. Bytes that are not UTF-8 become U+FFFD. */
export async function readText(
  files: GuestFiles,
  path: string,
  maxBytes: number = maxConfigBytes,
): Promise<string | null> {
  const bytes = await files.read(path, maxBytes);
  return bytes === null ? null : bytes.toString('utf8');
}

/** Names of the regular files of a directory whose name ends in `suffix`, sorted. Names with odd bytes are left out. */
export async function listFiles(files: GuestFiles, path: string, suffix: string): Promise<readonly string[]> {
  const entries = await files.list(path);
  return entries
    .filter((entry) => entry.kind === 'file' || entry.kind === 'symlink')
    .map((entry) => entry.name)
    .filter((name) => name.endsWith(suffix) && /^[\w.@:+~-]+$/.test(name))
    .toSorted();
}
