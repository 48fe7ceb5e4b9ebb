import { describe, expect, it } from 'vitest';
import * as fc from 'fast-check';
import { fishLine } from './fishLine.ts';
import { parseRecord, parseRecords, shownText } from './fishOutput.ts';
import { createFishShell } from './fishShell.ts';

/** What guestfish makes of a double-quoted word. */
function unquote(word: string): string {
  const bytes = word
    .slice(1, -1)
    .replaceAll(/\\x(..)/g, (_, hex: string) => String.fromCodePoint(parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

/** Splits a list as guestfish does: blanks outside of single quotes, a quote behind a backslash is a letter. */
function splitList(list: string): readonly string[] {
  const items: string[] = [];
  let item = '';
  let quoted = false;
  for (const char of list) {
    if (char === "'" && item.endsWith('\\')) item = `${item.slice(0, -1)}'`;
    else if (char === "'") quoted = !quoted;
    else if (char === ' ' && !quoted) {
      items.push(item);
      item = '';
    } else item += char;
  }
  return [...items, item];
}

const words = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 40 })
  .filter((text) => !text.includes('\0'));

describe('fishLine', () => {
  it('keeps any word in one line and in its quotes', () => {
    fc.assert(
      fc.property(words, (word) => {
        const line = fishLine('stat', [word]);
        expect(line).toMatch(/^stat "(?:[\w ./:=@,+-]|\\x[0-9a-f]{2})*"$/);
        expect(unquote(line.slice('stat '.length))).toBe(Buffer.from(word, 'utf8').toString('utf8'));
      }),
    );
  });

  it('keeps the words of a list apart', () => {
    const item = fc.string({
      unit: fc.constantFrom('a', ' ', "'", '"', '\\', '\n'),
      minLength: 1,
      maxLength: 8,
    });
    fc.assert(
      fc.property(fc.array(item, { minLength: 1, maxLength: 4 }), (items) => {
        expect(splitList(unquote(fishLine('command', [items]).slice('command '.length)))).toEqual(items);
      }),
    );
  });

  it.each([
    ['a zero byte', ['a\0b']],
    ['an empty word of a list', [['a', '']]],
    ['a line that guestfish would cut in two', ['é'.repeat(2000)]],
  ])('refuses %s', (_what, args) => {
    expect(() => fishLine('stat', args)).toThrow(expect.objectContaining({ code: 'GUEST_EDIT_FAILED' }));
  });
});

describe('createFishShell', () => {
  it('ends a command when both streams have shown its mark, whichever comes first and in whatever pieces', async () => {
    const written: string[] = [];
    const shell = createFishShell((text) => written.push(text));
    const answer = shell.send('ls "/"');
    const next = shell.send('version');
    await Promise.resolve();
    await Promise.resolve();
    const mark = /^echo (.*)$/m.exec(written[0] ?? '')?.[1] ?? '';
    shell.takeStderr(
      Buffer.from(`*stdin*:3: libguestfs: error: ls: /: Input/output error\n${mark}: unknown command\n`),
    );
    for (const byte of Buffer.from(`one\n${mark}\n`)) shell.takeStdout(Buffer.from([byte]));
    expect(await answer).toEqual({ stdout: Buffer.from('one\n'), error: 'ls: /: Input/output error' });
    expect(written[0]).toBe(`-ls "/"\necho ${mark}\n-${mark}\n`);
    shell.end(new Error('gone'));
    await expect(next).rejects.toThrow('gone');
    await expect(shell.send('version')).rejects.toThrow('gone');
  });

  it('hands a key over on the line that follows and keeps it out of what is reported', async () => {
    const written: string[] = [];
    const shell = createFishShell((text) => written.push(text));
    const answer = shell.send('cryptsetup-open "/dev/md0" "m0"', { inputLine: 'pass word' });
    await Promise.resolve();
    const mark = /^echo (.*)$/m.exec(written[0] ?? '')?.[1] ?? '';
    expect(written[0]?.split('\n').slice(0, 2)).toEqual(['-cryptsetup-open "/dev/md0" "m0"', 'pass word']);
    shell.takeStdout(Buffer.from(`${mark}\n`));
    shell.takeStderr(Buffer.from(`pass word: unknown command\n${mark}: unknown command\n`));
    expect(await answer).toMatchObject({ error: '[secret]: unknown command' });
  });

  it('gives up on an answer that does not end', async () => {
    const shell = createFishShell(() => undefined);
    const answer = shell.send('ls "/"');
    await Promise.resolve();
    for (let count = 0; count < 33; count += 1) shell.takeStdout(Buffer.alloc(1024 * 1024));
    await expect(answer).rejects.toMatchObject({ code: 'GUEST_FILE_TOO_LARGE' });
  });
});

describe('output of guestfish', () => {
  it('reads structures, the first value of a name wins and the count is bounded', () => {
    const text =
      '[0] = {\n  ino: 12\n  name: a: b\n  name: c\n}\n[1] = {\n  ino: 13\n}\n[2] = {\n  ino: 14\n}\n';
    const records = parseRecords(text, 2);
    expect(records.map((record) => record.get('ino'))).toEqual(['12', '13']);
    expect(records[0]?.get('name')).toBe('a: b');
    expect(parseRecord('st_mode: 33188\nst_size: 0\n').get('st_mode')).toBe('33188');
  });

  it('shows text of a guest in one harmless line', () => {
    expect(shownText(`  a\n\u001B[31m${'b'.repeat(300)}`)).toHaveLength(255);
    expect(shownText('a\nb\u001B[0m')).toBe('a?b?[0m');
  });
});
