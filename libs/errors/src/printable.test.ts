import { expect, test } from 'vitest';
import { AppError } from './appError.ts';
import { printable } from './printable.ts';

test.each([
  ['plain text, with umlauts (ä) and signs (…)', 'plain text, with umlauts (ä) and signs (…)'],
  ['\u001b[2J', String.raw`\u001b[2J`],
  ['one\ntwo\r', String.raw`one\ntwo\u000d`],
  ['\u009b31m\u007f', String.raw`\u009b31m\u007f`],
  ['a\u202eb\u2028', String.raw`a\u202eb\u2028`],
  ['\ud800', String.raw`\ud800`],
  ['\u{e0041}', String.raw`\u{e0041}`],
])('what a terminal would obey is escaped: %j', (text, shown) => {
  expect(printable(text)).toBe(shown);
});

test('the message of an error is one line without control characters, whatever name stands in it', () => {
  const error = new AppError({
    code: 'DISK_FILE_MISSING',
    message: 'open a\u001b]0;x\u0007\nb: it is not there',
  });
  expect(error.message).toBe(String.raw`open a\u001b]0;x\u0007\nb: it is not there`);
});
