import type { VmDevice } from '@ascend/domain';
import type { DraftDisk, SpecNode } from '@ascend/vm-spec';
import { listOf, type VmParts } from './vmParts.ts';

const hostSettings = [
  'AllowUnverifiedPaths',
  'CimSession',
  'ComputerName',
  'Id',
  'IsDeleted',
  'MaximumIOPS',
  'MaximumIops',
  'MinimumIOPS',
  'MinimumIops',
  'Name',
  'OverrideCacheAttributes',
  'PoolName',
  'QoSPolicyID',
  'QosPolicyId',
  'ResourcePoolName',
  'VMCheckpointId',
  'VMCheckpointName',
  'VMId',
  'VMName',
  'VMSnapshotId',
  'VMSnapshotName',
  'WriteHardeningMethod',
];

// Microsoft.HyperV.PowerShell.ControllerType.
const controllerTypes: Readonly<Record<string, string>> = { '0': 'ide', '1': 'scsi', '2': 'pmem' };

interface Drive {
  readonly type: string;
  readonly number: number;
  readonly location: number;
  readonly path: string | null;
}

function readDrive(node: SpecNode): Drive {
  node.ignoring(...hostSettings);
  const type = node.child('ControllerType').text()?.toLowerCase() ?? 'scsi';
  return {
    type: controllerTypes[type] ?? type,
    number: node.child('ControllerNumber').number() ?? 0,
    location: node.child('ControllerLocation').number() ?? 0,
    path: node.child('Path').text(),
  };
}

function byPlace(a: Drive, b: Drive): number {
  // The firmware of generation 1 sees IDE alone, so that backups begin with it.
  return a.type.localeCompare(b.type) || a.number - b.number || a.location - b.location;
}

/** Sizes by file, of Get-VHD. */
function readSizes(parts: VmParts): ReadonlyMap<string, number | null> {
  const sizes = new Map<string, number | null>();
  const part = parts.part('VHD');
  for (const node of listOf(part)) {
    sizes.set(node.child('Path').text()?.toLowerCase() ?? '', node.child('Size').number());
  }
  part.ignore();
  return sizes;
}

/** Places in the firmware's boot order (generation 2) by `number:location`. */
function readBootOrder(firmware: SpecNode): ReadonlyMap<string, number> {
  const places = new Map<string, number>();
  for (const [index, entry] of listOf(firmware.child('BootOrder')).entries()) {
    const device = entry.child('Device');
    const [number, location] = [
      device.child('ControllerNumber').number(),
      device.child('ControllerLocation').number(),
    ];
    if (number !== null && location !== null) places.set(`${number}:${location}`, index);
  }
  firmware.child('BootOrder').ignore();
  return places;
}

/** Disks and drives with changeable media. */
export interface VmDrives {
  readonly disks: readonly DraftDisk[];
  readonly devices: readonly VmDevice[];
}

/** A disk of the host itself: its number is told; none is 0xffffffff or nothing. */
function isHostDisk(node: SpecNode): boolean {
  const number = node.child('DiskNumber').number();
  return number !== null && number < 0xffff_ffff;
}

/** Reads the drives in the order IDE, PMEM, SCSI, each by controller and location. */
export function readDrives(parts: VmParts, firmware: SpecNode): VmDrives {
  const sizes = readSizes(parts);
  const bootOrder = readBootOrder(firmware);
  const drives = listOf(parts.part('VMHardDiskDrive', 'HardDrives'))
    .map((node) => {
      const drive = readDrive(node);
      const isRaw = isHostDisk(node);
      const isShared = node.child('SupportPersistentReservations').boolean() === true;
      return { drive, isRaw, isShared, size: node.child('Size').number() };
    })
    .toSorted((a, b) => byPlace(a.drive, b.drive));
  const devices = drives.flatMap(({ drive, isRaw, isShared }): VmDevice[] => {
    const description = `${drive.type}${drive.number}:${drive.location} ${drive.path ?? ''}`.trim();
    return [
      ...(isRaw ? [{ kind: 'raw-device' as const, description }] : []),
      ...(isShared || /\.vhds$/i.test(drive.path ?? '')
        ? [{ kind: 'shared-disk' as const, description }]
        : []),
    ];
  });
  const disks = drives.map(({ drive, size }): DraftDisk => {
    const { type, number, location, path } = drive;
    return {
      sizeBytes: size ?? sizes.get(path?.toLowerCase() ?? '') ?? null,
      bus: type,
      controller: `${type}${number}:${location}`,
      sourceName: path,
      bootOrder: bootOrder.get(`${number}:${location}`) ?? null,
    };
  });
  const optical = listOf(parts.part('VMDvdDrive', 'DVDDrives')).map((node): VmDevice => {
    const { type, number, location, path } = readDrive(node);
    node.ignore();
    return { kind: 'cdrom', description: `${type}${number}:${location} ${path ?? ''}`.trim() };
  });
  const floppies = listOf(parts.part('VMFloppyDiskDrive', 'FloppyDrive')).flatMap((node): VmDevice[] => {
    const path = node.child('Path').text();
    node.ignore();
    return path === null ? [] : [{ kind: 'floppy', description: path }];
  });
  return { disks, devices: [...devices, ...optical, ...floppies] };
}
