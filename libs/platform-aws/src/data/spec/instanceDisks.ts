import type { VmDevice } from '@ascend/domain';
import type { DraftDisk, SpecNode } from '@ascend/vm-spec';

/** The volumes of an instance, and those that others write as well. */
export interface InstanceDisks {
  readonly disks: readonly DraftDisk[];
  readonly devices: readonly VmDevice[];
}

/** `/dev/sdb` before `/dev/sdaa`: by length of the letters, then by letters and partition. */
function deviceRank(name: string): string {
  const [, letters = '', rest = ''] = /^(?:\/dev\/)?(?:sd|xvd|hd)([a-z]{1,2})(\d{0,2})$/.exec(name) ?? [];
  return letters === '' ? `9${name}` : `${letters.length}${letters}${rest.padStart(2, '0')}`;
}

function ignoreVolume(volume: SpecNode): void {
  volume.ignoring('AvailabilityZone', 'AvailabilityZoneId', 'OutpostArn', 'SourceVolumeId', 'Iops', 'Tags');
  volume.ignoring('FastRestored', 'SseType', 'Operator', 'VolumeInitializationRate', 'Throughput');
  volume.ignoring('SnapshotId', 'State', 'CreateTime', 'Encrypted', 'KmsKeyId', 'VolumeType', 'Attachments');
}

function sharedBy(volume: SpecNode): string | null {
  const users = volume
    .child('Attachments')
    .items()
    .map((attachment) => attachment.child('InstanceId').text());
  const shares = volume.child('MultiAttachEnabled').boolean() === true || new Set(users).size > 1;
  ignoreVolume(volume);
  return shares ? `multi-attach, attached to ${users.length} instances` : null;
}

/**
 * EBS volumes: the root first, the others by device name. Sizes (GiB) are told by DescribeVolumes alone, which may stand beside the
 * instance as `Volumes`.
 */
export function readDisks(instance: SpecNode, volumes: readonly SpecNode[], bus: string): InstanceDisks {
  const root = instance.child('RootDeviceName').text();
  const mappings = instance
    .child('BlockDeviceMappings')
    .items()
    .map((mapping) => ({ mapping, device: mapping.child('DeviceName').text() ?? '' }))
    .sort((a, b) => {
      if ((a.device === root) !== (b.device === root)) return a.device === root ? -1 : 1;
      return deviceRank(a.device) < deviceRank(b.device) ? -1 : 1;
    });
  const byId = new Map(volumes.map((volume) => [volume.child('VolumeId').text(), volume]));
  const devices: VmDevice[] = [];
  const disks = mappings.map(({ mapping, device }): DraftDisk => {
    const ebs = mapping.child('Ebs');
    ebs.ignoring('AttachTime', 'DeleteOnTermination', 'Status', 'AssociatedResource', 'VolumeOwnerId');
    ebs.ignoring('Operator', 'EbsCardIndex');
    const id = ebs.child('VolumeId').text();
    const volume = id === null ? undefined : byId.get(id);
    const gib = volume?.child('Size').number() ?? null;
    const shared = volume === undefined ? null : sharedBy(volume);
    if (shared !== null) devices.push({ kind: 'shared-disk', description: `${device} (${id}): ${shared}` });
    return {
      sizeBytes: gib === null ? null : gib * 1024 ** 3,
      bus,
      controller: device === '' ? null : device,
      sourceName: id,
      bootOrder: device !== '' && device === root ? 1 : null,
    };
  });
  // Volumes of other instances in the same answer.
  for (const volume of volumes) volume.ignore();
  return { disks, devices };
}
