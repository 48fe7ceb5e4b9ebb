import { baseBlockBytes, headerAt, headerChecksum, readHiveHeader, type HiveHeader } from './hiveHeader.ts';
import { readDirtyVector, readLogEntries, type DirtyPage, type LogEntry } from './logEntries.ts';

/**
 * What became of a hive. `clean`: it was flushed, the logs count for nothing. `recovered`: the logs held the rest.
 * `unrecoverable`: it is dirty and no log fits, so what the guest last wrote is not there.
 */
export interface RecoveredHive {
  readonly state: 'clean' | 'recovered' | 'unrecoverable';
  /** The hive with the changes of its logs; the same bytes when there were none. */
  readonly bytes: Buffer;
  /** Transactions that were put in place. */
  readonly transactions: number;
}

/** The bytes of a log as base block, or null when it is none of a hive's logs. */
function logHeader(log: Buffer): HiveHeader | null {
  if (log.length < 1024 || log.toString('latin1', 0, 4) !== 'regf') return null;
  if (headerChecksum(log) !== log.readUInt32LE(headerAt.checksum)) return null;
  try {
    // A log has only the first sector of the base block.
    return readHiveHeader(Buffer.concat([log.subarray(0, 512), Buffer.alloc(baseBlockBytes - 512)]));
  } catch {
    return null;
  }
}

/** The entries that come after what the hive holds, without a gap. */
function followingEntries(logs: readonly Buffer[], from: number): readonly LogEntry[] {
  const all = logs
    .flatMap((log) => readLogEntries(log))
    .filter((entry) => entry.sequence >= from)
    .toSorted((left, right) => left.sequence - right.sequence);
  const following: LogEntry[] = [];
  for (const entry of all) {
    const last = following.at(-1)?.sequence;
    if (last === entry.sequence) continue;
    if (last !== undefined && entry.sequence !== last + 1) break;
    following.push(entry);
  }
  return following;
}

function withPages(bytes: Buffer, pages: readonly DirtyPage[], binsBytes: number): Buffer {
  const result = Buffer.alloc(baseBlockBytes + binsBytes);
  bytes.copy(result, 0, 0, Math.min(bytes.length, result.length));
  for (const page of pages) page.data.copy(result, baseBlockBytes + page.offset);
  return result;
}

function seal(bytes: Buffer, binsBytes: number, sequence: number): Buffer {
  bytes.writeUInt32LE(sequence >>> 0, headerAt.primarySequence);
  bytes.writeUInt32LE(sequence >>> 0, headerAt.secondarySequence);
  bytes.writeUInt32LE(binsBytes, headerAt.binsBytes);
  bytes.writeUInt32LE(headerChecksum(bytes), headerAt.checksum);
  return bytes;
}

function recoverByEntries(bytes: Buffer, logs: readonly Buffer[], from: number): RecoveredHive | null {
  const entries = followingEntries(logs, from);
  const last = entries.at(-1);
  if (last === undefined) return null;
  let result = bytes;
  for (const entry of entries) result = withPages(result, entry.pages, entry.binsBytes);
  return {
    state: 'recovered',
    bytes: seal(result, last.binsBytes, last.sequence),
    transactions: entries.length,
  };
}

function recoverByDirtyVector(
  bytes: Buffer,
  logs: readonly Buffer[],
  header: HiveHeader,
): RecoveredHive | null {
  for (const log of logs) {
    const own = logHeader(log);
    if (own === null || own.primarySequence !== own.secondarySequence || own.writtenAt !== header.writtenAt)
      continue;
    const pages = readDirtyVector(log, own.binsBytes);
    if (pages === null) continue;
    const result = withPages(bytes, pages, own.binsBytes);
    return { state: 'recovered', bytes: seal(result, own.binsBytes, own.primarySequence), transactions: 1 };
  }
  return null;
}

/** The base block of the newest log, for a hive whose own was torn. */
function repairBaseBlock(bytes: Buffer, logs: readonly Buffer[]): Buffer | null {
  const best = logs
    .map((log) => ({ log, header: logHeader(log) }))
    .filter((candidate) => candidate.header !== null)
    .toSorted((left, right) => (right.header?.primarySequence ?? 0) - (left.header?.primarySequence ?? 0))[0];
  if (best === undefined) return null;
  const repaired = Buffer.from(bytes);
  best.log.copy(repaired, 0, 0, 512);
  // A primary file, in the direct format.
  repaired.writeUInt32LE(0, 28);
  return repaired;
}

/**
 * Puts the changes that a running guest had only logged in place, as Windows does when it loads the hive. A backup taken
 * of a running guest nearly always has such hives. Pure; `bytes` is not changed.
 *
 * @throws {AppError} GUEST_HIVE_CORRUPT - the file is no hive
 */
export function recoverHive(bytes: Buffer, logs: readonly Buffer[]): RecoveredHive {
  const header = readHiveHeader(bytes);
  if (!header.dirty) return { state: 'clean', bytes, transactions: 0 };
  const torn = headerChecksum(bytes) !== bytes.readUInt32LE(headerAt.checksum);
  const base = torn ? repairBaseBlock(bytes, logs) : bytes;
  const recovered =
    base === null
      ? null
      : (recoverByEntries(base, logs, readHiveHeader(base).primarySequence) ??
        recoverByDirtyVector(base, logs, readHiveHeader(base)));
  return recovered ?? { state: 'unrecoverable', bytes, transactions: 0 };
}
