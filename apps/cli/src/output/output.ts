import { categoryTraits, toAppError, serializeError } from '@ascend/errors';

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

function write(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Output to this process's standard streams. */
export function createOutput(json: boolean): Output {
  return {
    json,
    result: (value, text) => write(json ? JSON.stringify(value, null, 2) : text),
    line: (value, text) => write(json ? JSON.stringify(value) : text),
    note: (text) => {
      if (!json) process.stderr.write(`${text}\n`);
    },
  };
}

/** Prints an error once, for people or as JSON on standard error, and returns the exit code of its category. */
export function printError(error: unknown, json: boolean): number {
  const known = toAppError(error, 'ascend');
  if (json) {
    process.stderr.write(`${JSON.stringify({ error: serializeError(known) })}\n`);
  } else {
    process.stderr.write(`error: ${known.message}\n  code: ${known.code}\n`);
    for (const [key, value] of Object.entries(known.details)) {
      const text = String(Array.isArray(value) ? value.join(' ') : value);
      if (text !== '') process.stderr.write(`  ${key}: ${text.replaceAll('\n', '\n    ')}\n`);
    }
    process.stderr.write(`  what to do: ${known.hint}\n`);
  }
  return categoryTraits[known.category].exitCode;
}
