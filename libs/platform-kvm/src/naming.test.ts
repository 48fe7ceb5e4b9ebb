import * as fc from 'fast-check';
import { isAppError } from '@ascend/errors';
import { expect, it } from 'vitest';
import { derivedMac, diskFileName, diskSerial, isVmName, vmFolder } from './naming.ts';

function folderOf(name: string): string {
  try {
    return vmFolder('/state', name);
  } catch (error) {
    return isAppError(error) ? error.code : 'another error';
  }
}

it('keeps every VM folder inside the folder of VMs', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.constantFrom('..', '.', '', 'a/b', '../x', 'a\0b')), (name) => {
      const isLegal = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(name);
      expect(isVmName(name)).toBe(isLegal);
      expect(folderOf(name)).toBe(isLegal ? `/state/vms/${name}` : 'TARGET_NAME_ILLEGAL');
    }),
  );
});

it('names disk files only after names of our own', () => {
  expect(diskFileName('ascend-job-transfer-disk-0-disk')).toBe('ascend-job-transfer-disk-0-disk.qcow2');
  for (const name of ['pgtest1', '../ascend-x', 'ascend-../x', 'ascend-', `ascend-${'x'.repeat(300)}`]) {
    expect(() => diskFileName(name)).toThrow(expect.objectContaining({ code: 'TARGET_NAME_ILLEGAL' }));
  }
});

it('derives the same local MAC for the same card and different ones for different cards', () => {
  expect(derivedMac('ascend-a', 0)).toBe(derivedMac('ascend-a', 0));
  expect(derivedMac('ascend-a', 0)).not.toBe(derivedMac('ascend-a', 1));
  expect(derivedMac('ascend-a', 0)).toMatch(/^52:54:00(:[0-9a-f]{2}){3}$/);
});

it('gives disks serial numbers that fit virtio (20 characters)', () => {
  expect(diskSerial('ascend-job', 4095).length).toBeLessThanOrEqual(20);
  expect(diskSerial('ascend-job', 0)).not.toBe(diskSerial('ascend-job', 1));
});
