import { diffHives, type HiveChange } from './diffHives.ts';
import type { Hive } from './hive.ts';
import type { RegistryEdit, SetRegistryValueEdit } from './registryEdit.ts';
import { encodeRegistryData, registryTypes } from './registryValue.ts';

/** What comparing a hive before and after its edits showed. */
export interface RegistryVerdict {
  /** Edits that do not hold, and changes nobody asked for; empty = exactly the edits were made. */
  readonly problems: readonly string[];
  readonly changes: readonly HiveChange[];
}

function placeOf(key: string, name: string): string {
  return `${key}\\\0${name}`.toUpperCase();
}

function isBelow(path: string, key: string): boolean {
  return `${path}\\`.toUpperCase().startsWith(`${key}\\`.toUpperCase());
}

interface Expectation {
  /** What each value must be in the end; null = not there. */
  readonly values: ReadonlyMap<string, SetRegistryValueEdit | null>;
  readonly keys: readonly string[];
  readonly removedKeys: readonly string[];
}

function expectationOf(edits: readonly RegistryEdit[]): Expectation {
  const values = new Map<string, SetRegistryValueEdit | null>();
  const keys: string[] = [];
  const removedKeys: string[] = [];
  for (const edit of edits) {
    if (edit.kind === 'delete-registry-key') {
      removedKeys.push(edit.key);
      continue;
    }
    values.set(placeOf(edit.key, edit.name), edit.kind === 'set-registry-value' ? edit : null);
    if (edit.kind === 'set-registry-value') keys.push(edit.key);
  }
  return { values, keys, removedKeys };
}

function isExplained(change: HiveChange, expected: Expectation): boolean {
  if (change.kind === 'key-added') return expected.keys.some((key) => isBelow(key, change.key));
  if (expected.removedKeys.some((key) => isBelow(change.key, key))) return true;
  if (change.kind === 'key-removed') return false;
  const edit = expected.values.get(placeOf(change.key, change.value?.name ?? ''));
  if (edit === undefined) return false;
  return change.kind === 'value-removed' ? edit === null : edit !== null;
}

function labelOf(edit: RegistryEdit): string {
  const name = edit.kind === 'delete-registry-key' ? '' : `: ${edit.name === '' ? '(default)' : edit.name}`;
  return `${edit.hive}\\${edit.key}${name}`;
}

/** Edits whose outcome is not in the hive. A later edit of the same place counts, not the earlier one. */
function unmetEdits(after: Hive, edits: readonly RegistryEdit[], expected: Expectation): readonly string[] {
  return edits.flatMap((edit) => {
    if (edit.kind === 'delete-registry-key') {
      const rewritten = expected.keys.some((key) => isBelow(key, edit.key));
      return rewritten || after.key(edit.key) === null ? [] : [`${labelOf(edit)} is still there`];
    }
    const wanted = expected.values.get(placeOf(edit.key, edit.name));
    const found = after.key(edit.key)?.value(edit.name) ?? null;
    if (wanted === null || wanted === undefined)
      return found === null ? [] : [`${labelOf(edit)} is still there`];
    const holds =
      found !== null &&
      found.type === registryTypes[wanted.value.type] &&
      found.data.equals(encodeRegistryData(wanted.value));
    return holds ? [] : [`${labelOf(edit)} is not as planned`];
  });
}

/**
 * Compares a hive before and after its edits by this project's own reader: every edit holds, and nothing else changed.
 *
 * @throws {AppError} GUEST_HIVE_CORRUPT - one of the two cannot be read whole
 */
export function verifyRegistryEdits(params: {
  readonly before: Hive;
  readonly after: Hive;
  readonly edits: readonly RegistryEdit[];
}): RegistryVerdict {
  const expected = expectationOf(params.edits);
  const changes = [...diffHives(params.before, params.after)];
  const foreign = changes
    .filter((change) => !isExplained(change, expected))
    .map((change) => `${change.kind} ${change.key}: ${change.value?.name ?? ''} was not planned`);
  return { problems: [...unmetEdits(params.after, params.edits, expected), ...foreign], changes };
}
