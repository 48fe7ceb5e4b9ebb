import { expect, test } from 'vitest';
import { formatTable } from './format.ts';
import { printableLines, terminalJson } from './output.ts';

const hostile = 'a\u001b[2J\u009b31m\u007f\u202e.qcow2';

test('text keeps its lines, and nothing in them is obeyed by a terminal', () => {
  expect(printableLines(`one\n${hostile}`)).toBe(`one\na${String.raw`\u001b[2J\u009b31m\u007f\u202e`}.qcow2`);
});

test('JSON says the same value without a character that a terminal obeys', () => {
  const value = { name: `${hostile}\u{e0041}\n` };
  const text = terminalJson(value);
  expect(text).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  expect(JSON.parse(text)).toEqual(value);
});

test('a name with a newline does not make a row of its own in a table', () => {
  expect(formatTable(['FILE'], [['a\nb']]).split('\n')).toHaveLength(2);
});
