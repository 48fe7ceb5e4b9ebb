/** One file's text in three views of equal length; what a view leaves out is spaces, so that offsets and lines agree. */
export interface SourceViews {
  /** Everything but comments. */
  readonly code: string;
  /** Code without the text of templates and regular expressions: what looks like a statement here is one. */
  readonly bare: string;
  /** Comments only. */
  readonly comments: string;
}

type Kind = 'code' | 'string' | 'template' | 'regex' | 'comment';

interface Span {
  readonly kind: Kind;
  readonly end: number;
}

// After these a slash begins a regular expression, not a division.
const beforeRegex = /(?:^|[(,=:[!&|?{};+\-*%<>~^]|\b(?:return|typeof|case|in|of|void|throw|await|yield))\s*$/;

function endOfQuoted(text: string, start: number): number {
  const quote = text[start];
  let index = start + 1;
  while (index < text.length && text[index] !== quote && text[index] !== '\n') {
    index += text[index] === '\\' ? 2 : 1;
  }
  return index + 1;
}

function endOfRegex(text: string, start: number): number {
  let index = start + 1;
  let inClass = false;
  while (index < text.length && text[index] !== '\n') {
    const char = text[index];
    if (char === '/' && !inClass) return index + 1;
    if (char === '[') inClass = true;
    if (char === ']') inClass = false;
    index += char === '\\' ? 2 : 1;
  }
  return start + 1;
}

/** End of template text that begins at `start`: behind the closing quote, or at the `${` of an expression. */
function endOfTemplate(text: string, start: number): number {
  let index = start;
  while (index < text.length) {
    if (text[index] === '`') return index + 1;
    if (text.startsWith('${', index)) return index + 2;
    index += text[index] === '\\' ? 2 : 1;
  }
  return index;
}

function indexOrEnd(text: string, part: string, from: number): number {
  const index = text.indexOf(part, from);
  return index === -1 ? text.length : index;
}

const special = /['"`/{}]/g;

function spanAt(text: string, at: number, before: () => string): Span {
  special.lastIndex = at;
  const next = special.exec(text)?.index ?? text.length;
  if (next > at) return { kind: 'code', end: next };
  if (text.startsWith('//', at)) return { kind: 'comment', end: indexOrEnd(text, '\n', at) };
  if (text.startsWith('/*', at)) {
    return { kind: 'comment', end: Math.min(text.length, indexOrEnd(text, '*/', at + 2) + 2) };
  }
  const char = text[at];
  if (char === "'" || char === '"') return { kind: 'string', end: endOfQuoted(text, at) };
  if (char === '`') return { kind: 'template', end: endOfTemplate(text, at + 1) };
  const end = char === '/' && beforeRegex.test(before()) ? endOfRegex(text, at) : at + 1;
  return { kind: end === at + 1 ? 'code' : 'regex', end };
}

function blank(text: string): string {
  return text.replaceAll(/[^\n]/g, ' ');
}

/** Keeps account of the braces open inside each template expression we are in. */
function followBraces(braces: number[], kind: Kind, part: string): void {
  const depth = braces.at(-1);
  if (kind === 'template' && part.endsWith('${')) braces.push(0);
  if (kind !== 'code' || depth === undefined) return;
  if (part === '{') braces[braces.length - 1] = depth + 1;
  if (part === '}') braces[braces.length - 1] = depth - 1;
}

/** Splits TypeScript source into its views. A scanner, not a parser: enough for house rules, never for meaning. */
export function splitSource(text: string): SourceViews {
  const code: string[] = [];
  const bare: string[] = [];
  const comments: string[] = [];
  const braces: number[] = [];
  const before = (): string => bare.slice(-8).join('').slice(-60);
  let at = 0;
  while (at < text.length) {
    const closesExpression = text[at] === '}' && braces.at(-1) === 0;
    if (closesExpression) braces.pop();
    const span: Span = closesExpression
      ? { kind: 'template', end: endOfTemplate(text, at + 1) }
      : spanAt(text, at, before);
    const part = text.slice(at, span.end);
    followBraces(braces, span.kind, part);
    const gap = blank(part);
    code.push(span.kind === 'comment' ? gap : part);
    bare.push(span.kind === 'code' || span.kind === 'string' ? part : gap);
    comments.push(span.kind === 'comment' ? part : gap);
    at = span.end;
  }
  return { code: code.join(''), bare: bare.join(''), comments: comments.join('') };
}

/** Line number (from 1) of an offset. */
export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}
