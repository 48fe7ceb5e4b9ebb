import { homedir } from 'node:os';
import { join } from 'node:path';
import { readKeyOption, type ApplianceSetup } from '@ascend/guest';

/**
 * The appliance of this user, built in `~/.cache/ascend/appliance` when a guest first needs it, and the keys that were given.
 *
 * @throws {AppError} GUEST_KEY_UNUSABLE
 */
export async function localAppliance(
  workDir: string,
  keyOptions: readonly string[],
): Promise<ApplianceSetup> {
  return {
    cacheDir: join(homedir(), '.cache/ascend/appliance'),
    scratchDir: workDir,
    keysDir: null,
    keys: await Promise.all(keyOptions.map(readKeyOption)),
  };
}
