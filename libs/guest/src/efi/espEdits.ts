import type { Finding, GuestFacts } from '@ascend/domain';
import { imageOf } from '../apply/volumeExport.ts';
import { withVolumeFile } from '../apply/volumeFile.ts';
import type { CopyEfiFileEdit, GuestEdit } from '../edits/guestEdit.ts';
import type { GuestDisk } from '../probe/openDisks.ts';
import type { GuestChange } from '../verify/guestDiff.ts';
import { failedCheck, passedCheck } from '../verify/verifyFinding.ts';
import { copyEfiFile, listEfiPrograms } from './copyEfiFile.ts';

/** What work on the EFI system partition needs. */
export interface EspParams {
  readonly images: readonly GuestDisk[];
  readonly guest: GuestFacts;
  readonly edits: readonly GuestEdit[];
  readonly workDir: string;
  readonly signal: AbortSignal;
}

function copiesOf(edits: readonly GuestEdit[]): readonly CopyEfiFileEdit[] {
  return edits.filter((edit) => edit.kind === 'copy-efi-file');
}

/**
 * Makes the edits of a Linux guest's EFI system partition on the top overlay of its disk. Idempotent.
 *
 * @throws {AppError} GUEST_EDIT_FAILED, DISK_*, OPERATION_CANCELLED
 */
export async function applyEspEdits(params: EspParams): Promise<void> {
  const { images, guest, workDir, signal } = params;
  const copies = copiesOf(params.edits);
  if (copies.length === 0 || guest.esp === undefined || guest.esp === null) return;
  const image = imageOf(images, guest.esp.diskIndex);
  await withVolumeFile({ image, volume: guest.esp, access: 'write', workDir, signal }, async (path) => {
    for (const edit of copies) await copyEfiFile(path, edit, signal);
  });
}

/** Looks again, on a fresh read-only export. @throws {AppError} DISK_*, OPERATION_CANCELLED */
export async function verifyEspEdits(
  params: EspParams,
): Promise<{ readonly findings: readonly Finding[]; readonly diff: readonly GuestChange[] }> {
  const { images, guest, workDir, signal } = params;
  const copies = copiesOf(params.edits);
  if (copies.length === 0 || guest.esp === undefined || guest.esp === null) return { findings: [], diff: [] };
  const image = imageOf(images, guest.esp.diskIndex);
  const programs = await withVolumeFile(
    { image, volume: guest.esp, access: 'read', workDir, signal },
    (path) => listEfiPrograms(path, signal),
  );
  const there = new Set(programs.map((program) => program.toLowerCase()));
  const findings = copies.map(({ from, to }) =>
    there.has(to.toLowerCase())
      ? passedCheck(`${to} is on the EFI system partition`, from)
      : failedCheck(`${to} is not on the EFI system partition`, from),
  );
  return { findings, diff: copies.map(({ from, to }) => ({ path: to, change: `copy of ${from}` })) };
}
