import type { VolumeFacts } from '@ascend/domain';
import { describe, expect, it } from 'vitest';
import { parseFstab } from './fstab.ts';
import { resolveMounts, volumeOfDevice } from './mountedVolume.ts';

function volume(partition: number | null, more: Partial<VolumeFacts>): VolumeFacts {
  return {
    diskIndex: 0,
    partition,
    offsetBytes: (partition ?? 0) * 1024,
    sizeBytes: 1024,
    content: 'ext4',
    uuid: null,
    label: null,
    ...more,
  };
}

const boot = volume(1, { uuid: 'aaaa-boot', label: 'boot', partitionUuid: '0badcafe-01' });
const esp = volume(2, { uuid: '1A2B-3C4D', content: 'vfat' });
const pv = volume(3, { content: 'lvm2' });
const root = volume(null, { uuid: 'bbbb-root', name: 'my--vg-root', label: 'twice' });
const usr = volume(null, { uuid: 'cccc-usr', name: 'md/usr', content: 'xfs', label: 'twice' });
const array = volume(null, { uuid: 'dddd', name: 'md0', diskIndex: 1 });
const volumes = [boot, esp, pv, root, usr, array];

describe('volumeOfDevice', () => {
  const context = { volumes, root, fstab: parseFstab('/dev/mapper/my--vg-root / ext4\n') };

  it.each<[string, VolumeFacts | null]>([
    ['UUID=aaaa-boot', boot],
    ['UUID="aaaa-boot"', boot],
    ['UUID=1a2b-3c4d', esp],
    ['/dev/disk/by-uuid/cccc-usr', usr],
    ['LABEL=boot', boot],
    ['LABEL=twice', null],
    ['/dev/disk/by-label/boot', boot],
    ['PARTUUID=0BADCAFE-01', boot],
    ['/dev/disk/by-partuuid/0badcafe-01', boot],
    ['/dev/mapper/my--vg-root', root],
    ['/dev/my-vg/root', root],
    ['/dev/my-vg/other', null],
    ['/dev/md/usr', usr],
    ['/dev/md0', array],
    ['/dev/md1', null],
    ['/dev/sda1', boot],
    ['/dev/sda7', null],
    ['UUID=', null],
    ['tmpfs', null],
  ])('knows the volume behind %s', (device, expected) => {
    expect(volumeOfDevice(device, context)).toBe(expected);
  });

  it('does not take a volume made of partitions for a whole disk', () => {
    expect(volumeOfDevice('/dev/sda', context)).toBeNull();
  });
});

function mountsOf(fstab: string) {
  return resolveMounts({ volumes, root, fstab: parseFstab(fstab) }, ['subvol=@']);
}

describe('resolveMounts', () => {
  it('puts the root first and names what is mounted of it and into it', () => {
    const fstab = [
      'UUID=1A2B-3C4D /boot/efi vfat umask=0077 0 1',
      'UUID=aaaa-boot /boot/ ext4 defaults 0 2',
      'UUID=bbbb-root / ext4 errors=remount-ro 0 1',
      '/dev/md/usr /usr btrfs noatime,subvol=@usr,subvolid=258 0 0',
      'UUID=dddd /home ext4 defaults 0 2',
    ].join('\n');
    expect(mountsOf(fstab)).toEqual([
      { mountPoint: '/', volume: 3, fileSystem: 'ext4', options: ['subvol=@'] },
      { mountPoint: '/usr', volume: 4, fileSystem: 'xfs', options: ['subvol=@usr', 'subvolid=258'] },
      { mountPoint: '/boot', volume: 0, fileSystem: 'ext4', options: [] },
      { mountPoint: '/boot/efi', volume: 1, fileSystem: 'vfat', options: [] },
    ]);
  });

  it('lets the last line of a mount point win and leaves out what it cannot tell', () => {
    const fstab = 'UUID=dddd /boot ext4\nUUID=aaaa-boot /boot ext4\nLABEL=twice /usr ext4\n';
    expect(mountsOf(fstab).map(({ mountPoint, volume: index }) => [mountPoint, index])).toEqual([
      ['/', 3],
      ['/boot', 0],
    ]);
  });
});
