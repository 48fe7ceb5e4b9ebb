import { hiveCells, noCell, type HiveCells } from './hiveCells.ts';
import { hiveError, readHiveHeader, type HiveHeader } from './hiveHeader.ts';
import { readHiveValue, valueOffsets, type HiveValue } from './hiveValue.ts';

/** One key of a hive. Everything is read when it is asked for. All methods throw GUEST_HIVE_CORRUPT on damage. */
export interface HiveKey {
  /** Hostile input: any characters but `\`. */
  readonly name: string;
  /** Where its cell is: tells keys apart. */
  readonly offset: number;
  subkeys(): readonly HiveKey[];
  values(): readonly HiveValue[];
  /** Looks up without regard to case. */
  subkey(name: string): HiveKey | null;
  value(name: string): HiveValue | null;
}

/** A registry hive, read-only. */
export interface Hive {
  readonly header: HiveHeader;
  readonly root: HiveKey;
  /** The key at a path from the root, parts divided by `\`, without regard to case; null when it is not there. */
  key(path: string): HiveKey | null;
}

/** Most keys the walk over a whole hive visits. */
const maxKeys = 4_000_000;
/** Depth limit of the registry itself (Microsoft, "Registry element size limits", read 2026-11). */
const maxDepth = 512;

interface HiveContext {
  readonly cells: HiveCells;
  readonly minorVersion: number;
}

const entryBytes: Readonly<Record<string, number>> = { lf: 8, lh: 8, li: 4 };

/** Offsets of the subkeys in one list; an index root holds further lists, and those no index root again. */
function subkeyOffsets(cells: HiveCells, offset: number, nested: boolean): readonly number[] {
  const list = cells.cell(offset, 4, 'subkey list');
  const signature = list.toString('latin1', 0, 2);
  const count = list.readUInt16LE(2);
  const bytes = signature === 'ri' && !nested ? 4 : entryBytes[signature];
  if (bytes === undefined) throw hiveError(`a subkey list at ${offset} of an unknown kind`);
  if (4 + count * bytes > list.length) throw hiveError(`${count} subkeys in a list of ${list.length} bytes`);
  const offsets = Array.from({ length: count }, (_, index) => list.readUInt32LE(4 + index * bytes));
  if (signature !== 'ri') return offsets;
  const all: number[] = [];
  for (const part of offsets) {
    for (const key of subkeyOffsets(cells, part, true)) all.push(key);
    if (all.length > cells.maxKeys) throw hiveError(`more than ${cells.maxKeys} subkeys in one list`);
  }
  return all;
}

function sameName(left: string, right: string): boolean {
  return left === right || left.toUpperCase() === right.toUpperCase();
}

function openKey(context: HiveContext, offset: number): HiveKey {
  const { cells, minorVersion } = context;
  const nk = cells.cell(offset, 76, 'key');
  if (nk.toString('latin1', 0, 2) !== 'nk') throw hiveError(`no key at ${offset}`);
  const nameBytes = nk.readUInt16LE(72);
  if (76 + nameBytes > nk.length) throw hiveError(`the name of the key at ${offset} has ${nameBytes} bytes`);
  const encoding = (nk.readUInt16LE(2) & 0x20) === 0 ? 'utf16le' : 'latin1';
  const subkeys = (): readonly HiveKey[] => {
    const list = nk.readUInt32LE(28);
    if (nk.readUInt32LE(20) === 0 || list === noCell) return [];
    return subkeyOffsets(cells, list, false).map((part) => openKey(context, part));
  };
  const values = (): readonly HiveValue[] =>
    valueOffsets(cells, nk).map((part) => readHiveValue(cells, part, minorVersion));
  return {
    name: nk.toString(encoding, 76, 76 + nameBytes),
    offset,
    subkeys,
    values,
    subkey: (name) => subkeys().find((key) => sameName(key.name, name)) ?? null,
    value: (name) => values().find((value) => sameName(value.name, name)) ?? null,
  };
}

/**
 * Opens a registry hive from its bytes: this project's own reader, bounded everywhere, that changes nothing. A dirty hive
 * is read as it is; `recoverHive` puts the changes of its logs in place first.
 *
 * @throws {AppError} GUEST_HIVE_CORRUPT
 */
export function openHive(bytes: Buffer): Hive {
  const header = readHiveHeader(bytes);
  const context = { cells: hiveCells(bytes, header.binsBytes), minorVersion: header.minorVersion };
  const root = openKey(context, header.rootOffset);
  return {
    header,
    root,
    key: (path) => {
      let key: HiveKey | null = root;
      for (const part of path.split('\\')) {
        if (part !== '') key = key?.subkey(part) ?? null;
      }
      return key;
    },
  };
}

/** A key with its path from the root, parts divided by `\`; empty for the root. */
export interface HivePlace {
  readonly path: string;
  readonly key: HiveKey;
}

/**
 * Every key of the hive, parents first.
 *
 * @throws {AppError} GUEST_HIVE_CORRUPT - also when a key is below itself, or keys are nested deeper than the registry allows
 */
export function* walkHive(hive: Hive): Generator<HivePlace> {
  const seen = new Set<number>();
  const pending: (HivePlace & { readonly depth: number })[] = [{ path: '', key: hive.root, depth: 0 }];
  for (let place = pending.pop(); place !== undefined; place = pending.pop()) {
    if (seen.has(place.key.offset)) throw hiveError(`the key at ${place.key.offset} is there twice`);
    if (seen.size >= maxKeys || place.depth > maxDepth) throw hiveError('more keys than a registry may have');
    seen.add(place.key.offset);
    yield { path: place.path, key: place.key };
    for (const key of place.key.subkeys()) {
      pending.push({
        path: place.path === '' ? key.name : `${place.path}\\${key.name}`,
        key,
        depth: place.depth + 1,
      });
    }
  }
}
