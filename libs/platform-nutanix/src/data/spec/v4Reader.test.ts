import { declareReaderContract, readJsonExample, specOf } from '@ascend/vm-spec/testing';
import { expect, test } from 'vitest';
import { v4Reader } from './v4Reader.ts';

const gib = 1024 ** 3;
const config = 'vmm.v4.ahv.config';

const minimal = {
  $objectType: `${config}.Vm`,
  extId: 'vm-1',
  name: 'tiny',
  numSockets: 2,
  numCoresPerSocket: 1,
  memorySizeBytes: 2 * gib,
  bootConfig: { $objectType: `${config}.LegacyBoot`, bootOrder: ['CDROM', 'DISK'] },
};

function diskOf(busType: string, index: number, backingInfo: object) {
  return {
    $objectType: `${config}.Disk`,
    $backingInfoItemDiscriminator: `${config}.VmDisk`,
    extId: `disk-${busType}-${index}`,
    links: null,
    tenantId: 't',
    diskAddress: { $objectType: `${config}.DiskAddress`, busType, index },
    backingInfo: { $objectType: `${config}.VmDisk`, ...backingInfo },
  };
}

const rich = {
  $objectType: `${config}.Vm`,
  $reserved: { $fv: 'v4.r3' },
  extId: 'vm-2',
  links: [{ href: 'https://pc/api', rel: 'self' }],
  tenantId: 't',
  name: 'Καλημέρα',
  description: 'notes',
  numSockets: 2,
  numCoresPerSocket: 4,
  numThreadsPerCore: 1,
  memorySizeBytes: 64 * gib,
  machineType: 'Q35',
  hardwareClockTimezone: 'Europe/Athens',
  powerState: 'OFF',
  isCpuHotplugEnabled: true,
  categories: [{ extId: 'cat-1' }],
  customAttributes: ['stage:prod:blue', 'plain'],
  bootConfig: {
    $objectType: `${config}.UefiBoot`,
    isSecureBootEnabled: true,
    bootDevice: {
      $objectType: `${config}.BootDeviceDisk`,
      diskAddress: { $objectType: `${config}.DiskAddress`, busType: 'SCSI', index: 1 },
    },
    nvramDevice: { backingStorageInfo: { diskExtId: 'nvram', diskSizeBytes: 540672 } },
  },
  vtpmConfig: { $objectType: `${config}.VtpmConfig`, isVtpmEnabled: true, version: '2.0' },
  disks: [
    diskOf('SATA', 0, { diskExtId: 'sata-0', diskSizeBytes: gib }),
    diskOf('SCSI', 1, { diskExtId: 'scsi-1', diskSizeBytes: 20 * gib, storageContainer: { extId: 'sc' } }),
    diskOf('SCSI', 0, { diskSizeBytes: 10 * gib, dataSource: { reference: { imageExtId: 'i' } } }),
    diskOf('SCSI', 2, { $objectType: `${config}.ADSFVolumeGroupReference`, volumeGroupExtId: 'vg-1' }),
  ],
  cdRoms: [{ extId: 'cd', diskAddress: { busType: 'IDE', index: 0 }, isoType: 'GUEST_TOOLS' }],
  nics: [
    {
      extId: 'nic-1',
      backingInfo: { $objectType: `${config}.EmulatedNic`, model: 'VIRTIO', macAddress: '50:6b:8d:00:00:01' },
      networkInfo: {
        nicType: 'NORMAL_NIC',
        vlanMode: 'ACCESS',
        subnet: { extId: 'subnet-1' },
        ipv4Config: {
          shouldAssignIp: true,
          ipAddress: { value: '10.0.0.5', prefixLength: 32 },
          secondaryIpAddressList: [{ value: '10.0.0.6' }],
        },
        ipv4Info: { learnedIpAddresses: [{ value: '10.0.0.7' }] },
      },
    },
    {
      extId: 'nic-2',
      nicBackingInfo: {
        $objectType: `${config}.SriovNic`,
        macAddress: '50:6b:8d:00:00:02',
        hostPcieDeviceReference: { extId: 'pcie-1' },
      },
      nicNetworkInfo: { $objectType: `${config}.SriovNicNetworkInfo`, vlanId: 7 },
    },
  ],
  gpus: [{ vendor: 'NVIDIA', mode: 'PASSTHROUGH_COMPUTE', deviceId: 9, name: 'Tesla' }],
  pcieDevices: [{ assignedDeviceInfo: { device: { deviceExtId: 'pcie-2' } } }],
  serialPorts: [{ index: 1, isConnected: false }],
};

const answer = {
  data: [minimal, rich],
  metadata: { totalAvailableResults: 2 },
  $objectType: 'ListVmsApiResponse',
};

const asText = (document: unknown) => JSON.stringify(document, null, 2);

function read(document: unknown, selector: string | null = null) {
  return readJsonExample(v4Reader, document, selector);
}

declareReaderContract({
  reader: v4Reader,
  examples: [
    { name: 'a VM', text: asText(minimal) },
    { name: 'an answer with one VM', text: asText({ data: rich }) },
    { name: 'an answer with two', text: asText(answer) },
  ],
});

test('a VM with a legacy boot configuration is a BIOS VM', () => {
  expect(read(minimal)).toEqual({
    spec: specOf({
      name: 'tiny',
      cpuCount: 2,
      coresPerSocket: 1,
      memoryBytes: 2 * gib,
    }),
    codes: [],
    unknownFields: [],
  });
});

