import type { VmDevice } from '@ascend/domain';
import type { DraftDisk, SpecNode } from '@ascend/vm-spec';
import { lastPart, member, type ArmDocument } from './armDocument.ts';
import { isNvmeOnly } from './vmSizes.ts';

/** Disks of a VM, and what of them another platform cannot have. */
export interface VmDisks {
  readonly disks: readonly DraftDisk[];
  readonly devices: readonly VmDevice[];
}

function ignoreSettings(disk: SpecNode): void {
  disk.ignoring(
    'caching',
    'createOption',
    'deleteOption',
    'detachOption',
    'writeAcceleratorEnabled',
    'image',
  );
  disk.ignoring(
    'encryptionSettings',
    'sourceResource',
    'toBeDetached',
    'diskIOPSReadWrite',
    'diskMBpsReadWrite',
  );
  disk.child('managedDisk').ignoring('diskEncryptionSet', 'securityProfile', 'resourceGroup');
}

function bytesOf(disk: SpecNode, resource: SpecNode | undefined): number | null {
  const bytes = resource === undefined ? null : member(resource, 'diskSizeBytes').number();
  const gib = disk.child('diskSizeGB').number();
  const told = resource === undefined ? null : member(resource, 'diskSizeGB').number();
  const size = gib ?? told;
  return bytes ?? (size === null ? null : size * 1024 ** 3);
}

function peculiarities(disk: SpecNode, resource: SpecNode | undefined, name: string): readonly VmDevice[] {
  const shares = resource === undefined ? null : member(resource, 'maxShares').number();
  const sector =
    resource === undefined ? null : member(resource, 'creationData', 'logicalSectorSize').number();
  const local = disk.child('diffDiskSettings', 'option').text();
  disk.child('diffDiskSettings').ignore();
  const devices: VmDevice[] = [];
  if (shares !== null && shares > 1)
    devices.push({ kind: 'shared-disk', description: `${name}: up to ${shares} VMs` });
  if (sector !== null && sector !== 512)
    devices.push({ kind: 'other', description: `${name}: sectors of ${sector} bytes` });
  if (local !== null) devices.push({ kind: 'other', description: `${name}: ephemeral disk (${local})` });
  return devices;
}

/**
 * The system disk, then the data disks by LUN. Sizes are whole GiB (`diskSizeGB`) and not shown of a deallocated VM; those of
 * `Microsoft.Compute/disks` resources beside it count then, to the byte.
 */
export function readDisks(vm: SpecNode, document: ArmDocument, isGeneration2: boolean): VmDisks {
  const profile = member(vm, 'storageProfile');
  const isNvme =
    profile.child('diskControllerType').text()?.toLowerCase() === 'nvme' ||
    isNvmeOnly(document.text(member(vm, 'hardwareProfile', 'vmSize')));
  profile.ignoring('alignRegionalDisksToVMZone', 'imageReference');
  const system = profile.child('osDisk');
  system.ignoring('osType');
  const data = profile
    .child('dataDisks')
    .items()
    .toSorted((a, b) => (a.child('lun').number() ?? 0) - (b.child('lun').number() ?? 0));
  const devices: VmDevice[] = [];
  const all = [...(system.exists ? [system] : []), ...data];
  const disks = all.map((disk): DraftDisk => {
    ignoreSettings(disk);
    const id = disk.child('managedDisk', 'id').text();
    const name = document.text(disk.child('name')) ?? lastPart(id) ?? disk.child('vhd', 'uri').text();
    const resource = document.disks.get(lastPart(id) ?? '') ?? document.disks.get(name?.toLowerCase() ?? '');
    disk.child('managedDisk').ignoring('storageAccountType');
    devices.push(...peculiarities(disk, resource, name ?? 'a disk'));
    const isSystem = disk === system;
    // Generation 1 boots from an IDE disk; data disks are SCSI always.
    const bus = isSystem && !isGeneration2 ? 'ide' : 'scsi';
    return {
      sizeBytes: bytesOf(disk, resource),
      bus: isNvme ? 'nvme' : bus,
      controller: isSystem ? 'os' : `lun:${disk.child('lun').text() ?? '?'}`,
      sourceName: name,
      bootOrder: isSystem ? 1 : null,
    };
  });
  return { disks, devices };
}
