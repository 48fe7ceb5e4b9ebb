import { expect, it } from 'vitest';
import type { VolumeFacts } from './facts.ts';
import { writtenDisks } from './writtenDisks.ts';

const root = { diskIndex: 2, offsetBytes: 1, sizeBytes: 1, fileSystem: 'ext4' };

function volume(diskIndex: number, segmentDisks: readonly number[]): VolumeFacts {
  const segments = segmentDisks.map((disk) => ({ diskIndex: disk, offsetBytes: 0, sizeBytes: 1 }));
  const place = { diskIndex, partition: 1, offsetBytes: 0, sizeBytes: 1 };
  return { ...place, content: 'ext4', uuid: null, label: null, segments };
}

function mount(mountPoint: string, index: number, fileSystem = 'ext4') {
  return { mountPoint, volume: index, fileSystem, options: [] };
}

it('names the disks of every volume that is mounted, once each', () => {
  const volumes = [volume(2, [2]), volume(0, [0, 3]), volume(5, [5]), volume(6, [6])];
  const mounts = [mount('/', 0), mount('/usr', 1), mount('/boot/efi', 2, 'vfat')];
  expect(writtenDisks({ root, volumes, mounts })).toEqual([0, 2, 3]);
});

it('names the disk of the root where older facts know no mounts, and none without a root', () => {
  expect(writtenDisks({ root })).toEqual([2]);
  expect(writtenDisks({ root: null })).toEqual([]);
});

it('names the disks of all containers where an appliance assembles them, whichever hold the root', () => {
  const held = { ...volume(1, [1]), content: 'lvm2' };
  const member = { ...volume(4, [4]), content: 'mdraid' };
  const thin = { ...volume(1, []), name: 'vg-root', requires: 'appliance' as const, requiresReason: 'thin' };
  const guest = { root: { ...root, diskIndex: 1 }, volumes: [held, member, thin, volume(7, [7])] };
  expect(writtenDisks({ ...guest, mounts: [mount('/', 2)] })).toEqual([1, 4]);
  expect(writtenDisks({ ...guest, mounts: [mount('/', 2)] }, 'host')).toEqual([1]);
  expect(writtenDisks({ ...guest, mounts: [mount('/', 0)] })).toEqual([1]);
  expect(writtenDisks({ ...guest, mounts: [mount('/', 0)] }, 'appliance')).toEqual([1, 4]);
});
