import { readText, type GuestFiles } from '../guestFiles.ts';

/** Who the operating system says it is. */
export interface OsRelease {
  /** `ID`, e.g. `debian`. */
  readonly distribution: string | null;
  /** `VERSION_ID`, e.g. `12`. */
  readonly version: string | null;
}

function unquote(text: string): string {
  const trimmed = text.trim();
  const match = /^(["'])(.*)\1$/.exec(trimmed);
  return (match?.[2] ?? trimmed).replaceAll(/\\(.)/g, '$1');
}

/** Reads `KEY=value` lines as a shell would read plain assignments: quotes removed, comments and other lines skipped. */
export function parseAssignments(text: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^\s*(?:export\s+)?([A-Za-z_]\w*)=(.*)$/.exec(line);
    if (match?.[1] !== undefined) values.set(match[1], unquote(match[2] ?? ''));
  }
  return values;
}

/** Reads `etc/os-release` (or its copy under `usr/lib`). null when the file system holds no Linux root. */
export async function readOsRelease(files: GuestFiles): Promise<OsRelease | null> {
  const text = (await readText(files, '/etc/os-release')) ?? (await readText(files, '/usr/lib/os-release'));
  if (text === null) return null;
  const values = parseAssignments(text);
  return { distribution: values.get('ID') ?? null, version: values.get('VERSION_ID') ?? null };
}
