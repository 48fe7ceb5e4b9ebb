import { expect, test } from 'vitest';
import { finishSpec, normalMac, type SpecDraft } from './specDraft.ts';

const plain: SpecDraft = {
  name: 'web',
  cpuCount: 4,
  coresPerSocket: 2,
  memoryBytes: 2 ** 30,
  firmware: 'uefi',
  disks: [{ sizeBytes: 2 ** 30, bus: 'pvscsi' }],
  nics: [{ mac: '00-50-56-AB-CD-EF', network: 'lan', model: 'vmxnet3' }],
};

test('what is told right stays, MAC addresses in one notation, without findings', () => {
  const { spec, findings } = finishSpec(plain);
  expect(findings).toEqual([]);
  expect(spec).toMatchObject({
    name: 'web',
    cpuCount: 4,
    coresPerSocket: 2,
    firmware: 'uefi',
    secureBoot: false,
  });
  expect(spec.nics[0]?.mac).toBe('00:50:56:ab:cd:ef');
});

test.each<[string, Partial<SpecDraft>, string, object]>([
  ['no CPUs', { cpuCount: null, coresPerSocket: null }, 'SPEC_VALUE_MISSING', { cpuCount: 2 }],
  ['minus three CPUs', { cpuCount: -3, coresPerSocket: null }, 'SPEC_VALUE_INVALID', { cpuCount: 2 }],
  [
    'cores that do not divide',
    { coresPerSocket: 3 },
    'SPEC_VALUE_INVALID',
    { cpuCount: 4, coresPerSocket: null },
  ],
  ['no memory', { memoryBytes: null }, 'SPEC_VALUE_MISSING', { memoryBytes: 2 ** 32 }],
  ['half a byte of memory', { memoryBytes: 0.5 }, 'SPEC_VALUE_INVALID', { memoryBytes: 2 ** 32 }],
  ['no firmware', { firmware: null }, 'SPEC_VALUE_MISSING', { firmware: 'bios' }],
  ['no name', { name: ' \u0007 ' }, 'SPEC_VALUE_MISSING', { name: 'unnamed' }],
  ['a name of 300 characters', { name: 'n'.repeat(300) }, 'SPEC_VALUE_INVALID', { name: 'n'.repeat(255) }],
  [
    'a disk of minus one byte',
    { disks: [{ sizeBytes: -1, bus: null }] },
    'SPEC_VALUE_INVALID',
    { disks: [{ diskIndex: 0, sizeBytes: 0 }] },
  ],
  [
    'a MAC address of zeros',
    { nics: [{ mac: '000000000000', network: null, model: null }] },
    'SPEC_VALUE_INVALID',
    { nics: [{ mac: null }] },
  ],
])('%s: a finding, and a value that can be used', (_, part, code, expected) => {
  const { spec, findings } = finishSpec({ ...plain, ...part });
  expect(findings.map((finding) => finding.code)).toEqual([code]);
  expect(spec).toMatchObject(expected);
});

test('10,000 disks, interfaces, devices and tags are cut with a finding each', () => {
  const many = Array.from({ length: 10_000 }, (_, index) => index);
  const { spec, findings } = finishSpec({
    ...plain,
    disks: many.map(() => ({ sizeBytes: 1, bus: null })),
    nics: many.map(() => ({ mac: null, network: null, model: null })),
    devices: many.map(() => ({ kind: 'gpu', description: 'x' })),
    tags: Object.fromEntries(many.map((index) => [`t${index}`, ''])),
  });
  expect([spec.disks.length, spec.nics.length, spec.devices?.length, Object.keys(spec.tags).length]).toEqual([
    1024, 256, 256, 256,
  ]);
  expect(findings).toHaveLength(4);
});

test.each([
  ['00:50:56:AB:cd:ef', '00:50:56:ab:cd:ef'],
  ['0050.56ab.cdef', '00:50:56:ab:cd:ef'],
  ['005056ABCDEF', '00:50:56:ab:cd:ef'],
  ['ff:ff:ff:ff:ff:ff', null],
  ['00:50:56:ab:cd', null],
  [null, null],
])('the MAC address %s becomes %s', (text, expected) => {
  expect(normalMac(text)).toBe(expected);
});
