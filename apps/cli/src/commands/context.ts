import { AppError, toAppError } from '@ascend/errors';
import type { ApiClient } from '../api/client.ts';
import type { Output } from '../output/output.ts';

/** What every command works with. */
export interface CommandContext {
  readonly output: Output;
  readonly api: ApiClient;
  /** Fires on Ctrl-C. */
  readonly signal: AbortSignal;
}

interface Parser<T> {
  parse(value: unknown): T;
}

/**
 * Reads an answer of the API by its schema.
 *
 * @throws {AppError} CLI_API_ANSWER_INVALID - the control plane is of another version
 */
export function readAnswer<T>(schema: Parser<T>, value: unknown): T {
  try {
    return schema.parse(value);
  } catch (cause) {
    const message = 'read answer of the control plane: it does not have the expected form';
    throw new AppError({ code: 'CLI_API_ANSWER_INVALID', message, cause: toAppError(cause, 'parse') });
  }
}

/** Parses an option that must be a whole number. @throws {AppError} INPUT_INVALID */
export function parseWhole(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new AppError({
      code: 'INPUT_INVALID',
      message: `read --${name}: ${JSON.stringify(text)} is not a whole number`,
    });
  }
  return value;
}

/** Parses `KEY=VALUE` options into a record. @throws {AppError} INPUT_INVALID */
export function parsePairs(name: string, pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      if (at <= 0) {
        throw new AppError({
          code: 'INPUT_INVALID',
          message: `read --${name}: ${JSON.stringify(pair)} is not KEY=VALUE`,
        });
      }
      return [pair.slice(0, at), pair.slice(at + 1)] as const;
    }),
  );
}

/** Collects a repeatable option. */
export function collect(value: string, previous: readonly string[]): string[] {
  return [...previous, value];
}

const sizeUnits: Readonly<Record<string, number>> = {
  '': 1,
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
  t: 1024 ** 4,
};

/**
 * Parses a bandwidth in bytes per second as `parseSize` does; `none` is null, no cap.
 *
 * @throws {AppError} INPUT_INVALID
 */
export function parseBandwidth(text: string): number | null {
  if (text.trim().toLowerCase() === 'none') return null;
  const rate = parseSize('bandwidth', text);
  if (rate > 0) return rate;
  const message = 'read --bandwidth: nothing can be moved with 0 bytes per second; none is no cap';
  throw new AppError({ code: 'INPUT_INVALID', message });
}

/** Parses `512M`, `4G`, `1.5T` (powers of 1024) into bytes. @throws {AppError} INPUT_INVALID */
export function parseSize(name: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?)([kmgt]?)(?:i?b)?$/i.exec(text.trim());
  const factor = sizeUnits[(match?.[2] ?? '').toLowerCase()];
  if (match === null || factor === undefined) {
    const message = `read --${name}: ${JSON.stringify(text)} is not a size like 512M or 4G`;
    throw new AppError({ code: 'INPUT_INVALID', message });
  }
  return Math.round(Number(match[1]) * factor);
}
