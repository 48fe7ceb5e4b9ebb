import type { GuestFacts } from '@ascend/domain';
import type { Logger } from '@ascend/runtime';
import { readEsp } from '../efi/readEsp.ts';
import { readBootDisk } from '../firmware/readBootDisk.ts';
import { readBootConfig } from '../linux/bootConfig.ts';
import { readDeviceNames } from '../linux/deviceNameFacts.ts';
import { readKernels } from '../linux/kernels.ts';
import { readLinuxFacts } from '../linux/linuxFacts.ts';
import { readNics } from '../network/nics.ts';
import { firmwareOf, type DiskLayout, type OpenDisk } from '../volumes/volumeFacts.ts';
import { readArchitecture } from './architecture.ts';
import type { FoundRoot } from './findRoot.ts';
import type { GuestDisk } from './openDisks.ts';
import { readHostname, readInitramfsTool } from './systemFiles.ts';

/** What describing works with. */
export interface DescribeParams {
  readonly images: readonly GuestDisk[];
  readonly workDir: string;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** The firmware by the disks that the boot starts from: that of the EFI partition, of `/boot`, of the root. */
function bootFirmware(root: FoundRoot, layout: DiskLayout): GuestFacts['firmware'] {
  const diskOf = (mountPoint: string): number | undefined => {
    const mount = root.mounts.find((candidate) => candidate.mountPoint === mountPoint);
    return mount === undefined ? undefined : layout.volumes[mount.volume]?.diskIndex;
  };
  const disks = ['/boot/efi', '/efi', '/boot', '/'].map(diskOf).filter((disk) => disk !== undefined);
  const answers = disks.map((disk) => firmwareOf(layout.tables.get(disk)));
  return (
    answers.find((answer) => answer === 'uefi') ?? answers.find((answer) => answer !== 'unknown') ?? 'unknown'
  );
}

/**
 * Everything that is known of a Linux guest from its opened tree, whoever opened it.
 *
 * @throws {AppError} GUEST_FILE_SYSTEM_CORRUPT, DISK_*, OPERATION_CANCELLED
 */
export async function describeRoot(
  root: FoundRoot,
  { layout, disks }: { readonly layout: DiskLayout; readonly disks: readonly OpenDisk[] },
  params: DescribeParams,
): Promise<GuestFacts> {
  const { files, volume, os } = root;
  const { kernels, remarks } = await readKernels(files, params);
  const network = await readNics(files);
  const boot = await readBootConfig(files);
  const deviceNames = await readDeviceNames(files, {
    volumes: layout.volumes,
    root: volume,
    bootConfigs: boot.configPaths,
  });
  const found = { layout, mounts: root.mounts, rootDisk: volume.diskIndex };
  const { esp, remarks: espRemarks } = await readEsp(found, params);
  const { volumes, tables } = layout;
  const bootDisk = await readBootDisk({ files, boot, mounts: root.mounts, volumes, tables, disks });
  const { diskIndex, offsetBytes, sizeBytes, content } = volume;
  return {
    family: 'linux',
    distribution: os.distribution,
    version: os.version,
    arch: await readArchitecture(files),
    hostname: await readHostname(files),
    root: { diskIndex, offsetBytes, sizeBytes, fileSystem: content },
    firmware: bootFirmware(root, layout),
    initramfsTool: await readInitramfsTool(files),
    kernels,
    nics: network.nics,
    volumes,
    mounts: root.mounts,
    esp,
    bootDisk,
    deviceNames,
    boot,
    linux: await readLinuxFacts(files, { volumes: layout.volumes, root: volume, deviceNames }),
    remarks: [...remarks, ...network.remarks, ...espRemarks],
  };
}
