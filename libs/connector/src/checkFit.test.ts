import type { PlatformCapabilities } from '@ascend/domain';
import { expect, it } from 'vitest';
import { checkFit, type FitParams } from './checkFit.ts';
import { memoryCapabilities } from './testing/memoryConnector.ts';
import { sampleDisk, sampleNic, sampleVm } from './testing/samples.ts';

const gib = 1024 ** 3;
const disk = sampleDisk({ diskIndex: 0, sizeBytes: gib, storage: 'fast', bus: 'virtio-blk' });
const nic = sampleNic({ network: 'lan', model: 'virtio-net-pci' });
const vm = sampleVm({ name: 'fits', disks: [disk], nics: [nic] });
const facts: FitParams['facts'] = {
  storages: [{ name: 'fast', freeBytes: 2 * gib, totalBytes: 4 * gib }],
  networks: [{ name: 'lan', about: '' }],
  cpuCount: 2,
  memoryBytes: gib,
};

function check(change: {
  readonly wish?: Partial<FitParams['wish']>;
  readonly facts?: Partial<FitParams['facts']>;
  readonly capabilities?: Partial<PlatformCapabilities>;
  readonly ownBytes?: Readonly<Record<string, number>>;
}): string[] {
  const findings = checkFit({
    wish: { vm, disks: [disk], nics: [nic], ...change.wish },
    capabilities: { ...memoryCapabilities, ...change.capabilities },
    facts: { ...facts, ...change.facts },
    foreignVmNames: ['theirs'],
    ...(change.ownBytes === undefined ? {} : { ownBytes: change.ownBytes }),
  });
  return findings.map(({ code, severity, subject }) => `${severity} ${code} ${subject}`);
}

const disks = (count: number) =>
  Array.from({ length: count }, (_, diskIndex) => ({ ...disk, diskIndex, bytesToMove: 0 }));

it.each([
  ['nothing when all is well', {}, []],
  [
    'a firmware that the platform lacks',
    { capabilities: { firmware: ['uefi'] } },
    ['blocked TARGET_HARDWARE_UNSUPPORTED target'],
  ],
  ['too many disks', { wish: { disks: disks(5) } }, ['blocked TARGET_DEVICES_TOO_MANY target']],
  ['too many cards', { wish: { nics: [nic, nic, nic] } }, ['blocked TARGET_DEVICES_TOO_MANY target']],
  [
    'memory that is not there',
    { wish: { vm: { ...vm, memoryBytes: 2 * gib } } },
    ['blocked TARGET_MEMORY_SHORT target'],
  ],
  [
    'more processors than there are, which is only slow',
    { wish: { vm: { ...vm, cpuCount: 9 } } },
    ['warning TARGET_MEMORY_SHORT target'],
  ],
  ['a name with blanks', { wish: { vm: { ...vm, name: 'a b' } } }, ['blocked TARGET_NAME_ILLEGAL target']],
  ['a name that is taken', { wish: { vm: { ...vm, name: 'theirs' } } }, ['blocked TARGET_NAME_TAKEN target']],
  [
    'a full storage',
    { facts: { storages: [{ name: 'fast', freeBytes: gib - 1, totalBytes: gib }] } },
    ['blocked TARGET_STORAGE_FULL target'],
  ],
] satisfies [string, Parameters<typeof check>[0], string[]][])('finds %s', (_what, change, expected) => {
  expect(check(change)).toEqual(expected);
});

it('does not count twice what an earlier attempt has written already', () => {
  const storages = [{ name: 'fast', freeBytes: gib / 2, totalBytes: 4 * gib }];
  expect(check({ facts: { storages } })).toEqual(['blocked TARGET_STORAGE_FULL target']);
  expect(check({ facts: { storages }, ownBytes: { fast: gib / 2 } })).toEqual([]);
});

it('needs no more space than the disk is large', () => {
  const wish = { disks: [{ ...disk, bytesToMove: 100 * gib }] };
  expect(check({ wish })).toEqual([]);
});

it('says what to do with every obstacle', () => {
  const findings = checkFit({
    wish: { vm: { ...vm, name: 'theirs' }, disks: [{ ...disk, storage: 'tape' }], nics: [nic] },
    capabilities: memoryCapabilities,
    facts,
    foreignVmNames: ['theirs'],
  });
  expect(findings).toHaveLength(2);
  for (const finding of findings) expect(finding.action.length).toBeGreaterThan(20);
  expect(findings[1]?.evidence).toBe('fast');
});
