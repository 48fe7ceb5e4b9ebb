import { readFile } from 'node:fs/promises';
import { AppError } from '@ascend/errors';
import type { NtfsVolume } from '../ntfs/ntfsVolume.ts';
import { findPath } from '../windowsFiles.ts';
import type { WindowsEdit } from '../plan/windowsEdit.ts';
import type { GuestHive } from '../probe/readHives.ts';
import type { HiveChange } from '../registry/diffHives.ts';
import { editHive } from '../registry/editHive.ts';
import type { RegistryEdit } from '../registry/registryEdit.ts';

/** What applying left. */
export interface AppliedWindows {
  /** Registry changes by hive, as read back. */
  readonly registry: Readonly<Record<string, readonly HiveChange[]>>;
  /** Files that were written, relative to the volume. */
  readonly files: readonly string[];
}

function isRegistryEdit(edit: WindowsEdit): edit is RegistryEdit {
  return 'hive' in edit;
}

/** The path with every part that exists spelled as on the volume, so that no second folder of the same name appears. */
async function spelledPath(volume: NtfsVolume, path: string): Promise<string> {
  const parts = path.split('/').filter((part) => part !== '');
  for (let count = parts.length; count > 0; count -= 1) {
    const found = await findPath(volume, parts.slice(0, count).join('/'));
    if (found !== null) return [found, ...parts.slice(count)].join('/');
  }
  return `/${parts.join('/')}`;
}

async function writeAndReadBack(volume: NtfsVolume, path: string, bytes: Buffer): Promise<void> {
  const spelled = await spelledPath(volume, path);
  await volume.write(spelled, bytes);
  const back = await volume.read(spelled, bytes.length + 1);
  if (back?.equals(bytes) === true) return;
  throw new AppError({
    code: 'GUEST_VERIFY_FAILED',
    message: `write ${spelled} in guest: ${back?.length ?? 0} bytes were read back, ${bytes.length} were written`,
  });
}

/**
 * Makes the edits on a mounted Windows volume: hives first in memory, all of them, then files; nothing is written when one
 * hive cannot be edited. Every file is read back. `copy-efi-file` edits are for `copyEfiFile`, on another volume.
 * Idempotent. On failure the overlay must be dropped.
 *
 * @throws {AppError} GUEST_EDIT_FAILED, GUEST_VERIFY_FAILED, GUEST_HIVE_CORRUPT, OPERATION_CANCELLED
 */
export async function applyWindowsEdits(params: {
  readonly volume: NtfsVolume;
  /** As probed: their logs are put in place already. */
  readonly hives: readonly GuestHive[];
  readonly edits: readonly WindowsEdit[];
  readonly workDir: string;
  readonly signal: AbortSignal;
}): Promise<AppliedWindows> {
  const { volume, hives, edits, workDir, signal } = params;
  const registry: Record<string, readonly HiveChange[]> = {};
  const contents = new Map<string, Buffer>();
  for (const hive of hives) {
    const own = edits.filter(isRegistryEdit).filter((edit) => edit.hive === hive.facts.name);
    if (own.length === 0) continue;
    const edited = await editHive({ bytes: hive.bytes, edits: own, workDir, signal });
    registry[hive.facts.name] = edited.changes;
    contents.set(hive.facts.path, edited.bytes);
  }
  const unknown = edits.filter(isRegistryEdit).find((edit) => registry[edit.hive] === undefined);
  if (unknown !== undefined) {
    const message = `edit registry: the guest has no hive ${unknown.hive}`;
    throw new AppError({ code: 'GUEST_EDIT_FAILED', message });
  }
  for (const edit of edits) {
    if (edit.kind === 'write-file') contents.set(edit.path, Buffer.from(edit.content, 'utf8'));
    if (edit.kind === 'stage-file') contents.set(edit.path, await readFile(edit.source));
  }
  for (const [path, bytes] of contents) {
    signal.throwIfAborted();
    await writeAndReadBack(volume, path, bytes);
  }
  return { registry, files: [...contents.keys()] };
}
