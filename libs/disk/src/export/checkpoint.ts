import { readDurableJson, writeDurableJson, type JsonRecord } from '../durableFile.ts';
import { identify, type ExportFiles } from './exportFiles.ts';

/** What an export of one disk is made of: a resume is only right when none of it has changed. */
export interface ExportIdentity {
  /** Fingerprint of the chain (D2). */
  readonly fingerprint: string;
  readonly format: string;
  readonly sizeBytes: number;
}

/** What a finished copy had to tell. */
export interface FinishedCopy {
  readonly sha256: string | null;
  readonly bytesCopied: number;
  readonly bytesSkipped: number;
}

/** How far an export had come. */
export interface ExportCheckpoint extends ExportIdentity {
  /** Everything below is durable in the target. */
  readonly confirmedBytes: number;
  /** The target file when this was written: the other end's fingerprint. */
  readonly target: { readonly identity: string; readonly sizeBytes: number };
  /** null: the copy was still running. */
  readonly finished: FinishedCopy | null;
}

function count(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null;
}

function record(value: unknown): JsonRecord {
  return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}

function parseFinished(value: unknown): FinishedCopy | null {
  const fields = record(value);
  const [bytesCopied, bytesSkipped] = [count(fields['bytesCopied']), count(fields['bytesSkipped'])];
  if (bytesCopied === null || bytesSkipped === null) return null;
  const sha256 = fields['sha256'];
  return { bytesCopied, bytesSkipped, sha256: typeof sha256 === 'string' ? sha256 : null };
}

/** Checks the content of a checkpoint; null when it was not written by `saveCheckpoint`. Pure. */
export function parseCheckpoint(fields: JsonRecord): ExportCheckpoint | null {
  const { fingerprint, format } = fields;
  const [sizeBytes, confirmedBytes] = [count(fields['sizeBytes']), count(fields['confirmedBytes'])];
  const target = record(fields['target']);
  const [identity, targetSize] = [target['identity'], count(target['sizeBytes'])];
  if (fields['version'] !== 1 || typeof fingerprint !== 'string' || typeof format !== 'string') return null;
  if (sizeBytes === null || confirmedBytes === null || confirmedBytes > sizeBytes) return null;
  if (typeof identity !== 'string' || targetSize === null) return null;
  return {
    fingerprint,
    format,
    sizeBytes,
    confirmedBytes,
    target: { identity, sizeBytes: targetSize },
    finished: parseFinished(fields['finished']),
  };
}

/**
 * Notes durably how far an export has come; `filePath` is the file that holds the bytes now.
 *
 * @throws {AppError} DISK_IO_FAILED, DISK_SPACE_EXHAUSTED
 */
export async function saveCheckpoint(
  files: ExportFiles,
  filePath: string,
  state: ExportIdentity & Pick<ExportCheckpoint, 'confirmedBytes' | 'finished'>,
): Promise<void> {
  const found = await identify(filePath);
  const target = { identity: found?.identity ?? 'none', sizeBytes: found?.sizeBytes ?? 0 };
  await writeDurableJson(files.checkpointPath, { version: 1, ...state, target });
}

/** Where an attempt begins, and why there. */
export type ExportStart =
  | { readonly kind: 'zero'; readonly reason: string | null }
  | { readonly kind: 'offset'; readonly offsetBytes: number }
  | { readonly kind: 'finished'; readonly where: 'staged' | 'final'; readonly copy: FinishedCopy };

function zero(reason: string): ExportStart {
  return { kind: 'zero', reason };
}

function differences(found: ExportCheckpoint, wanted: ExportIdentity): string | null {
  if (found.fingerprint !== wanted.fingerprint) {
    return `the backup has changed since (fingerprint ${found.fingerprint.slice(0, 12)}… then, ${wanted.fingerprint.slice(0, 12)}… now)`;
  }
  if (found.format !== wanted.format) return `the earlier attempt wrote ${found.format}`;
  if (found.sizeBytes !== wanted.sizeBytes) return `the earlier attempt wrote ${found.sizeBytes} bytes`;
  return null;
}

/**
 * Compares what an earlier attempt left with what is wanted now, source and target, and decides where to begin. Reads only.
 *
 * @throws {AppError} DISK_FILE_UNREADABLE
 */
export async function chooseStart(files: ExportFiles, wanted: ExportIdentity): Promise<ExportStart> {
  const fields = await readDurableJson(files.checkpointPath);
  if (fields === null) return zero('no earlier attempt has left a checkpoint');
  const found = parseCheckpoint(fields);
  if (found === null) return zero('the checkpoint of the earlier attempt cannot be read');
  const difference = differences(found, wanted);
  if (difference !== null) return zero(difference);
  const same = async (filePath: string): Promise<boolean> => {
    const now = await identify(filePath);
    return now !== null && now.identity === found.target.identity && now.sizeBytes >= found.target.sizeBytes;
  };
  if (found.finished !== null) {
    // The final name first: for a moment the file has both.
    if (await same(files.finalPath)) return { kind: 'finished', where: 'final', copy: found.finished };
    if (await same(files.stagedPath)) return { kind: 'finished', where: 'staged', copy: found.finished };
    return zero('the finished file of the earlier attempt is gone');
  }
  if (found.confirmedBytes === 0) return zero('the earlier attempt had confirmed nothing');
  const complete = found.confirmedBytes === found.sizeBytes && (await same(files.stagedPath));
  if (complete || (await same(files.partialPath)))
    return { kind: 'offset', offsetBytes: found.confirmedBytes };
  return zero('the partial file is not the one of the earlier attempt, or shorter than it was');
}
