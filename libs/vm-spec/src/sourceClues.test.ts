import type { GuestFacts, LinuxFacts } from '@ascend/domain';
import { expect, test } from 'vitest';
import { sourceClues } from './sourceClues.ts';
import { finishSpec } from './specDraft.ts';

const guest: GuestFacts = {
  family: 'linux',
  distribution: 'debian',
  version: '12',
  arch: 'x86_64',
  hostname: 'h',
  root: null,
  firmware: 'bios',
  initramfsTool: 'none',
  kernels: [],
  nics: [{ name: 'eth0', mac: '00:0c:29:00:00:01', addresses: [], configPath: 'etc/network/interfaces' }],
  remarks: [],
};

const linux: LinuxFacts = {
  init: 'systemd',
  agents: [],
  selinux: 'absent',
  cloudInit: null,
  networkFiles: [],
  persistentNames: [],
  dhcpClient: true,
  blockedModules: [],
  deviceCaches: [],
  systemDiskSwaps: [],
  rcLocal: null,
};

function agent(id: string, state: 'enabled' | 'masked') {
  return {
    id,
    services: [{ name: `${id}.service`, path: `lib/${id}`, kind: 'systemd' as const, state, wantedBy: [] }],
  };
}

function cluesOf(part: Partial<LinuxFacts>) {
  return sourceClues({ guest: { ...guest, nics: [], linux: { ...linux, ...part } } });
}

test('agents that start are clues, agents that are off are not', () => {
  expect(cluesOf({ agents: [agent('waagent', 'enabled'), agent('ngt', 'masked')] })).toEqual([
    { kind: 'agent', value: 'waagent', where: 'lib/waagent' },
  ]);
});

test.each([
  [['Ec2', 'None'], ['Ec2']],
  [['Ec2', 'Azure', 'None'], []],
  [null, []],
])('cloud-init with the data sources %j gives %j', (datasources, expected) => {
  const clues = cluesOf({ cloudInit: { disabled: false, datasources, networkDisabled: false } });
  expect(clues.map(({ value }) => value)).toEqual(expected);
});

test('addresses in files of the guest, names of old udev rules, formats and names of files are clues', () => {
  const persistentNames = [{ path: 'etc/udev/70', mac: '00:15:5d:00:00:01', name: 'eth0' }];
  const layer = {
    relPath: 'a/ROOT-7.qcow2',
    format: 'qcow2' as const,
    fileSizeBytes: 1,
    mtimeMs: 0,
    headSha256: '',
  };
  const disks = [{ diskIndex: 0, virtualSizeBytes: 1, allocatedBytes: 1, layers: [layer] }];
  const clues = sourceClues({
    guest: { ...guest, linux: { ...linux, persistentNames } },
    disks,
    dmi: ['QEMU'],
  });
  expect(clues.map(({ kind, value }) => [kind, value])).toEqual([
    ['guest-mac', '00:0c:29:00:00:01'],
    ['guest-mac', '00:15:5d:00:00:01'],
    ['disk-format', 'qcow2'],
    ['file-name', 'a/ROOT-7.qcow2'],
    ['dmi', 'QEMU'],
  ]);
});

test('services of Windows that start by themselves, in the control set in use, and its addresses are clues', () => {
  const service = { type: 16, imagePath: null, group: null, startOverride: false, filePresent: null };
  const windows = {
    productName: null,
    edition: null,
    installationType: null,
    ntVersion: null,
    build: null,
    arch: null,
    systemRoot: 'Windows',
    select: { current: 2, default: 2, lastKnownGood: 1 },
    controlSets: [
      { name: 'ControlSet001', services: [{ ...service, name: 'RdAgent', start: 2 }] },
      {
        name: 'ControlSet002',
        services: [
          { ...service, name: 'VMTools', start: 2 },
          { ...service, name: 'QEMU-GA', start: 4 },
        ],
      },
    ],
    hives: [],
    agents: [],
    hibernation: 'none' as const,
    fastStartup: false,
    volume: { dirty: null, logClosed: null, encrypted: false, dynamicDisk: false },
    interfaces: [
      {
        id: '{1}',
        name: null,
        mac: '00:50:56:00:00:01',
        dhcp: true,
        addresses: [],
        gateways: [],
        dnsServers: [],
      },
    ],
    timeZone: null,
    computerName: null,
    devicePath: null,
    sanPolicy: null,
  };
  expect(sourceClues({ guest: { ...guest, nics: [], family: 'windows', windows } })).toEqual([
    { kind: 'service', value: 'VMTools', where: 'registry, ControlSet002' },
    { kind: 'guest-mac', value: '00:50:56:00:00:01', where: 'registry, interface {1}' },
  ]);
});

test('documents of one platform and the hardware of a specification are clues, documents of several platforms are not', () => {
  const { spec } = finishSpec({
    name: 'n',
    cpuCount: 1,
    memoryBytes: 2 ** 30,
    firmware: 'bios',
    disks: [{ sizeBytes: 1, bus: 'pvscsi', sourceName: 'd.vmdk', vmwareDiskKey: 2000 }],
    nics: [{ mac: '00:50:56:00:00:01', network: null, model: 'vmxnet3' }],
  });
  const documents = [
    { format: 'ovf', platform: null, evidence: 'root element' },
    { format: 'vmx', platform: 'vmware' as const, evidence: 'virtualHW.version' },
  ];
  expect(sourceClues({ documents, spec }).map(({ kind, value }) => `${kind} ${value}`)).toEqual([
    'document vmware',
    'mac 00:50:56:00:00:01',
    'nic-model vmxnet3',
    'disk-bus pvscsi',
    'file-name d.vmdk',
    'disk-key 2000',
  ]);
});
