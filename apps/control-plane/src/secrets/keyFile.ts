import { randomBytes } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { AppError } from '@ascend/errors';

const keyBytes = 32;

/**
 * Reads the key that seals secrets at rest; makes it (mode 600) when the file is not there. Lose it and every stored
 * secret must be entered again.
 *
 * @throws {AppError} CONFIG_INVALID - not 32 bytes of base64, unreadable, or open to group or others
 */
export function loadKeyFile(path: string): Buffer {
  try {
    writeFileSync(path, `${randomBytes(keyBytes).toString('base64')}\n`, { flag: 'wx', mode: 0o600 });
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'EEXIST')) {
      throw new AppError({ code: 'CONFIG_INVALID', message: `make key file ${path}: not writable`, cause });
    }
  }
  if ((statSync(path).mode & 0o077) !== 0) {
    throw new AppError({ code: 'CONFIG_INVALID', message: `read key file ${path}: mode must be 600` });
  }
  const key = Buffer.from(readFileSync(path, 'utf8').trim(), 'base64');
  if (key.length !== keyBytes) {
    throw new AppError({
      code: 'CONFIG_INVALID',
      message: `read key file ${path}: holds ${key.length} bytes, ${keyBytes} expected`,
    });
  }
  return key;
}
