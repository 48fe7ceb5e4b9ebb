import { basename, dirname } from 'node:path/posix';
import type { WindowsHiveFacts } from '@ascend/domain';
import type { GuestFiles } from '../../guestFiles.ts';
import { openHive, type Hive } from '../registry/hive.ts';
import { recoverHive } from '../registry/recoverHive.ts';
import { findPath, readAnyCase } from '../windowsFiles.ts';

/** A hive of the guest with the changes of its logs. */
export interface GuestHive {
  readonly facts: WindowsHiveFacts;
  readonly hive: Hive;
  /** What an edit starts from. */
  readonly bytes: Buffer;
}

/** SOFTWARE of a server that was patched for ten years has about 200 MiB. */
const maxHiveBytes = 512 * 1024 * 1024;
const maxLogBytes = 128 * 1024 * 1024;

/**
 * Reads a hive of `config/` together with its transaction logs; null when it is not there.
 *
 * @throws {AppError} GUEST_HIVE_CORRUPT, GUEST_FILE_TOO_LARGE
 */
export async function readGuestHive(
  files: GuestFiles,
  configPath: string,
  name: WindowsHiveFacts['name'],
): Promise<GuestHive | null> {
  const path = await findPath(files, `${configPath}/${name}`);
  const stored = path === null ? null : await files.read(path, maxHiveBytes);
  if (path === null || stored === null) return null;
  const logs: Buffer[] = [];
  for (const suffix of ['.LOG1', '.LOG2', '.LOG']) {
    const log = await readAnyCase(files, `${dirname(path)}/${basename(path)}${suffix}`, maxLogBytes);
    if (log !== null && log.length > 0) logs.push(log);
  }
  const { state, bytes } = recoverHive(stored, logs);
  const hive = openHive(bytes);
  const driverDatabase = hive.key('DriverDatabase') !== null;
  return {
    facts: { name, path: path.replace(/^\//, ''), sizeBytes: stored.length, state, driverDatabase },
    hive,
    bytes,
  };
}
