import { readFileSync } from 'node:fs';
import { AppError } from '@ascend/errors';
import { Secret } from './secret.ts';

/** The environment as a plain record: the only place of the product that reads `process.env`. */
export function readEnvironment(): Readonly<Record<string, string>> {
  const entries = Object.entries(process.env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return Object.fromEntries(entries);
}

/** One setting of a process: variable name, sentence, default; the table in each app's README is made from these. */
export interface Setting<T> {
  readonly name: string;
  readonly about: string;
  readonly fallback?: T;
  readonly parse: (text: string) => T;
}

/**
 * Reads one setting.
 *
 * @throws {AppError} CONFIG_INVALID - missing without a default, or not parseable
 */
export function readSetting<T>(environment: Readonly<Record<string, string>>, setting: Setting<T>): T {
  const raw = environment[setting.name];
  if (raw === undefined || raw === '') {
    if (setting.fallback !== undefined) return setting.fallback;
    throw new AppError({
      code: 'CONFIG_INVALID',
      message: `read setting ${setting.name}: not set (${setting.about})`,
    });
  }
  try {
    return setting.parse(raw);
  } catch (cause) {
    throw new AppError({
      code: 'CONFIG_INVALID',
      message: `read setting ${setting.name}: value is not usable (${setting.about})`,
      cause,
    });
  }
}

/**
 * Resolves a secret reference: `env:NAME` or `file:/path` (trailing newline dropped).
 *
 * @throws {AppError} CONFIG_INVALID - unknown scheme, unset variable or unreadable file
 */
export function readSecretReference(
  reference: string,
  environment: Readonly<Record<string, string>>,
): Secret {
  const [scheme, rest] = [
    reference.slice(0, reference.indexOf(':')),
    reference.slice(reference.indexOf(':') + 1),
  ];
  if (scheme === 'env' && environment[rest] !== undefined) return new Secret(environment[rest]);
  if (scheme === 'file') {
    try {
      return new Secret(readFileSync(rest, 'utf8').replace(/\r?\n$/, ''));
    } catch (cause) {
      throw new AppError({
        code: 'CONFIG_INVALID',
        message: `read secret ${reference}: file is not readable`,
        cause,
      });
    }
  }
  throw new AppError({
    code: 'CONFIG_INVALID',
    message: `read secret reference ${scheme}:…: neither env: (set) nor file:`,
  });
}
