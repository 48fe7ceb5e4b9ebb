/** A value of LVM's configuration language. */
export type LvmValue = string | number | readonly LvmValue[];

/** A section: `name { key = value … }`. */
export interface LvmSection {
  readonly values: ReadonlyMap<string, LvmValue>;
  readonly sections: ReadonlyMap<string, LvmSection>;
}

const maxDepth = 8;
const maxTokens = 1_000_000;
const token = /\s+|#[^\n]*|("(?:[^"\\]|\\[\s\S])*"|[\w.+-]+|[{}[\]=,])/gy;

function tokensOf(text: string): readonly string[] | null {
  const tokens: string[] = [];
  token.lastIndex = 0;
  while (token.lastIndex < text.length) {
    const match = token.exec(text);
    if (match === null || tokens.length >= maxTokens) return null;
    if (match[1] !== undefined) tokens.push(match[1]);
  }
  return tokens;
}

function scalar(text: string): string | number {
  if (text.startsWith('"')) return text.slice(1, -1).replaceAll(/\\([\s\S])/g, '$1');
  return /^-?\d+$/.test(text) ? Number(text) : text;
}

/** Reads tokens one after the other; every method returns null where the text is not as the language wants it. */
class Reader {
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(tokens: readonly string[]) {
    this.#tokens = tokens;
  }

  #take(): string | null {
    return this.#tokens[this.#at++] ?? null;
  }

  #list(): readonly LvmValue[] | null {
    const items: LvmValue[] = [];
    for (let next = this.#take(); next !== ']'; next = this.#take()) {
      if (next === null || /^[{}[=]$/.test(next)) return null;
      if (next !== ',') items.push(scalar(next));
    }
    return items;
  }

  #value(): LvmValue | null {
    const next = this.#take();
    if (next === '[') return this.#list();
    return next === null || /^[{}\]=,]$/.test(next) ? null : scalar(next);
  }

  /** Everything up to the closing brace, or to the end of the text at depth 0. */
  section(depth: number): LvmSection | null {
    const values = new Map<string, LvmValue>();
    const sections = new Map<string, LvmSection>();
    const end = depth === 0 ? null : '}';
    for (let key = this.#take(); key !== end; key = this.#take()) {
      if (key === null || !/^[\w.+-]+$/.test(key) || depth > maxDepth) return null;
      const mark = this.#take();
      if (mark === '{') {
        const inner = this.section(depth + 1);
        if (inner === null) return null;
        sections.set(key, inner);
      } else if (mark === '=') {
        const value = this.#value();
        if (value === null) return null;
        values.set(key, value);
      } else return null;
    }
    return { values, sections };
  }
}

/** Reads a metadata text of LVM2 (format of `lvm.conf`). null: not that language, nested too deep, or too long. */
export function parseMetadataText(text: string): LvmSection | null {
  const tokens = tokensOf(text);
  return tokens === null ? null : new Reader(tokens).section(0);
}
