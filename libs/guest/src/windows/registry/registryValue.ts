import type { HiveKey, Hive } from './hive.ts';
import type { HiveValue } from './hiveValue.ts';

/** Type numbers of registry values (winnt.h). */
export const registryTypes = {
  REG_NONE: 0,
  REG_SZ: 1,
  REG_EXPAND_SZ: 2,
  REG_BINARY: 3,
  REG_DWORD: 4,
  REG_MULTI_SZ: 7,
  REG_QWORD: 11,
} as const;

/** Typed contents of a value an edit writes. Binary data is hex text, so that edits stay plain data. */
export type RegistryData =
  | { readonly type: 'REG_SZ' | 'REG_EXPAND_SZ'; readonly data: string }
  | { readonly type: 'REG_MULTI_SZ'; readonly data: readonly string[] }
  | { readonly type: 'REG_DWORD'; readonly data: number }
  | { readonly type: 'REG_BINARY' | 'REG_NONE' | 'REG_QWORD'; readonly data: string };

/** The stored bytes of typed contents. */
export function encodeRegistryData(value: RegistryData): Buffer {
  if (value.type === 'REG_MULTI_SZ') {
    return Buffer.from([...value.data.map((text) => `${text}\0`), '\0'].join(''), 'utf16le');
  }
  if (value.type === 'REG_DWORD') {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value.data >>> 0);
    return bytes;
  }
  if (value.type === 'REG_SZ' || value.type === 'REG_EXPAND_SZ')
    return Buffer.from(`${value.data}\0`, 'utf16le');
  return Buffer.from(value.data, 'hex');
}

function textOf(value: HiveValue): string | null {
  if (value.type !== registryTypes.REG_SZ && value.type !== registryTypes.REG_EXPAND_SZ) return null;
  const text = value.data.toString('utf16le');
  const end = text.indexOf('\0');
  return end === -1 ? text : text.slice(0, end);
}

/** A REG_SZ or REG_EXPAND_SZ value up to its first NUL; null when it is not there or of another type. */
export function readText(key: HiveKey | null, name: string): string | null {
  const value = key?.value(name) ?? null;
  return value === null ? null : textOf(value);
}

/** A REG_DWORD value; null when it is not there, of another type or cut. */
export function readDword(key: HiveKey | null, name: string): number | null {
  const value = key?.value(name) ?? null;
  return value?.type === registryTypes.REG_DWORD && value.data.length >= 4
    ? value.data.readUInt32LE(0)
    : null;
}

/** The texts of a REG_MULTI_SZ (a REG_SZ counts as one); empty when it is not there. */
export function readTexts(key: HiveKey | null, name: string): readonly string[] {
  const value = key?.value(name) ?? null;
  if (value === null) return [];
  if (value.type === registryTypes.REG_MULTI_SZ) {
    return value.data
      .toString('utf16le')
      .split('\0')
      .filter((text) => text !== '');
  }
  const text = textOf(value);
  return text === null || text === '' ? [] : [text];
}

/** The names of the subkeys of a path, as stored; empty when the key is not there. */
export function listKeys(hive: Hive, path: string): readonly string[] {
  return (hive.key(path)?.subkeys() ?? []).map((key) => key.name);
}
