import { AppError } from '@ascend/errors';
import { readDurableJson, removeDurably, writeDurableJson } from '../durableFile.ts';

/** Between which two points a target stands while a delta is written onto it. */
export interface DeltaJournal {
  readonly fromFingerprint: string;
  readonly toFingerprint: string;
}

/** Stands beside the target from before the first write until the last one is durable. */
export function deltaJournalPath(targetPath: string): string {
  return `${targetPath}.ascend-delta.json`;
}

/**
 * Looks whether an earlier delta onto the target was cut. True: the same one, to be repeated.
 *
 * @throws {AppError} DISK_DELTA_BASE_MISMATCH - the target stands between two other points, or the journal cannot be read
 */
export async function wasCut(targetPath: string, wanted: DeltaJournal): Promise<boolean> {
  const journalPath = deltaJournalPath(targetPath);
  const found = await readDurableJson(journalPath);
  if (found === null) return false;
  if (
    found['fromFingerprint'] === wanted.fromFingerprint &&
    found['toFingerprint'] === wanted.toFingerprint
  ) {
    return true;
  }
  throw new AppError({
    code: 'DISK_DELTA_BASE_MISMATCH',
    message: `apply delta to ${targetPath}: another delta onto it was cut, it stands between two other points`,
    details: { target: targetPath, journal: journalPath },
    hint: 'Repeat the delta that was cut until it ends, or make a full copy.',
  });
}

/** Notes durably that the target is about to change. @throws {AppError} DISK_IO_FAILED, DISK_SPACE_EXHAUSTED */
export async function beginDelta(targetPath: string, journal: DeltaJournal): Promise<void> {
  await writeDurableJson(deltaJournalPath(targetPath), { version: 1, ...journal });
}

/** Notes that the target holds the newer point. Idempotent. @throws {AppError} DISK_IO_FAILED */
export async function endDelta(targetPath: string): Promise<void> {
  await removeDurably(deltaJournalPath(targetPath));
}
