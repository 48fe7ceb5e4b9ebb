import { replaceDeviceNames } from '../linux/deviceNames.ts';
import { addKernelArguments } from '../linux/kernelArguments.ts';
import type { TextEdit } from './guestEdit.ts';

function addLines(text: string, lines: readonly string[]): string {
  const present = new Set(text.split('\n').map((line) => line.trim()));
  const missing = lines.filter((line) => !present.has(line.trim()));
  if (missing.length === 0) return text;
  const start = text === '' || text.endsWith('\n') ? text : `${text}\n`;
  return `${start}${missing.join('\n')}\n`;
}

/**
 * The text of the file after the edit; `text` is null when the file is not there. Pure and idempotent: applying an edit
 * to its own result changes nothing. null: the edit needs a file that is not there.
 */
export function applyTextEdit(text: string | null, edit: TextEdit): string | null {
  if (edit.kind === 'write-file') return edit.content;
  if (edit.kind === 'add-lines') return addLines(text ?? '', edit.lines);
  if (text === null) return null;
  if (edit.kind === 'add-kernel-arguments') return addKernelArguments(text, edit.arguments);
  return replaceDeviceNames(text, new Map(Object.entries(edit.replacements)));
}
