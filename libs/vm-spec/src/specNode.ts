import { maxUnknownFields } from './limits.ts';

/** A parsed document: texts, numbers, truth values, lists and objects, as JSON has them. */
export type SpecValue =
  string | number | boolean | null | readonly SpecValue[] | { readonly [key: string]: SpecValue };

type SpecObject = { readonly [key: string]: SpecValue };

function isObject(value: SpecValue | undefined): value is SpecObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isList(value: SpecValue | undefined): value is readonly SpecValue[] {
  return Array.isArray(value);
}

/**
 * A place in a parsed document that remembers what was read below it, so that the rest can be told as unknown. A place that is not there
 * is a node too: everything below it is absent.
 */
export class SpecNode {
  readonly path: string;
  readonly #value: SpecValue | undefined;
  readonly #children = new Map<string, SpecNode>();
  #isRead = false;

  constructor(value: SpecValue | undefined, path = '') {
    this.#value = value;
    this.path = path;
  }

  get exists(): boolean {
    return this.#value !== undefined && this.#value !== null;
  }

  #child(key: string, value: SpecValue | undefined, path: string): SpecNode {
    const known = this.#children.get(key);
    if (known !== undefined) return known;
    const child = new SpecNode(value, path);
    this.#children.set(key, child);
    return child;
  }

  /** A member by its own name, or through several: `child('spec', 'resources')`. Of a list the first entry. */
  child(...names: readonly string[]): SpecNode {
    const [name, ...rest] = names;
    if (name === undefined) return this;
    if (isList(this.#value)) return (this.items()[0] ?? new SpecNode(undefined, this.path)).child(...names);
    const value = isObject(this.#value) && Object.hasOwn(this.#value, name) ? this.#value[name] : undefined;
    return this.#child(name, value, this.path === '' ? name : `${this.path}.${name}`).child(...rest);
  }

  /** The entries of a list; one that stands alone is a list of one (XML does not tell them apart). */
  items(): readonly SpecNode[] {
    if (!isList(this.#value)) return this.exists ? [this] : [];
    return this.#value.map((entry, index) => this.#child(`[${index}]`, entry, `${this.path}[${index}]`));
  }

  /** Member names of an object, without reading their values. */
  names(): readonly string[] {
    return isObject(this.#value) ? Object.keys(this.#value) : [];
  }

  /** A text, number or truth value as text without blanks around it; null = absent or something else. Of an element with attributes its text. */
  text(): string | null {
    if (isObject(this.#value)) return Object.hasOwn(this.#value, '#text') ? this.child('#text').text() : null;
    const value = this.#value;
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') return null;
    this.#isRead = true;
    const text = String(value).trim();
    return text === '' ? null : text;
  }

  /** A finite decimal number, or null. What is no number counts as read: ask `text` for what was there. */
  number(): number | null {
    const text = this.text();
    if (text === null || !/^[+-]?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(text)) return null;
    const value = Number(text);
    return Number.isFinite(value) ? value : null;
  }

  /** true, yes, on, 1, enabled / false, no, off, 0, disabled in any case; else null. */
  boolean(): boolean | null {
    const text = this.text()?.toLowerCase() ?? '';
    if (['true', 'yes', 'on', '1', 'enabled'].includes(text)) return true;
    return ['false', 'no', 'off', '0', 'disabled'].includes(text) ? false : null;
  }

  /** Known, and of no meaning for a new VM: nothing below it is told as unknown. */
  ignore(): void {
    this.#isRead = true;
  }

  /** Ignores members by name. */
  ignoring(...names: readonly string[]): void {
    for (const name of names) this.child(name).ignore();
  }

  /** Paths of values that nobody has read, in the order of the document; at most `maxUnknownFields`. */
  unread(): readonly string[] {
    const paths: string[] = [];
    this.#collect(paths);
    return paths;
  }

  #collect(into: string[]): void {
    if (this.#isRead || into.length >= maxUnknownFields) return;
    if (isList(this.#value)) {
      for (const item of this.items()) item.#collect(into);
      return;
    }
    if (!isObject(this.#value)) {
      if (this.#value !== undefined && this.#value !== null && this.#value !== '') into.push(this.path);
      return;
    }
    for (const name of this.names()) this.child(name).#collect(into);
  }
}
