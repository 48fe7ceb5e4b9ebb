import { workingAcceleration } from '../boot/acceleration.ts';
import { keysOfFolder } from './keyFiles.ts';
import type { VolumeKey } from './unlock.ts';

/** What an appliance of this machine is started with. */
export interface ApplianceChoice {
  /** Where the appliance is kept between looks; may be shared by processes of one user. */
  readonly cacheDir: string;
  /** What `workingAcceleration` found. */
  readonly acceleration: 'kvm' | 'tcg';
  /** For encrypted volumes of the guest. */
  readonly keys: readonly VolumeKey[];
}

/** How a process is told of its appliance: places alone, so that it may be passed on before guest code is loaded. */
export interface ApplianceSetup {
  readonly cacheDir: string;
  /** Where the answer of the acceleration probe is kept. */
  readonly scratchDir: string;
  /** Folder of `<LUKS UUID>.key` files; null: none. */
  readonly keysDir: string | null;
  /** Keys that were given by hand. */
  readonly keys?: readonly VolumeKey[];
}

/**
 * What to start appliances with. Nothing is started yet, no key file is read.
 *
 * @throws {AppError} GUEST_KEY_UNUSABLE - the folder of keys cannot be used
 */
export async function applianceChoice(setup: ApplianceSetup): Promise<ApplianceChoice> {
  const { cacheDir, scratchDir, keysDir, keys = [] } = setup;
  return {
    cacheDir,
    acceleration: await workingAcceleration({ workDir: scratchDir }),
    keys: [...keys, ...(keysDir === null ? [] : await keysOfFolder(keysDir))],
  };
}
