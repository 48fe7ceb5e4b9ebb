import { AppError } from '@ascend/errors';
import type { PlaceEdit } from '../edits/guestEdit.ts';
import type { GuestRoot } from './guestRoot.ts';
import { busyboxPath } from './guestSandbox.ts';

const timeoutMs = 60_000;

function folderOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash <= 0 ? '/' : path.slice(0, slash);
}

async function isThere(root: GuestRoot, path: string): Promise<boolean> {
  // -L: a link that leads nowhere is there as well.
  for (const test of ['-e', '-L']) {
    const result = await root.run({
      args: [busyboxPath, 'test', test, path],
      okExitCodes: [0, 1],
      timeoutMs,
    });
    if (result.exitCode === 0) return true;
  }
  return false;
}

async function setAside(root: GuestRoot, path: string, to: string): Promise<void> {
  if (!(await isThere(root, path))) {
    if (await isThere(root, to)) return;
    throw new AppError({ code: 'GUEST_EDIT_FAILED', message: `set aside ${path}: the file is not there` });
  }
  await root.run({ args: [busyboxPath, 'mkdir', '-p', folderOf(to)], timeoutMs });
  await root.run({ args: [busyboxPath, 'mv', '-f', path, to], timeoutMs });
}

async function makeLink(root: GuestRoot, path: string, target: string): Promise<void> {
  await root.run({ args: [busyboxPath, 'mkdir', '-p', folderOf(path)], timeoutMs });
  // -n: a link to a folder that is there is replaced, not entered.
  await root.run({ args: [busyboxPath, 'ln', '-s', '-f', '-n', target, path], timeoutMs });
}

/**
 * Moves files out of the way and makes links, in order, inside the guest. Repeating it changes nothing.
 *
 * @throws {AppError} GUEST_EDIT_FAILED - a file to be set aside is not there
 */
export async function placeFiles(root: GuestRoot, edits: readonly PlaceEdit[]): Promise<void> {
  for (const edit of edits) {
    if (edit.kind === 'set-aside') await setAside(root, `/${edit.path}`, `/${edit.to}`);
    else await makeLink(root, `/${edit.path}`, edit.target);
  }
}
