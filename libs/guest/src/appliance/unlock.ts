import { AppError } from '@ascend/errors';
import type { Secret } from '@ascend/runtime';
import type { ApplianceProcess } from './applianceProcess.ts';
import type { BlockDevices } from './blockDevices.ts';

/** A key for an encrypted volume of the guest. */
export interface VolumeKey {
  /** UUID of the LUKS header, or the device as the layout names it. */
  readonly volume: string;
  /** A passphrase of one line. It reaches the appliance by standard input, never as an argument or in a file. */
  readonly key: Secret;
}

/** An encrypted volume of the guest. */
export interface LuksVolume {
  readonly device: string;
  readonly uuid: string;
  /** Where its contents are once a key has opened it; null: no key was given. */
  readonly openedAs: string | null;
}

/** A slow key derivation (argon2 with 1 GiB) under emulation. */
const unlockTimeoutMs = 15 * 60_000;
/** Encryption on LVM on encryption, and so on. */
const maxDepth = 4;

function keyFor(keys: readonly VolumeKey[], device: string, uuid: string): VolumeKey | undefined {
  return keys.find(({ volume }) => volume.toLowerCase() === uuid || volume === device);
}

/** @throws {AppError} GUEST_KEY_REJECTED, GUEST_FILE_SYSTEM_UNSUPPORTED */
async function open(
  process: ApplianceProcess,
  { device, uuid, name }: { readonly device: string; readonly uuid: string; readonly name: string },
  key: Secret,
): Promise<void> {
  const label = `unlock ${device} (LUKS ${uuid})`;
  const inputLine = key.reveal();
  if (inputLine === '' || /[\n\0]/.test(inputLine)) {
    throw new AppError({
      code: 'GUEST_KEY_REJECTED',
      message: `${label}: the key is empty or not one line`,
    });
  }
  const { error } = await process.tryAsk('cryptsetup-open', [device, name], {
    inputLine,
    timeoutMs: unlockTimeoutMs,
  });
  if (error === null) return;
  const rejected = /No key available with this passphrase/.test(error);
  throw new AppError({
    code: rejected ? 'GUEST_KEY_REJECTED' : 'GUEST_FILE_SYSTEM_UNSUPPORTED',
    message: `${label}: ${rejected ? 'the key does not fit' : error.slice(0, 300)}`,
  });
}

/**
 * Opens every LUKS volume that there is a key for, also those that lie inside others, and activates what volume groups come
 * to light. Volumes without a key are reported, not an error.
 *
 * @throws {AppError} GUEST_KEY_REJECTED - a given key does not fit; GUEST_FILE_SYSTEM_UNSUPPORTED - the header cannot be used
 */
export async function unlock(
  process: ApplianceProcess,
  devices: BlockDevices,
  keys: readonly VolumeKey[],
): Promise<readonly LuksVolume[]> {
  const found = new Map<string, LuksVolume>();
  for (let depth = 0; depth < maxDepth; depth += 1) {
    let opened = 0;
    for (const device of (await devices.names()).all) {
      const { type, uuid: stored } = await devices.content(device);
      if (found.has(device) || type !== 'crypto_LUKS') continue;
      const uuid = (stored ?? '').toLowerCase();
      const match = keyFor(keys, device, uuid);
      const name = `luks${found.size}`;
      if (match !== undefined) {
        await open(process, { device, uuid, name }, match.key);
        opened += 1;
      }
      found.set(device, { device, uuid, openedAs: match === undefined ? null : `/dev/mapper/${name}` });
    }
    if (opened === 0) break;
    await process.ask('lvm-scan', ['true']);
    devices.refresh();
  }
  return [...found.values()];
}
