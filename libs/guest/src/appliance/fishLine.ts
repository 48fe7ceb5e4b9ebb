import { AppError } from '@ascend/errors';

/** guestfish reads its commands in pieces of 8191 bytes and takes what follows as another command. */
const maxLineBytes = 8_000;

/** One word of a command, or a list of words where a command takes a list. */
export type FishArgument = string | readonly string[];

function refuse(problem: string): AppError {
  return new AppError({ code: 'GUEST_EDIT_FAILED', message: `write appliance command: ${problem}` });
}

/** Inside double quotes guestfish takes nothing but a backslash for special, and `\xHH` for any byte (guestfish(1), QUOTING). */
function quoteWord(word: string): string {
  let quoted = '';
  for (const byte of Buffer.from(word, 'utf8')) {
    if (byte === 0) throw refuse('a word holds a zero byte');
    const char = String.fromCodePoint(byte);
    quoted += /[\w ./:=@,+-]/.test(char) ? char : `\\x${byte.toString(16).padStart(2, '0')}`;
  }
  return `"${quoted}"`;
}

/**
 * A list is one word that guestfish splits at blanks outside of single quotes. A backslash is literal there but before a
 * quote, so those at the end of an item stand outside of its quotes.
 */
function listWord(items: readonly string[]): string {
  const words = items.map((item) => {
    if (item === '') throw refuse('a list cannot hold an empty word');
    const tail = /\\*$/.exec(item)?.[0] ?? '';
    const body = item.slice(0, item.length - tail.length).replaceAll("'", String.raw`\'`);
    return body === '' ? tail : `'${body}'${tail}`;
  });
  return words.join(' ');
}

/**
 * One command line of guestfish's own language, without the line's end. Whatever bytes the arguments have, they are arguments
 * of this one command: nothing is expanded, piped or run on the host.
 *
 * @throws {AppError} GUEST_EDIT_FAILED - a zero byte, an empty word in a list, or a line that is too long
 */
export function fishLine(command: string, args: readonly FishArgument[]): string {
  const words = args.map((arg) => quoteWord(typeof arg === 'string' ? arg : listWord(arg)));
  const line = [command, ...words].join(' ');
  if (line.length > maxLineBytes) throw refuse(`${command}: more than ${maxLineBytes} bytes`);
  return line;
}
