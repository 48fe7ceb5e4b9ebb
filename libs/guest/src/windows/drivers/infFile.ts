import { AppError } from '@ascend/errors';

/** One line of an INF section: `key = values`, or values alone. */
export interface InfLine {
  /** Empty when the line has no `=`. */
  readonly key: string;
  readonly values: readonly string[];
}

/** A parsed INF file. Section names in upper case; lines of sections of the same name are put together. */
export interface InfFile {
  readonly sections: ReadonlyMap<string, readonly InfLine[]>;
  /** Replaces `%token%` by the strings of the file; unknown ones stay. */
  expand(text: string): string;
}

/** The largest INF files of vendors have about 2 MiB. */
const maxInfBytes = 8 * 1024 * 1024;

/** Text of an INF: UTF-16 with a byte order mark, UTF-8 with one, else one byte per character. */
function decode(bytes: Buffer): string {
  if (bytes.length >= 2 && bytes.readUInt16LE(0) === 0xfeff) return bytes.toString('utf16le', 2);
  if (bytes.toString('hex', 0, 3) === 'efbbbf') return bytes.toString('utf8', 3);
  return bytes.toString('latin1');
}

/** Cuts a comment that does not lie inside of quotes. */
function withoutComment(line: string): string {
  let quoted = false;
  for (let at = 0; at < line.length; at += 1) {
    if (line[at] === '"') quoted = !quoted;
    if (line[at] === ';' && !quoted) return line.slice(0, at);
  }
  return line;
}

/** Splits at `separator` outside of quotes. */
function split(text: string, separator: string): readonly string[] {
  const parts: string[] = [];
  let part = '';
  let quoted = false;
  for (const character of text) {
    if (character === '"') quoted = !quoted;
    if (character === separator && !quoted) {
      parts.push(part);
      part = '';
    } else part += character;
  }
  return [...parts, part];
}

/** A doubled quote inside of quotes is one; quotes around a value go away. */
function unquote(text: string): string {
  const trimmed = text.trim();
  const match = /^"(.*)"$/s.exec(trimmed);
  return (match?.[1] ?? trimmed).replaceAll('""', '"');
}

function toLine(text: string): InfLine {
  const [head = '', ...rest] = split(text, '=');
  if (rest.length === 0) return { key: '', values: split(text, ',').map(unquote) };
  return { key: unquote(head), values: split(rest.join('='), ',').map(unquote) };
}

/** Joins lines that end in a backslash with the next. */
function logicalLines(text: string): readonly string[] {
  const lines: string[] = [];
  let pending = '';
  for (const raw of text.split(/\r\n|[\r\n]/)) {
    const line = withoutComment(raw).trim();
    if (line.endsWith('\\') && !line.startsWith('[')) {
      pending += line.slice(0, -1);
      continue;
    }
    const whole = (pending + line).trim();
    pending = '';
    if (whole !== '') lines.push(whole);
  }
  return pending === '' ? lines : [...lines, pending.trim()];
}

/**
 * Parses an INF file (Microsoft, "General syntax rules for INF files", read 2026-11). Pure.
 *
 * @throws {AppError} GUEST_DRIVER_PACKAGE_INVALID - too large, or not for Windows NT (no Version section with a signature)
 */
export function parseInf(bytes: Buffer, name: string): InfFile {
  const invalid = (problem: string): AppError =>
    new AppError({
      code: 'GUEST_DRIVER_PACKAGE_INVALID',
      message: `read driver package ${name}: ${problem}`,
    });
  if (bytes.length > maxInfBytes) throw invalid(`${bytes.length} bytes, at most ${maxInfBytes} are read`);
  const sections = new Map<string, InfLine[]>();
  let lines: InfLine[] | null = null;
  for (const text of logicalLines(decode(bytes))) {
    const header = /^\[([^\]]+)\]/.exec(text)?.[1];
    if (header === undefined) {
      lines?.push(toLine(text));
      continue;
    }
    const section = header.trim().toUpperCase();
    lines = sections.get(section) ?? [];
    sections.set(section, lines);
  }
  // A file in several languages has further sections `Strings.LLLL`; the first one is the default.
  const strings = new Map(
    (sections.get('STRINGS') ?? []).map((line) => [line.key.toUpperCase(), line.values.join(',')]),
  );
  const signature = (sections.get('VERSION') ?? []).find((line) => line.key.toUpperCase() === 'SIGNATURE');
  if (!/^\$(windows nt|chicago)\$$/i.test(signature?.values[0] ?? '')) throw invalid('no Windows signature');
  return {
    sections,
    expand: (text) =>
      text.replaceAll(/%([^%]+)%/g, (whole, token: string) => strings.get(token.toUpperCase()) ?? whole),
  };
}

/** The values of the first line of a section with this key, expanded; empty when it is not there. */
export function infValues(inf: InfFile, section: string, key: string): readonly string[] {
  const wanted = key.toUpperCase();
  const line = (inf.sections.get(section.toUpperCase()) ?? []).find(
    (each) => each.key.toUpperCase() === wanted,
  );
  return (line?.values ?? []).map((value) => inf.expand(value));
}
