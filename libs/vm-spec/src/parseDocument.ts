import { AppError } from '@ascend/errors';
import sax from 'sax';
import { maxDepth, maxDocumentBytes, maxNodes } from './limits.ts';
import { shown } from './specFinding.ts';
import { SpecNode, type SpecValue } from './specNode.ts';
import type { SpecDocument } from './specReader.ts';

function invalid(document: SpecDocument, reason: string, cause?: unknown): AppError {
  return new AppError({
    code: 'SPEC_DOCUMENT_INVALID',
    message: `read ${shown(document.name)}: ${shown(reason)}`,
    details: { document: shown(document.name) },
    ...(cause === undefined ? {} : { cause }),
  });
}

/** For formats that are neither XML nor JSON. @throws {AppError} SPEC_DOCUMENT_INVALID - more than 8 MiB */
export function assertDocumentSize(document: SpecDocument): void {
  const bytes = Buffer.byteLength(document.text);
  if (bytes > maxDocumentBytes) throw invalid(document, `${bytes} bytes, ${maxDocumentBytes} are the limit`);
}

/** Counts what a document holds. JSON.parse makes nothing but plain values, so that this is safe after it. */
function assertShape(document: SpecDocument, root: SpecValue): void {
  const waiting: [SpecValue, number][] = [[root, 1]];
  let nodes = 0;
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const [value, depth] = next;
    nodes += 1;
    if (nodes > maxNodes) throw invalid(document, `more than ${maxNodes} fields`);
    if (typeof value !== 'object' || value === null) continue;
    if (depth >= maxDepth) throw invalid(document, `nested deeper than ${maxDepth}`);
    for (const inner of Object.values(value)) waiting.push([inner, depth + 1]);
  }
}

/** Collects an element while it is open. */
class OpenElement {
  readonly name: string;
  #text = '';
  readonly #members = new Map<string, SpecValue[]>();

  constructor(name: string) {
    this.name = name;
  }

  addText(text: string): void {
    this.#text += text;
  }

  add(name: string, value: SpecValue): void {
    const known = this.#members.get(name);
    if (known === undefined) this.#members.set(name, [value]);
    else known.push(value);
  }

  /** The text alone where there is nothing else; else the members, those of one name as a list, and the text as `#text`. */
  value(): SpecValue {
    const text = this.#text.trim();
    if (this.#members.size === 0) return text;
    const pairs: [string, SpecValue][] = [...this.#members].map(([name, values]) => [
      name,
      values.length === 1 ? (values[0] ?? '') : values,
    ]);
    if (text !== '') pairs.push(['#text', text]);
    return Object.fromEntries(pairs);
  }
}

/** `ovf:Envelope` and `Envelope` are the same to a reader: prefixes are the writer's choice. */
function localName(name: string): string {
  return name.slice(name.indexOf(':') + 1);
}

/**
 * An XML document: elements by name without prefix, attributes as `@name`, text beside attributes as `#text`; elements of one name are
 * a list. A document type is refused, so there are no entities but the predefined ones and characters by number.
 *
 * @throws {AppError} SPEC_DOCUMENT_INVALID
 */
export function parseXml(document: SpecDocument): SpecNode {
  assertDocumentSize(document);
  const parser = sax.parser(true, { position: false });
  const root = new OpenElement('');
  const open: OpenElement[] = [root];
  let nodes = 0;
  const count = (more: number): void => {
    nodes += more;
    if (nodes > maxNodes) throw invalid(document, `more than ${maxNodes} fields`);
  };
  const handlers: Partial<sax.SAXParser> = {
    onerror: (cause) => {
      throw invalid(document, `no well-formed XML: ${cause.message.split('\n')[0] ?? ''}`);
    },
    // Danger: entities of a document type may name files of this machine, or grow without bound.
    ondoctype: () => {
      throw invalid(document, 'it declares a document type');
    },
    onopentag: ({ name, attributes }) => {
      if (open.length >= maxDepth) throw invalid(document, `nested deeper than ${maxDepth}`);
      const element = new OpenElement(localName(name));
      const own = Object.entries(attributes).filter(([key]) => key !== 'xmlns' && !key.startsWith('xmlns:'));
      for (const [key, value] of own) element.add(`@${localName(key)}`, String(value));
      count(1 + own.length);
      open.push(element);
    },
    ontext: (text) => open.at(-1)?.addText(text),
    oncdata: (text) => open.at(-1)?.addText(text),
    onclosetag: () => {
      const element = open.pop();
      if (element !== undefined) open.at(-1)?.add(element.name, element.value());
    },
  };
  Object.assign(parser, handlers);
  parser.write(document.text.replace(/^\uFEFF/, '')).close();
  if (nodes === 0) throw invalid(document, 'no element');
  return new SpecNode(root.value());
}

/** A JSON document. @throws {AppError} SPEC_DOCUMENT_INVALID */
export function parseJson(document: SpecDocument): SpecNode {
  assertDocumentSize(document);
  let value: SpecValue;
  try {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- JSON has no other values
    value = JSON.parse(document.text.replace(/^\uFEFF/, '')) as SpecValue;
  } catch (cause) {
    throw invalid(document, `no JSON: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
  assertShape(document, value);
  return new SpecNode(value);
}
