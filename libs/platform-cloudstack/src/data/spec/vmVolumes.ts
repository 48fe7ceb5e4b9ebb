import type { DraftDisk, SpecNode } from '@ascend/vm-spec';

/** Of no meaning for a new disk: state, accounting, offering and placement of the zone it lived in. */
const meaningless = `
  account attached chaininfo clusterid clustername created deleteprotection destroyed diskBytesReadRate
  diskBytesWriteRate diskIopsReadRate diskIopsWriteRate diskioread diskiowrite diskkbsread diskkbswrite
  diskofferingdisplaytext diskofferingid diskofferingname displayvolume domain domainid domainpath
  encryptformat externaluuid hasannotations hypervisor isextractable isodisplaytext isoid isoname jobid
  jobstatus maxiops miniops physicalsize podid podname project projectid provisioningtype quiescevm
  serviceofferingdisplaytext serviceofferingid serviceofferingname snapshotid state status storage storageid
  storagetype supportsstoragesnapshot tags utilization templatedisplaytext templateid templatename virtualsize
  vmdisplayname vmname vmstate vmtype volumecheckresult volumerepairresult zoneid zonename path name id type
`
  .trim()
  .split(/\s+/);

function isRoot(volume: SpecNode): boolean {
  return volume.child('type').text() === 'ROOT';
}

/** Which buses root and data disks have, in the words of `rootDiskController`; null = left to the type of the system. */
export interface DiskControllers {
  readonly root: string | null;
  readonly data: string | null;
}

/**
 * The volumes of one VM out of an answer of listVolumes: the root first, the others by `deviceid`. `path` is the file on the storage pool
 * and is shown to administrators alone; the id of the volume stands in.
 */
export function readVolumes(
  volumes: readonly SpecNode[],
  vmId: string | null,
  controllers: DiskControllers,
): readonly DraftDisk[] {
  const own = volumes.filter((volume) => {
    const user = volume.child('virtualmachineid').text();
    return user === null ? volumes.length === 1 : user === vmId;
  });
  const disks = own
    .toSorted(
      (a, b) =>
        Number(isRoot(b)) - Number(isRoot(a)) ||
        (a.child('deviceid').number() ?? 0) - (b.child('deviceid').number() ?? 0),
    )
    .map((volume): DraftDisk => {
      const device = volume.child('deviceid').text();
      volume.ignoring(...meaningless);
      return {
        sizeBytes: volume.child('size').number(),
        bus: isRoot(volume) ? controllers.root : controllers.data,
        controller: device === null ? null : `deviceid:${device}`,
        sourceName: volume.child('path').text() ?? volume.child('id').text(),
        bootOrder: isRoot(volume) ? 1 : null,
      };
    });
  // Volumes of other VMs in the same answer.
  const known = new Set(own);
  for (const volume of volumes) if (!known.has(volume)) volume.ignore();
  return disks;
}
