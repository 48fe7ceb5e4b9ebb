/** A value of the YAML that network configurations are written in; scalars stay text. */
export type YamlValue = string | readonly YamlValue[] | { readonly [key: string]: YamlValue };

interface Line {
  readonly indent: number;
  readonly text: string;
}

const maxLines = 20_000;
const maxDepth = 32;

function stripComment(line: string): string {
  let quote = '';
  for (let at = 0; at < line.length; at += 1) {
    const sign = line.charAt(at);
    if (quote !== '') {
      if (sign === quote) quote = '';
    } else if ((sign === '"' || sign === "'") && /[\s:,[{-]|^$/.test(line.charAt(at - 1))) quote = sign;
    else if (sign === '#' && (at === 0 || /\s/.test(line.charAt(at - 1)))) return line.slice(0, at);
  }
  return line;
}

function toLines(text: string): Line[] | null {
  const lines: Line[] = [];
  for (const raw of text.split('\n')) {
    const stripped = stripComment(raw).trimEnd();
    if (stripped.trim() === '' || stripped === '---') continue;
    if (/^ *\t/.test(stripped) || lines.length >= maxLines) return null;
    lines.push({ indent: stripped.length - stripped.trimStart().length, text: stripped.trimStart() });
  }
  return lines;
}

function unquote(text: string): string {
  return /^(["'])(.*)\1$/.exec(text.trim())?.[2] ?? text.trim();
}

/** Splits at commas outside brackets and quotes. */
function splitFlow(text: string): string[] {
  const parts: string[] = [];
  let [depth, quote, start] = [0, '', 0];
  for (let at = 0; at < text.length; at += 1) {
    const sign = text.charAt(at);
    if (quote !== '') quote = sign === quote ? '' : quote;
    else if (sign === '"' || sign === "'") quote = sign;
    else if (sign === '[' || sign === '{') depth += 1;
    else if (sign === ']' || sign === '}') depth -= 1;
    else if (sign === ',' && depth === 0) {
      parts.push(text.slice(start, at));
      start = at + 1;
    }
  }
  parts.push(text.slice(start));
  return parts.map((part) => part.trim()).filter((part) => part !== '');
}

function parseFlow(text: string, depth: number): YamlValue {
  const trimmed = text.trim();
  if (depth > maxDepth) return '';
  if (trimmed.startsWith('[') && trimmed.endsWith(']')) {
    return splitFlow(trimmed.slice(1, -1)).map((part) => parseFlow(part, depth + 1));
  }
  if (trimmed.startsWith('{') && trimmed.endsWith('}')) {
    const pairs = splitFlow(trimmed.slice(1, -1)).map((part): [string, YamlValue] => {
      const [key, value] = splitKey(part) ?? [part, ''];
      return [key, parseFlow(value, depth + 1)];
    });
    return Object.fromEntries(pairs);
  }
  return unquote(trimmed);
}

function splitKey(text: string): [string, string] | null {
  const match = /^("[^"]*"|'[^']*'|[^\s'"[{][^:]*?|[^\s:'"[{][^\s:]*(?::[^\s:]+)*)\s*:(?:\s+(.*))?$/.exec(
    text,
  );
  return match?.[1] === undefined ? null : [unquote(match[1]), match[2] ?? ''];
}

function isItem(line: Line): boolean {
  return line.text === '-' || line.text.startsWith('- ');
}

/** Parses the block that starts at `lines[0]` and takes its lines away. */
function parseBlock(lines: Line[], depth: number): YamlValue {
  const first = lines[0];
  if (first === undefined || depth > maxDepth) return '';
  if (isItem(first)) return parseItems(lines, first.indent, depth);
  return parseMapping(lines, first.indent, depth);
}

function parseItems(lines: Line[], indent: number, depth: number): YamlValue {
  const items: YamlValue[] = [];
  for (let line = lines[0]; line !== undefined && line.indent === indent && isItem(line); line = lines[0]) {
    const rest = line.text.slice(1).trimStart();
    const inner = indent + line.text.length - rest.length;
    if (rest === '') {
      lines.shift();
      const next = lines[0];
      items.push(next !== undefined && next.indent > indent ? parseBlock(lines, depth + 1) : '');
    } else if (splitKey(rest) === null || /^[[{]/.test(rest)) {
      lines.shift();
      items.push(parseFlow(rest, depth + 1));
    } else {
      lines[0] = { indent: inner, text: rest };
      items.push(parseMapping(lines, inner, depth + 1));
    }
  }
  return items;
}

function parseMapping(lines: Line[], indent: number, depth: number): YamlValue {
  const pairs: [string, YamlValue][] = [];
  for (let line = lines[0]; line !== undefined && line.indent === indent && !isItem(line); line = lines[0]) {
    lines.shift();
    const pair = splitKey(line.text);
    if (pair === null) continue;
    const [key, value] = pair;
    const next = lines[0];
    // Items of a sequence may stand at the indentation of their key.
    const nested =
      next !== undefined &&
      depth < maxDepth &&
      (next.indent > indent || (next.indent === indent && isItem(next)));
    pairs.push([key, value === '' && nested ? parseBlock(lines, depth + 1) : parseFlow(value, depth + 1)]);
    // Deeper lines that nothing took (a folded scalar, say) are skipped.
    while ((lines[0]?.indent ?? -1) > indent) lines.shift();
  }
  return Object.fromEntries(pairs);
}

/**
 * Reads the subset of YAML that network configurations use: mappings, sequences, flow lists and maps, quoted scalars,
 * comments. null for what is not of that form (tabs, more than 20000 lines); anchors and block scalars read as text.
 */
export function parseYaml(text: string): YamlValue | null {
  const lines = toLines(text);
  return lines === null ? null : parseBlock(lines, 0);
}

/** A member of a mapping, null when the value is no mapping or has no such key. */
export function yamlMember(value: YamlValue | null, key: string): YamlValue | null {
  if (value === null || typeof value === 'string' || isYamlList(value)) return null;
  return Object.hasOwn(value, key) ? (value[key] ?? null) : null;
}

/** True for a sequence. */
export function isYamlList(value: YamlValue): value is readonly YamlValue[] {
  return Array.isArray(value);
}
