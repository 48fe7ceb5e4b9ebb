import { declareReaderContract, readJsonExample, specOf } from '@ascend/vm-spec/testing';
import { expect, test } from 'vitest';
import { vmReader } from './vmReader.ts';

const gib = 1024 ** 3;

const minimal = {
  id: 'vm-1',
  name: 'tiny',
  zoneid: 'z',
  cpunumber: 1,
  cpuspeed: 1000,
  memory: 512,
  nic: [],
  tags: [],
  affinitygroup: [],
};

const rich = {
  id: 'vm-2',
  name: 'web-01',
  displayname: 'Веб-сервер',
  instancename: 'i-2-42-VM',
  account: 'admin',
  group: 'front',
  state: 'Running',
  hypervisor: 'KVM',
  arch: 'x86_64',
  cpunumber: 8,
  memory: 16384,
  osdisplayname: 'Rocky Linux 9',
  ostypeid: 'os',
  boottype: 'Uefi',
  bootmode: 'Secure',
  serviceofferingid: 'so',
  isoid: 'iso',
  isoname: 'tools',
  gpucount: 2,
  gpucardname: 'NVIDIA A40',
  vgpuprofilename: 'A40-8Q',
  details: {
    rootDiskController: 'scsi',
    dataDiskController: 'virtio',
    nicAdapter: 'virtio',
    'cpu.corespersocket': '4',
    'virtual.tpm.model': 'tpm-crb',
    'virtual.tpm.version': '2.0',
    cpuOvercommitRatio: '2.0',
    UEFI: 'SECURE',
  },
  tags: [{ key: 'tier', value: 'prod', resourcetype: 'UserVm', resourceid: 'vm-2' }],
  nic: [
    {
      id: 'n-2',
      deviceid: '1',
      macaddress: '1e:00:00:00:00:02',
      networkid: 'net-2',
      networkname: 'back',
      secondaryip: [],
      type: 'Isolated',
    },
    {
      id: 'n-1',
      deviceid: '0',
      isdefault: true,
      macaddress: '02:00:00:00:00:01',
      networkname: 'front',
      ipaddress: '10.1.1.5',
      netmask: '255.255.255.0',
      ip6address: '2001:db8::5',
      secondaryip: [{ id: 's', ipaddress: '10.1.1.6' }],
    },
  ],
};

const volumes = [
  { id: 'v-3', type: 'DATADISK', deviceid: 10, size: 30 * gib, virtualmachineid: 'vm-2', name: 'b' },
  { id: 'v-2', type: 'DATADISK', deviceid: 2, size: 20 * gib, virtualmachineid: 'vm-2', path: 'file-2' },
  {
    id: 'v-1',
    type: 'ROOT',
    deviceid: 0,
    size: 10 * gib,
    virtualmachineid: 'vm-2',
    path: 'file-1',
    storage: 'pool',
  },
  { id: 'v-9', type: 'ROOT', deviceid: 0, size: gib, virtualmachineid: 'vm-1' },
];

const answer = {
  listvirtualmachinesresponse: { count: 2, virtualmachine: [minimal, rich] },
  listvolumesresponse: { count: 4, volume: volumes },
};

const asText = (document: unknown) => JSON.stringify(document, null, 2);

function read(document: unknown, selector: string | null = null) {
  return readJsonExample(vmReader, document, selector);
}

function withRoot(part: object, volume: object = { size: gib }) {
  const own = { virtualmachineid: 'vm-1', type: 'ROOT', ...volume };
  return read({ virtualmachine: [{ ...minimal, ...part }], volume: [own] });
}

declareReaderContract({
  reader: vmReader,
  examples: [
    { name: 'one VM', text: asText(minimal) },
    {
      name: 'a list as command-line tools show it',
      text: asText({ count: 1, virtualmachine: [rich], volume: volumes }),
    },
    { name: 'two answers', text: asText(answer) },
  ],
});

test('a VM alone is read, and that its disks are not told is a finding', () => {
  expect(read(minimal)).toEqual({
    spec: specOf({
      name: 'tiny',
      cpuCount: 1,
      memoryBytes: 512 * 1024 ** 2,
    }),
    codes: ['SPEC_VALUE_MISSING'],
    unknownFields: [],
  });
});

test('everything a VM and its volumes tell is read, the root first, data disks by device', () => {
  const disk = { bus: 'virtio', bootOrder: null, vmwareDiskKey: null };
  expect(read(answer, 'web-01')).toEqual({
    spec: specOf({
      name: 'Веб-сервер',
      cpuCount: 8,
      coresPerSocket: 4,
      memoryBytes: 16 * gib,
      firmware: 'uefi',
      secureBoot: true,
      tpm: true,
      disks: [
        {
          ...disk,
          diskIndex: 0,
          bus: 'scsi',
          bootOrder: 1,
          sizeBytes: 10 * gib,
          controller: 'deviceid:0',
          sourceName: 'file-1',
        },
        { ...disk, diskIndex: 1, sizeBytes: 20 * gib, controller: 'deviceid:2', sourceName: 'file-2' },
        { ...disk, diskIndex: 2, sizeBytes: 30 * gib, controller: 'deviceid:10', sourceName: 'v-3' },
      ],
      nics: [
        {
          nicIndex: 0,
          mac: '02:00:00:00:00:01',
          network: 'front',
          model: 'virtio',
          addresses: ['10.1.1.5', '10.1.1.6', '2001:db8::5'],
        },
        { nicIndex: 1, mac: '1e:00:00:00:00:02', network: 'back', model: 'virtio', addresses: [] },
      ],
      osId: 'rocky-9',
      tags: { group: 'front', tier: 'prod' },
      cpuArch: 'x86_64',
      devices: [
        { kind: 'gpu', description: 'NVIDIA A40 A40-8Q' },
        { kind: 'gpu', description: 'NVIDIA A40 A40-8Q' },
        { kind: 'cdrom', description: 'tools' },
      ],
    }),
    codes: [],
    unknownFields: [],
  });
});

