import { readFile } from 'node:fs/promises';
import type { StageFileEdit } from '../windows/plan/windowsEdit.ts';
import type { GuestRoot } from './guestRoot.ts';

/** For root alone: what is staged is read by the first boot's script. */
const mode = 0o600;

/** Copies files of this machine into the guest, one at a time. Folders are made; repeating it changes nothing. */
export async function stageFiles(root: GuestRoot, edits: readonly StageFileEdit[]): Promise<void> {
  for (const { path, source } of edits) {
    await root.writeFiles([{ name: path, mode, uid: 0, gid: 0, data: await readFile(source) }]);
  }
}
