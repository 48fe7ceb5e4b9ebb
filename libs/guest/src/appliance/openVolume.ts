import { AppError } from '@ascend/errors';
import type { GuestFiles } from '../guestFiles.ts';
import { applianceFiles } from './applianceFiles.ts';
import type { ApplianceProcess } from './applianceProcess.ts';
import { isDeviceName, type BlockDevices } from './blockDevices.ts';
import type { Exchange } from './exchange.ts';

/** One file system, mounted read-only beside others. */
export interface ApplianceVolume {
  /** Use it inside of `unionFiles` alone. */
  readonly files: GuestFiles;
  /** It was in use: its ext journal held changes, which the appliance has replayed on its throw-away layer. */
  readonly wasInUse: boolean;
}

const choosing = /^subvol(?:id)?=[\w@/.:+-]{1,255}$/;

function refuse(
  device: string,
  problem: string,
  code: 'GUEST_UNRECOGNISED' | 'GUEST_FILE_SYSTEM_UNSUPPORTED',
) {
  return new AppError({ code, message: `open ${device.slice(0, 100)} of guest: ${problem}` });
}

/** To be asked before the mount, which replays the journal. */
async function journalHolds(process: ApplianceProcess, device: string): Promise<boolean> {
  const { stdout, error } = await process.tryAsk('tune2fs-l', [device]);
  const features = /^Filesystem features: +(.*)$/m.exec(error === null ? stdout.toString('latin1') : '')?.[1];
  return (features ?? '').split(' ').includes('needs_recovery');
}

/** xfs: `nouuid`, since a snapshot has the UUID of its origin. */
function optionsOf(type: string, options: readonly string[]): string {
  return ['ro', ...(type === 'xfs' ? ['nouuid'] : []), ...(type === 'btrfs' ? options : [])].join(',');
}

/**
 * Mounts file systems of a read-only session at folders of their own, each combination of device and options once.
 *
 * @throws {AppError} GUEST_FILE_SYSTEM_UNSUPPORTED, GUEST_UNRECOGNISED
 */
export function volumeOpener(
  process: ApplianceProcess,
  devices: BlockDevices,
  exchange: Exchange,
): (device: string, options: readonly string[]) => Promise<ApplianceVolume> {
  const known = new Map<string, Promise<ApplianceVolume>>();
  const inUse = new Map<string, Promise<boolean>>();
  const openNew = async (device: string, options: readonly string[], folder: string) => {
    if (!isDeviceName(device)) throw refuse(device, 'this is no name of a device', 'GUEST_UNRECOGNISED');
    if (!options.every((option) => choosing.test(option)))
      throw refuse(device, 'the options are not understood', 'GUEST_UNRECOGNISED');
    const { type } = await devices.content(device);
    const isExt = /^ext[234]$/.test(type);
    const wasInUse = inUse.get(device) ?? (isExt ? journalHolds(process, device) : Promise.resolve(false));
    inUse.set(device, wasInUse);
    await wasInUse;
    await process.ask('mkmountpoint', [folder]);
    const { error } = await process.tryAsk('mount-options', [optionsOf(type, options), device, folder]);
    if (error !== null) throw refuse(device, error.slice(0, 300), 'GUEST_FILE_SYSTEM_UNSUPPORTED');
    return { files: applianceFiles(process, exchange, folder), wasInUse: await wasInUse };
  };
  return (device, options) => {
    const key = `${device} ${options.join(',')}`;
    const volume = known.get(key) ?? openNew(device, options, `/volume${known.size}`);
    known.set(key, volume);
    return volume;
  };
}