test.each(['vm-2', 'Веб-сервер', 'i-2-42-VM'])('one of several is chosen by %s', (selector) => {
  expect(read(answer, selector)).toMatchObject({ spec: { name: 'Веб-сервер' }, codes: [] });
});

test('of several the first is read with a warning, and with its own volume alone', () => {
  expect(read(answer)).toMatchObject({
    spec: { name: 'tiny', disks: [{ sourceName: 'v-9' }] },
    codes: ['SPEC_VM_AMBIGUOUS'],
  });
});

test.each([
  [{ boottype: 'Bios', bootmode: 'Legacy' }, 'bios', false],
  [{ boottype: 'UEFI', bootmode: 'LEGACY' }, 'uefi', false],
  [{ details: { UEFI: 'SECURE' } }, 'uefi', true],
  [{ details: { UEFI: 'LEGACY' } }, 'uefi', false],
])('%j boots by %s, Secure Boot %s', (part, firmware, secureBoot) => {
  expect(withRoot(part).spec).toMatchObject({ firmware, secureBoot });
});

test.each([
  [{}, null],
  [{ rootDiskController: 'osdefault' }, null],
  [{ rootDiskController: 'sata' }, 'sata'],
  [{ rootDiskController: 'SCSI', dataDiskController: 'ide' }, 'scsi'],
])('with the settings %j the root disk is on %s', (details, bus) => {
  expect(withRoot({ details }).spec?.disks[0]?.bus).toBe(bus);
});

test.each<[string, object, object, readonly string[]]>([
  ['no CPUs', { cpunumber: null }, { size: 1 }, ['SPEC_VALUE_MISSING']],
  ['minus one CPU', { cpunumber: -1 }, { size: 1 }, ['SPEC_VALUE_INVALID']],
  ['huge memory', { memory: 1e300 }, { size: 1 }, ['SPEC_VALUE_INVALID']],
  ['a volume without size', {}, {}, ['SPEC_VALUE_MISSING']],
  ['a volume of minus one byte', {}, { size: -1 }, ['SPEC_VALUE_INVALID']],
  [
    'cores that do not divide',
    { details: { 'cpu.corespersocket': '3' } },
    { size: 1 },
    ['SPEC_VALUE_INVALID'],
  ],
  ['an impossible MAC address', { nic: [{ macaddress: 'x' }] }, { size: 1 }, ['SPEC_VALUE_INVALID']],
  ['a field of a later version', { quantum: { qubits: 3 } }, { size: 1 }, ['SPEC_FIELDS_UNKNOWN']],
])('%s gives a coded finding and a specification', (_, part, volume, codes) => {
  const reading = withRoot(part, volume);
  expect([reading.spec === null, reading.codes]).toEqual([false, codes]);
});

test('secrets in a document reach neither the specification nor a message', () => {
  const text = asText({
    ...minimal,
    password: 'hunter2',
    details: { password: 'hunter2', 'Encrypted.Password': 'hunter2' },
  });
  expect(JSON.stringify(vmReader.read({ name: 'x', text }, null))).not.toContain('hunter2');
});

/** Fields of a VM in the answer of 4.22.1 (apache/cloudstack-go e463cd1c, Apache-2.0), read 2026-11-20. */
const members =
  'account affinitygroup alloweddetails arch autoscalevmgroupid autoscalevmgroupname backupofferingid backupofferingname bootmode boottype cpunumber cpuspeed cpuused created deleteprotection details diskioread diskiowrite diskkbsread diskkbswrite diskofferingid diskofferingname displayname displayvm domain domainid domainpath forvirtualnetwork gpucardid gpucardname gpucount group groupid guestosid haenable hasannotations hostcontrolstate hostid hostname hypervisor icon id instancename ipaddress isdynamicallyscalable isodisplaytext isoid isoname jobid jobstatus keypairs lastupdated leaseduration leaseexpiryaction leaseexpirydate maxheads maxresolutionx maxresolutiony memory memoryintfreekbs memorykbs memorytargetkbs name networkkbsread networkkbswrite nic osdisplayname ostypeid password passwordenabled pooltype project projectid publicip publicipid readonlydetails receivedbytes rootdeviceid rootdevicetype securitygroup sentbytes serviceofferingid serviceofferingname servicestate state tags templatedisplaytext templateformat templateid templatename templatetype userdata userdatadetails userdataid userdataname userdatapolicy userid username vgpu vgpuprofileid vgpuprofilename videoram vmtype vnfdetails vnfnics zoneid zonename'.split(
    ' ',
  );

test('the examples have fields of the API alone, and every field of the API is known', () => {
  const foreign = [...Object.keys(minimal), ...Object.keys(rich)].filter((name) => !members.includes(name));
  const every = Object.fromEntries(
    members.map((name) => [name, ['details', 'nic', 'tags'].includes(name) ? [] : 'x']),
  );
  expect([foreign, read(every).unknownFields]).toEqual([[], []]);
});
