import { expect, it } from 'vitest';
import { exportNames } from './exportNames.ts';

it.each([
  [
    ['/b/vm1-disk0.qcow2', '/b/vm1-disk1.qcow2'],
    ['/o/vm1-disk0.raw', '/o/vm1-disk1.raw'],
  ],
  [
    ['/a/disk.qcow2', '/b/disk.qcow2', '/c/DISK.vhd'],
    ['/o/disk.raw', '/o/disk-2.raw', '/o/DISK-3.raw'],
  ],
  [
    ['/a/disk-2.qcow2', '/a/disk.qcow2', '/b/disk.qcow2'],
    ['/o/disk-2.raw', '/o/disk.raw', '/o/disk-3.raw'],
  ],
  [
    ['/a/noextension', '/a/.raw'],
    ['/o/noextension.raw', '/o/.raw.raw'],
  ],
])('names %j without collision', (chains, names) => {
  expect(exportNames('/o', chains, '.raw')).toEqual(names);
});
