import { createHash } from 'node:crypto';

function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => ordered(item));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  // A null prototype keeps a key named `__proto__` as data.
  const copy: Record<string, unknown> = Object.create(null);
  for (const [key, item] of entries) copy[key] = ordered(item);
  return copy;
}

/** JSON with sorted keys and no white space: equal values give equal text whatever their key order. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(ordered(value));
}

/** `sha256:<hex>` over the canonical JSON of a value. */
export function contentHash(value: unknown): string {
  return `sha256:${createHash('sha256').update(canonicalJson(value)).digest('hex')}`;
}
