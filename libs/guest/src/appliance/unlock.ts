import { AppError } from '@ascend/errors';
import type { Secret } from '@ascend/runtime';
import type { ApplianceProcess } from './applianceProcess.ts';
import type { BlockDevices } from './blockDevices.ts';

/** A key for an encrypted volume of the guest. */
export interface VolumeKey {
  /** UUID of the LUKS header, or the device as the layout names it; null: tried on every volume without a key of its own. */
  readonly volume: string | null;
  /** A passphrase of one line, or what reads it when it is needed. It reaches the appliance by standard input, never as an argument or in a file. */
  readonly key: Secret | (() => Promise<Secret>);
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

function keysFor(keys: readonly VolumeKey[], device: string, uuid: string): readonly VolumeKey[] {
  const own = keys.filter(({ volume }) => volume?.toLowerCase() === uuid || volume === device);
  return own.length > 0 ? own : keys.filter(({ volume }) => volume === null);
}

interface Place {
  readonly device: string;
  readonly uuid: string;
  /** What the opened volume is called. */
  readonly name: string;
}

function labelOf({ device, uuid }: Place): string {
  return `unlock ${device} (LUKS ${uuid})`;
}

/** false: the key does not fit. @throws {AppError} GUEST_KEY_REJECTED - it is no key; GUEST_FILE_SYSTEM_UNSUPPORTED */
async function open(process: ApplianceProcess, place: Place, key: Secret): Promise<boolean> {
  const inputLine = key.reveal();
  if (inputLine === '' || /[\n\0]/.test(inputLine)) {
    throw new AppError({
      code: 'GUEST_KEY_REJECTED',
      message: `${labelOf(place)}: the key is empty or not one line`,
    });
  }
  const { error } = await process.tryAsk('cryptsetup-open', [place.device, place.name], {
    inputLine,
    timeoutMs: unlockTimeoutMs,
  });
  if (error === null || /No key available with this passphrase/.test(error)) return error === null;
  throw new AppError({
    code: 'GUEST_FILE_SYSTEM_UNSUPPORTED',
    message: `${labelOf(place)}: ${error.slice(0, 300)}`,
  });
}

/** Tries the keys that may fit; true: one did. @throws {AppError} GUEST_KEY_REJECTED - none of them did */
async function openWith(
  process: ApplianceProcess,
  place: Place,
  keys: readonly VolumeKey[],
): Promise<boolean> {
  for (const { key } of keys) {
    if (await open(process, place, typeof key === 'function' ? await key() : key)) return true;
  }
  if (keys.length === 0) return false;
  // A key for any volume may be meant for another one.
  if (keys.every(({ volume }) => volume === null)) return false;
  throw new AppError({ code: 'GUEST_KEY_REJECTED', message: `${labelOf(place)}: the key does not fit` });
}

/** A key that was meant for any volume and opened none is a wrong one. */
function refuseUnused(keys: readonly VolumeKey[], found: readonly LuksVolume[]): void {
  const locked = found.filter(({ openedAs }) => openedAs === null);
  const isUnused = keys.some(({ volume }) => volume === null) && locked.length === found.length;
  if (!isUnused || found.length === 0) return;
  const names = locked.map(({ device, uuid }) => `${device} (LUKS ${uuid})`).join(', ');
  throw new AppError({ code: 'GUEST_KEY_REJECTED', message: `unlock ${names}: the key fits none of them` });
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
      const name = `luks${found.size}`;
      const isOpen = await openWith(process, { device, uuid, name }, keysFor(keys, device, uuid));
      if (isOpen) opened += 1;
      found.set(device, { device, uuid, openedAs: isOpen ? `/dev/mapper/${name}` : null });
    }
    if (opened === 0) break;
    await process.ask('lvm-scan', ['true']);
    devices.refresh();
  }
  refuseUnused(keys, [...found.values()]);
  return [...found.values()];
}
