import { replaceDeviceNames } from '../linux/deviceNames.ts';
import { addKernelArguments, removeKernelArguments } from '../linux/kernelArguments.ts';
import { replaceAddresses } from '../network/replaceAddresses.ts';
import type { AddLinesEdit, TextEdit } from './guestEdit.ts';

function addLines(text: string, edit: AddLinesEdit): string {
  const present = new Set(text.split('\n').map((line) => line.trim()));
  const missing = edit.lines.filter((line) => !present.has(line.trim()));
  if (missing.length === 0) return text;
  const added = `${missing.join('\n')}\n`;
  if (edit.place === 'after-shebang') {
    const shebang = /^#!.*(?:\n|$)/.exec(text)?.[0] ?? '';
    const first = shebang === '' || shebang.endsWith('\n') ? shebang : `${shebang}\n`;
    return first + added + text.slice(shebang.length);
  }
  return (text === '' || text.endsWith('\n') ? text : `${text}\n`) + added;
}

function replaceLines(text: string, replacements: Readonly<Record<string, string>>): string {
  return text
    .split('\n')
    .map((line) => {
      const trimmed = line.trim();
      const replacement = Object.hasOwn(replacements, trimmed) ? replacements[trimmed] : undefined;
      return replacement === undefined ? line : line.replace(trimmed, () => replacement);
    })
    .join('\n');
}

/** A file that is nothing but one kernel command line. */
function isBareCommandLine(path: string): boolean {
  return path === 'etc/kernel/cmdline';
}

/**
 * The text of the file after the edit; `text` is null when the file is not there. Pure and idempotent: applying an edit
 * to its own result changes nothing. null: the edit needs a file that is not there.
 */
export function applyTextEdit(text: string | null, edit: TextEdit): string | null {
  if (edit.kind === 'write-file') return edit.content;
  if (edit.kind === 'add-lines') return addLines(text ?? '', edit);
  if (text === null) return null;
  const bare = isBareCommandLine(edit.path);
  if (edit.kind === 'add-kernel-arguments') return addKernelArguments(text, edit.arguments, bare);
  if (edit.kind === 'remove-kernel-arguments') return removeKernelArguments(text, edit.arguments, bare);
  if (edit.kind === 'replace-lines') return replaceLines(text, edit.replacements);
  const replacements = new Map(Object.entries(edit.replacements));
  return edit.kind === 'replace-addresses'
    ? replaceAddresses(text, replacements)
    : replaceDeviceNames(text, replacements);
}
