import type { GuestFacts, WindowsFacts } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import type { ApplyParams } from '../../apply/applyParams.ts';
import { imageOf } from '../../apply/volumeExport.ts';
import type { GuestEdit } from '../../edits/guestEdit.ts';
import { applyWindowsEdits } from '../apply/applyWindowsEdits.ts';
import { applyEspEdits } from '../../efi/espEdits.ts';
import type { WindowsEdit } from '../plan/windowsEdit.ts';
import { probeWindows } from '../probe/probeWindows.ts';
import { withNtfs, type NtfsPlace } from './openNtfs.ts';

const windowsKinds = new Set([
  'set-registry-value',
  'delete-registry-value',
  'delete-registry-key',
  'write-file',
  'stage-file',
  'copy-efi-file',
]);

/** True for an edit of a Windows guest. */
export function isWindowsEdit(edit: GuestEdit): edit is WindowsEdit {
  return windowsKinds.has(edit.kind);
}

/** The Windows of a guest and where it lies. @throws {AppError} GUEST_UNRECOGNISED */
export function windowsOf(guest: GuestFacts): {
  readonly facts: WindowsFacts;
  readonly root: NonNullable<GuestFacts['root']>;
} {
  if (guest.windows !== undefined && guest.root !== null) return { facts: guest.windows, root: guest.root };
  throw new AppError({ code: 'GUEST_UNRECOGNISED', message: 'edit guest: no Windows volume is known' });
}

/**
 * Makes the edits of a Windows guest on the top overlay of its disk: registry and files of the Windows volume, then the
 * EFI system partition. On failure the overlay must be dropped.
 *
 * @throws {AppError} GUEST_EDIT_FAILED, GUEST_VERIFY_FAILED, GUEST_FILE_SYSTEM_DIRTY, GUEST_EXECUTOR_UNAVAILABLE, DISK_*
 */
export async function applyWindowsGuest(params: ApplyParams): Promise<void> {
  const { images, guest, workDir, signal } = params;
  const { facts, root } = windowsOf(guest);
  const image = imageOf(images, root.diskIndex);
  const edits = params.edits.filter(isWindowsEdit);
  // A plan for a volume that was in use exists only where the operator allowed it.
  const acceptDirty = facts.volume.dirty === true || facts.volume.logClosed === false;
  const place: NtfsPlace = { image, volume: root, access: 'write', acceptDirty, workDir, signal };
  params.report('mount');
  await withNtfs(place, async (volume) => {
    const probed = await probeWindows({ files: volume, volume: facts.volume });
    if (probed === null)
      throw new AppError({ code: 'GUEST_EDIT_FAILED', message: 'edit guest: the Windows is not there' });
    params.report('registry and files');
    await applyWindowsEdits({ volume, hives: probed.hives, edits, workDir, signal });
    params.report('flush');
  });
  const { esp } = facts;
  if (esp === undefined || esp === null) return;
  params.report('EFI system partition');
  await applyEspEdits({ image, esp, edits, workDir, signal });
}
