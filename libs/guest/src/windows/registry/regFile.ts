import { AppError } from '@ascend/errors';
import type { Hive } from './hive.ts';
import type { RegistryEdit, SetRegistryValueEdit } from './registryEdit.ts';
import { encodeRegistryData, registryTypes } from './registryValue.ts';

// Printable ASCII: hivexregedit takes other bytes for Latin-1, and a line break would start a line of its own.
const writableText = /^[\x20-\x7e]*$/;

function assertWritable(edit: RegistryEdit): void {
  const name = edit.kind === 'delete-registry-key' ? '' : edit.name;
  const keyHolds =
    edit.key !== '' && edit.key.split('\\').every((part) => part !== '' && writableText.test(part));
  // The tool ends a section header at the last bracket of the line, a value name at its closing quote.
  if (keyHolds && !edit.key.includes(']') && writableText.test(name)) return;
  throw new AppError({
    code: 'GUEST_EDIT_FAILED',
    message: `edit registry ${edit.hive}\\${edit.key}: the key or value name cannot be written`,
    details: { key: edit.key, name },
  });
}

function quoted(name: string): string {
  return name === '' ? '@' : `"${name.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
}

function hexBytes(edit: SetRegistryValueEdit): string {
  const hex = encodeRegistryData(edit.value).toString('hex');
  return (hex.match(/../g) ?? []).join(',');
}

function lineOf(edit: RegistryEdit): string {
  if (edit.kind === 'delete-registry-key') return '';
  if (edit.kind === 'delete-registry-value') return `${quoted(edit.name)}=-`;
  return `${quoted(edit.name)}=hex(${registryTypes[edit.value.type].toString(16)}):${hexBytes(edit)}`;
}

/** Ancestors of a key that neither the hive nor an earlier section has, outermost first. */
function missingAncestors(hive: Hive, key: string, made: Set<string>): readonly string[] {
  const parts = key.split('\\');
  const missing: string[] = [];
  for (let count = 1; count < parts.length; count += 1) {
    const path = parts.slice(0, count).join('\\');
    if (made.has(path.toUpperCase()) || hive.key(path) !== null) continue;
    made.add(path.toUpperCase());
    missing.push(path);
  }
  return missing;
}

/**
 * The edits of one hive as a registration file for hivexregedit. Keys that exist get a section only when something of them
 * changes; keys on the way that are missing get an empty one first (the tool does not make them).
 *
 * @throws {AppError} GUEST_EDIT_FAILED - a name that the format cannot carry
 */
export function toRegFile(hive: Hive, edits: readonly RegistryEdit[]): string {
  const made = new Set<string>();
  const lines = ['Windows Registry Editor Version 5.00', ''];
  let open = '';
  for (const edit of edits) {
    assertWritable(edit);
    if (edit.kind === 'delete-registry-key') {
      open = '';
      lines.push(`[-\\${edit.key}]`, '');
      for (const path of made) {
        if (`${path}\\`.startsWith(`${edit.key.toUpperCase()}\\`)) made.delete(path);
      }
      continue;
    }
    // Removing from a key that is not there would make the key.
    if (edit.kind === 'delete-registry-value' && hive.key(edit.key) === null) continue;
    const key = edit.key.toUpperCase();
    if (key === open) {
      // The tool stores all values of a key anew for every section: one section for neighbours.
      lines.splice(-1, 0, lineOf(edit));
      continue;
    }
    for (const path of missingAncestors(hive, edit.key, made)) lines.push(`[\\${path}]`, '');
    made.add(key);
    open = key;
    lines.push(`[\\${edit.key}]`, lineOf(edit), '');
  }
  return lines.join('\n');
}
