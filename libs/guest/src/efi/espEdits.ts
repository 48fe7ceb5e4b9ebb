import type { DiskImage } from '@ascend/disk';
import type { Finding } from '@ascend/domain';
import type { VolumePlace } from '../apply/volumeExport.ts';
import { withVolumeFile } from '../apply/volumeFile.ts';
import type { CopyEfiFileEdit, GuestEdit } from '../edits/guestEdit.ts';
import type { GuestChange } from '../verify/guestDiff.ts';
import { failedCheck, passedCheck } from '../verify/verifyFinding.ts';
import { copyEfiFile, listEfiPrograms } from './copyEfiFile.ts';

/** What work on the EFI system partition needs. */
export interface EspParams {
  /** The disk that holds it. */
  readonly image: DiskImage;
  readonly esp: VolumePlace;
  readonly edits: readonly GuestEdit[];
  readonly workDir: string;
  readonly signal: AbortSignal;
}

function copiesOf(edits: readonly GuestEdit[]): readonly CopyEfiFileEdit[] {
  return edits.filter((edit) => edit.kind === 'copy-efi-file');
}

/**
 * Makes the edits of the EFI system partition on the top overlay of its disk. Idempotent.
 *
 * @throws {AppError} GUEST_EDIT_FAILED, DISK_*, OPERATION_CANCELLED
 */
export async function applyEspEdits(params: EspParams): Promise<void> {
  const { image, esp, workDir, signal } = params;
  const copies = copiesOf(params.edits);
  if (copies.length === 0) return;
  await withVolumeFile({ image, volume: esp, access: 'write', workDir, signal }, async (path) => {
    for (const edit of copies) await copyEfiFile(path, edit, signal);
  });
}

/** Looks again, on a fresh read-only export. @throws {AppError} DISK_*, OPERATION_CANCELLED */
export async function verifyEspEdits(
  params: EspParams,
): Promise<{ readonly findings: readonly Finding[]; readonly diff: readonly GuestChange[] }> {
  const { image, esp, workDir, signal } = params;
  const copies = copiesOf(params.edits);
  if (copies.length === 0) return { findings: [], diff: [] };
  const programs = await withVolumeFile({ image, volume: esp, access: 'read', workDir, signal }, (path) =>
    listEfiPrograms(path, signal),
  );
  const there = new Set(programs.map((program) => program.toLowerCase()));
  const findings = copies.map(({ from, to }) =>
    there.has(to.toLowerCase())
      ? passedCheck(`${to} is on the EFI system partition`, from)
      : failedCheck(`${to} is not on the EFI system partition`, from),
  );
  return { findings, diff: copies.map(({ from, to }) => ({ path: to, change: `copy of ${from}` })) };
}
