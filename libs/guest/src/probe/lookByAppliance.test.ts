import type { GuestFacts, VolumeFacts } from '@ascend/domain';
import { Secret } from '@ascend/runtime';
import { describe, expect, it } from 'vitest';
import { couldShowMore, needsAppliance } from './lookByAppliance.ts';

const uuid = '6a7e0001-3b52-4d0e-9a55-0a5c3e6d0105';
const boot: VolumeFacts = {
  diskIndex: 0,
  partition: 1,
  offsetBytes: 0,
  sizeBytes: 1,
  content: 'ext4',
  uuid: null,
  label: null,
  requires: 'host',
};
const luks: VolumeFacts = { ...boot, partition: 2, content: 'luks', uuid, requires: 'appliance' };
const thin: VolumeFacts = {
  ...boot,
  partition: null,
  name: 'vg-root',
  content: 'unknown',
  requires: 'appliance',
};
const rootless: GuestFacts = {
  family: 'linux',
  distribution: null,
  version: null,
  arch: null,
  hostname: null,
  root: null,
  firmware: 'bios',
  initramfsTool: 'none',
  kernels: [],
  nics: [],
  volumes: [boot],
  remarks: [],
};
const root = { diskIndex: 0, offsetBytes: 0, sizeBytes: 1, fileSystem: 'ext4' };
const key = new Secret('key');

describe('whether an appliance is asked', () => {
  it('needs a Linux guest of which the host has not seen all', () => {
    expect(needsAppliance(rootless)).toBe(true);
    expect(needsAppliance({ ...rootless, family: 'unknown' })).toBe(false);
    const mounts = [{ mountPoint: '/', volume: 0, fileSystem: 'ext4', options: [] }];
    expect(needsAppliance({ ...rootless, root, mounts })).toBe(false);
    expect(needsAppliance({ ...rootless, root, mounts, volumes: [thin] })).toBe(true);
  });

  it('does not start one for encrypted volumes without a key, and does for all others', () => {
    const locked = { ...rootless, volumes: [boot, luks] };
    expect(couldShowMore(locked, [])).toBe(false);
    expect(couldShowMore(locked, [{ volume: 'another', key }])).toBe(false);
    expect(couldShowMore(locked, [{ volume: uuid, key }])).toBe(true);
    expect(couldShowMore(locked, [{ volume: null, key }])).toBe(true);
    expect(couldShowMore({ ...rootless, volumes: [luks, thin] }, [])).toBe(true);
    expect(couldShowMore({ ...locked, root }, [])).toBe(true);
    expect(couldShowMore(rootless, [])).toBe(true);
  });
});
