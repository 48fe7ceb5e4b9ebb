import { AppError } from '@ascend/errors';
import type { VolumeReader } from '../probe/volumeReader.ts';
import type { ApplianceVolumes } from './applianceVolumes.ts';
import type { ApplianceSession } from './openAppliance.ts';

const readable = /^(?:ext[234]|xfs|btrfs)$/;

/** Reads the file systems of a layout through a read-only session, whatever they are made of. Disposing leaves the session open. */
export function applianceReader(
  session: ApplianceSession,
  { layout, devices }: ApplianceVolumes,
): VolumeReader {
  return {
    executor: 'appliance',
    canRead: (index) => devices.has(index) && readable.test(layout.volumes[index]?.content ?? ''),
    open: async (index, options) => {
      const device = devices.get(index);
      if (device === undefined) {
        const message = 'open volume: the appliance does not see it';
        throw new AppError({ code: 'GUEST_FILE_SYSTEM_UNSUPPORTED', message });
      }
      const { files, wasInUse } = await session.openVolume(device, options);
      return { files, needsRecovery: wasInUse };
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}
