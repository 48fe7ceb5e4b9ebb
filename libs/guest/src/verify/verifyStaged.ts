import { readFile } from 'node:fs/promises';
import type { GuestFiles } from '../guestFiles.ts';
import type { StageFileEdit } from '../windows/plan/windowsEdit.ts';
import { failedCheck, passedCheck } from './verifyFinding.ts';
import type { VerifyResult } from './verifyEdits.ts';

/** Every file that was put into the guest holds the bytes of this machine's file. */
export async function verifyStaged(
  files: GuestFiles,
  edits: readonly StageFileEdit[],
): Promise<VerifyResult> {
  const results = [];
  for (const { path, source } of edits) {
    const wanted = await readFile(source);
    const found = await files.read(`/${path}`, Math.max(wanted.length, 1)).catch(() => null);
    const holds = found?.equals(wanted) === true;
    results.push({
      finding: holds
        ? passedCheck(`${path} is as planned`, `${wanted.length} bytes`)
        : failedCheck(`${path} is not as planned`, found === null ? 'not there, or larger' : 'other content'),
      change: { path, change: `written, ${wanted.length} bytes` },
    });
  }
  return { findings: results.map(({ finding }) => finding), diff: results.map(({ change }) => change) };
}
