/** One change of the guest, in words: what a person would want to know, not bytes. */
export interface GuestChange {
  /** Relative to the guest's root. */
  readonly path: string;
  readonly change: string;
}

const maxListed = 12;

/** `a, b, c and 5 more` */
export function listNames(names: readonly string[]): string {
  const shown = names.slice(0, maxListed).join(', ');
  return names.length > maxListed ? `${shown} and ${names.length - maxListed} more` : shown;
}

/** Lines that came and went between two texts, each as one change; order within a file is not compared. */
export function textChanges(
  path: string,
  before: string | null,
  after: string | null,
): readonly GuestChange[] {
  if (before === after) return [];
  if (after === null) return [{ path, change: 'removed' }];
  if (before === null) return [{ path, change: `new file of ${after.split('\n').length - 1} lines` }];
  const oldLines = before.split('\n');
  const newLines = after.split('\n');
  const [known, kept] = [new Set(oldLines), new Set(newLines)];
  const gone = oldLines
    .filter((line) => line !== '' && !kept.has(line))
    .map((line) => ({ path, change: `- ${line}` }));
  const come = newLines
    .filter((line) => line !== '' && !known.has(line))
    .map((line) => ({ path, change: `+ ${line}` }));
  return [...gone, ...come];
}