test('everything a VM tells is read, disks by bus and index, cards of the host as devices', () => {
  const disk = { bootOrder: null, vmwareDiskKey: null };
  expect(read({ data: rich })).toEqual({
    spec: specOf({
      name: 'Καλημέρα',
      cpuCount: 8,
      coresPerSocket: 4,
      memoryBytes: 64 * gib,
      firmware: 'uefi',
      secureBoot: true,
      tpm: true,
      disks: [
        {
          ...disk,
          diskIndex: 0,
          bus: 'scsi',
          sizeBytes: 10 * gib,
          controller: 'scsi.0',
          sourceName: 'disk-SCSI-0',
        },
        {
          ...disk,
          diskIndex: 1,
          bus: 'scsi',
          bootOrder: 1,
          sizeBytes: 20 * gib,
          controller: 'scsi.1',
          sourceName: 'scsi-1',
        },
        { ...disk, diskIndex: 2, bus: 'sata', sizeBytes: gib, controller: 'sata.0', sourceName: 'sata-0' },
      ],
      nics: [
        {
          nicIndex: 0,
          mac: '50:6b:8d:00:00:01',
          network: 'subnet-1',
          model: 'virtio',
          addresses: ['10.0.0.5', '10.0.0.6'],
        },
        { nicIndex: 1, mac: '50:6b:8d:00:00:02', network: 'vlan 7', model: 'sriov', addresses: [] },
      ],
      notes: 'notes',
      tags: { 'category:cat-1': '', stage: 'prod:blue', plain: '' },
      cpuArch: 'x86_64',
      clock: 'local-time',
      devices: [
        { kind: 'gpu', description: 'NVIDIA Tesla PASSTHROUGH_COMPUTE 9' },
        { kind: 'pci-passthrough', description: 'PCIe device pcie-2' },
        { kind: 'cdrom', description: 'ide.0 GUEST_TOOLS' },
        { kind: 'serial-port', description: 'serial port 1' },
        { kind: 'pci-passthrough', description: 'network card sriov 50:6b:8d:00:00:02' },
        { kind: 'shared-disk', description: 'volume group vg-1 scsi.2' },
      ],
    }),
    codes: [],
    unknownFields: [],
  });
});

test('one of several is chosen by id; without one the first is read with a warning', () => {
  expect(read(answer, 'vm-2')).toMatchObject({ spec: { name: 'Καλημέρα' }, codes: [], unknownFields: [] });
  expect(read(answer)).toMatchObject({ spec: { name: 'tiny' }, codes: ['SPEC_VM_AMBIGUOUS'] });
});

test.each<[string, object, readonly string[]]>([
  ['no sockets', { numSockets: null }, ['SPEC_VALUE_MISSING']],
  ['a million sockets', { numSockets: 1_000_000 }, ['SPEC_VALUE_INVALID']],
  ['minus one byte of memory', { memorySizeBytes: -1 }, ['SPEC_VALUE_INVALID']],
  ['no boot configuration', { bootConfig: null }, ['SPEC_VALUE_MISSING']],
  ['a disk without size', { disks: [diskOf('SCSI', 0, {})] }, ['SPEC_VALUE_MISSING']],
  ['a disk of half a byte', { disks: [diskOf('SCSI', 0, { diskSizeBytes: 0.5 })] }, ['SPEC_VALUE_INVALID']],
  ['an impossible MAC address', { nics: [{ backingInfo: { macAddress: 'none' } }] }, ['SPEC_VALUE_INVALID']],
  ['a field of a later version', { quantumConfig: { qubits: 3 } }, ['SPEC_FIELDS_UNKNOWN']],
])('%s gives a coded finding and a specification', (_, part, codes) => {
  const reading = read({ ...minimal, ...part });
  expect([reading.spec === null, reading.codes]).toEqual([false, codes]);
});

/** Members of `Vm` in vmm v4.3 (ntnx-api-golang-clients 55328194, Apache-2.0) without `$…`, read 2026-11-20. */
const members =
  'apcConfig availabilityZone biosUuid bootConfig categories cdRoms cluster createTime customAttributes description disks enabledCpuFeatures extId generationUuid gpus guestCustomization guestTools hardwareClockTimezone host isAgentVm isBrandingEnabled isCpuHotplugEnabled isCpuPassthroughEnabled isCrossClusterMigrationInProgress isGpuConsoleEnabled isLiveMigrateCapable isMemoryOvercommitEnabled isScsiControllerEnabled isVcpuHardPinningEnabled isVgaConsoleEnabled links machineType memorySizeBytes name nextScheduledReboot nics numCoresPerSocket numNumaNodes numSockets numThreadsPerCore ownershipInfo pcieDevices powerState project projectExtId protectionPolicyState protectionType serialPorts source sourceVmProfile storageConfig tenantId updateTime vmGuestCustomizationStatus vtpmConfig'.split(
    ' ',
  );

test('the examples have members of the API alone, and every member of the API is known', () => {
  const foreign = Object.keys(rich).filter((name) => !name.startsWith('$') && !members.includes(name));
  const containers = new Set(['bootConfig', 'disks', 'nics', 'vtpmConfig', 'categories']);
  const every = Object.fromEntries(
    members.filter((name) => !containers.has(name)).map((name) => [name, 'x']),
  );
  expect([foreign, read({ ...minimal, ...every }).unknownFields]).toEqual([[], []]);
});
