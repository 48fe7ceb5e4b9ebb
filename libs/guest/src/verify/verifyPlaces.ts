import type { Finding } from '@ascend/domain';
import { isTextEdit, type GuestEdit, type MakeLinkEdit, type SetAsideEdit } from '../edits/guestEdit.ts';
import type { GuestFiles } from '../guestFiles.ts';
import type { GuestChange } from './guestDiff.ts';
import { failedCheck, passedCheck } from './verifyFinding.ts';

const maxBytes = 4 * 1024 * 1024;

/** What comparing moved files and links with the original gave. */
interface PlacesVerdict {
  readonly findings: readonly Finding[];
  readonly diff: readonly GuestChange[];
}

/** What a path is without following it: contents of a file, target of a link, null when nothing is there. */
async function identity(files: GuestFiles, path: string): Promise<string | null> {
  const link = (await files.readLink?.(`/${path}`)) ?? null;
  if (link !== null) return `link ${link}`;
  const bytes = await files.read(`/${path}`, maxBytes);
  return bytes === null ? null : `file ${bytes.toString('latin1')}`;
}

/** Paths that another edit fills again after the file was set aside. */
function refilled(edits: readonly GuestEdit[]): ReadonlySet<string> {
  const filling = edits.filter((edit) => isTextEdit(edit) || edit.kind === 'make-link');
  return new Set(filling.map((edit) => edit.path));
}

async function verifyAside(
  before: GuestFiles,
  after: GuestFiles,
  edit: SetAsideEdit,
  mayBeThere: boolean,
): Promise<Finding> {
  const [original, kept] = [await identity(before, edit.path), await identity(after, edit.to)];
  if (kept === null || kept !== original) {
    return failedCheck(
      `${edit.path} is not kept in ${edit.to}`,
      kept === null ? 'not there' : 'other content',
    );
  }
  return !mayBeThere && (await identity(after, edit.path)) !== null
    ? failedCheck(`${edit.path} is still in place`, edit.kind)
    : passedCheck(`${edit.path} is kept in ${edit.to}`, edit.kind);
}

async function verifyLink(after: GuestFiles, edit: MakeLinkEdit): Promise<Finding> {
  const found = await identity(after, edit.path);
  return found === `link ${edit.target}`
    ? passedCheck(`${edit.path} is as planned`, edit.kind)
    : failedCheck(
        `${edit.path} is not as planned`,
        `${edit.kind}: ${found === null ? 'not there' : 'other'}`,
      );
}

/** Reads moved files and links again: kept files have their bytes, nothing is left in their place, links lead where planned. */
export async function verifyPlaces(params: {
  readonly before: GuestFiles;
  readonly after: GuestFiles;
  readonly edits: readonly GuestEdit[];
}): Promise<PlacesVerdict> {
  const { before, after, edits } = params;
  const filled = refilled(edits);
  const findings: Finding[] = [];
  const diff: GuestChange[] = [];
  for (const edit of edits) {
    if (edit.kind === 'set-aside') {
      findings.push(await verifyAside(before, after, edit, filled.has(edit.path)));
      diff.push({ path: edit.path, change: `moved to ${edit.to}` });
    } else if (edit.kind === 'make-link') {
      findings.push(await verifyLink(after, edit));
      diff.push({ path: edit.path, change: `link to ${edit.target}` });
    }
  }
  return { findings, diff };
}
