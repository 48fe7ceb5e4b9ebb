import { categoryTraits, printable, toAppError, serializeError } from '@ascend/errors';

/** Where a command writes: results to standard output, everything else to standard error. */
export interface Output {
  readonly json: boolean;
  /** The result: `value` as one JSON document with --json, else the text. */
  result(value: unknown, text: string): void;
  /** One line of a stream of results: JSON lines with --json. */
  line(value: unknown, text: string): void;
  /** A remark for people; dropped with --json. */
  note(text: string): void;
}

/** Text of several lines for a terminal: names in it may be hostile. What holds such a name on one line makes it printable itself. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}

/** JSON in which nothing is left that a terminal obeys; the value is the same. */
export function terminalJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replaceAll(/[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu, (found) =>
    [...Array(found.length).keys()]
      .map((index) => `\\u${found.charCodeAt(index).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}

function write(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Output to this process's standard streams. */
export function createOutput(json: boolean): Output {
  return {
    json,
    result: (value, text) => write(json ? terminalJson(value, 2) : printableLines(text)),
    line: (value, text) => write(json ? terminalJson(value) : printableLines(text)),
    note: (text) => {
      if (!json) process.stderr.write(`${printableLines(text)}\n`);
    },
  };
}

/** Prints an error once, for people or as JSON on standard error, and returns the exit code of its category. */
export function printError(error: unknown, json: boolean): number {
  const known = toAppError(error, 'ascend');
  if (json) {
    process.stderr.write(`${terminalJson({ error: serializeError(known) })}\n`);
  } else {
    process.stderr.write(`error: ${known.message}\n  code: ${known.code}\n`);
    for (const [key, value] of Object.entries(known.details)) {
      const text = String(Array.isArray(value) ? value.join(' ') : value);
      if (text !== '') process.stderr.write(`  ${key}: ${printableLines(text).replaceAll('\n', '\n    ')}\n`);
    }
    process.stderr.write(`  what to do: ${known.hint}\n`);
  }
  return categoryTraits[known.category].exitCode;
}
