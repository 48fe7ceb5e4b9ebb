import type { Hive, HiveKey } from './hive.ts';
import { hiveError } from './hiveHeader.ts';
import type { HiveValue } from './hiveValue.ts';

/** One difference between two states of a hive. Paths from the root, parts divided by `\`. */
export interface HiveChange {
  readonly kind: 'key-added' | 'key-removed' | 'value-set' | 'value-removed';
  readonly key: string;
  /** null for keys. */
  readonly value: HiveValue | null;
}

const maxDepth = 512;

interface Pair {
  readonly path: string;
  readonly before: HiveKey | null;
  readonly after: HiveKey | null;
  readonly depth: number;
}

function byName<T extends { readonly name: string }>(items: readonly T[]): ReadonlyMap<string, T> {
  return new Map(items.map((item) => [item.name.toUpperCase(), item]));
}

function* diffValues(pair: Pair): Generator<HiveChange> {
  const before = byName(pair.before?.values() ?? []);
  const after = byName(pair.after?.values() ?? []);
  for (const [name, value] of after) {
    const old = before.get(name);
    if (old?.type === value.type && old.data.equals(value.data)) continue;
    yield { kind: 'value-set', key: pair.path, value };
  }
  for (const [name, value] of before) {
    if (!after.has(name)) yield { kind: 'value-removed', key: pair.path, value };
  }
}

function* diffKey(pair: Pair): Generator<HiveChange> {
  if (pair.before === null) yield { kind: 'key-added', key: pair.path, value: null };
  if (pair.after === null) yield { kind: 'key-removed', key: pair.path, value: null };
  // What was below a removed key went with it.
  else yield* diffValues(pair);
}

function subkeyPairs(pair: Pair): readonly Pair[] {
  const olds = byName(pair.before?.subkeys() ?? []);
  const news = byName(pair.after?.subkeys() ?? []);
  return [...new Set([...olds.keys(), ...news.keys()])].map((name) => {
    const [before, after] = [olds.get(name) ?? null, news.get(name) ?? null];
    const own = after?.name ?? before?.name ?? name;
    return { path: pair.path === '' ? own : `${pair.path}\\${own}`, before, after, depth: pair.depth + 1 };
  });
}

/**
 * Everything that differs between two states of a hive: keys and values with their types and bytes; not time stamps,
 * classes and security.
 *
 * @throws {AppError} GUEST_HIVE_CORRUPT
 */
export function* diffHives(before: Hive, after: Hive): Generator<HiveChange> {
  const seen = new Set<number>();
  const pending: Pair[] = [{ path: '', before: before.root, after: after.root, depth: 0 }];
  for (let pair = pending.pop(); pair !== undefined; pair = pending.pop()) {
    if (pair.depth > maxDepth) throw hiveError('more nested keys than a registry may have');
    if (pair.after !== null) {
      if (seen.has(pair.after.offset)) throw hiveError(`the key at ${pair.after.offset} is there twice`);
      seen.add(pair.after.offset);
    }
    yield* diffKey(pair);
    if (pair.after === null) continue;
    // One by one: a key may have more subkeys than a call may have arguments.
    for (const below of subkeyPairs(pair)) pending.push(below);
  }
}
