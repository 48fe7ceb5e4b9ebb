/** One section of a keyfile or unit file. Keys may repeat, in order. */
export interface IniSection {
  readonly name: string;
  readonly entries: readonly (readonly [string, string])[];
}

/** Reads `[section]` and `key=value` lines; comments (`#`, `;`) and anything before the first section are skipped. */
export function parseIni(text: string): readonly IniSection[] {
  const sections: { name: string; entries: [string, string][] }[] = [];
  for (const raw of text.split('\n')) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#') || line.startsWith(';')) continue;
    const header = /^\[(.+)\]$/.exec(line);
    if (header?.[1] !== undefined) {
      sections.push({ name: header[1], entries: [] });
      continue;
    }
    const equals = line.indexOf('=');
    if (equals > 0)
      sections.at(-1)?.entries.push([line.slice(0, equals).trim(), line.slice(equals + 1).trim()]);
  }
  return sections;
}

/** All values of a key in all sections of a name, in order. */
export function iniValues(sections: readonly IniSection[], section: string, key: string): readonly string[] {
  return sections
    .filter((candidate) => candidate.name.toLowerCase() === section.toLowerCase())
    .flatMap((candidate) => candidate.entries)
    .filter(([name]) => name.toLowerCase() === key.toLowerCase())
    .map(([, value]) => value);
}
