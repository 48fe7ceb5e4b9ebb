import { declareReaderContract, readJsonExample, specOf } from '@ascend/vm-spec/testing';
import { expect, test } from 'vitest';
import { instanceReader } from './instanceReader.ts';

const gib = 1024 ** 3;

const minimal = {
  InstanceId: 'i-0aa',
  InstanceType: 't2.micro',
  Architecture: 'x86_64',
  BlockDeviceMappings: [],
};

function volumeOf(device: string, volumeId: string) {
  return { DeviceName: device, Ebs: { VolumeId: volumeId, Status: 'attached', DeleteOnTermination: true } };
}

const rich = {
  InstanceId: 'i-0123456789abcdef0',
  InstanceType: 'g4dn.2xlarge',
  ImageId: 'ami-1',
  Architecture: 'x86_64',
  BootMode: 'uefi-preferred',
  CurrentInstanceBootMode: 'uefi',
  TpmSupport: 'v2.0',
  Hypervisor: 'xen',
  VirtualizationType: 'hvm',
  RootDeviceName: '/dev/xvda',
  RootDeviceType: 'ebs',
  EnaSupport: true,
  CpuOptions: { CoreCount: 4, ThreadsPerCore: 2, AmdSevSnp: 'disabled' },
  HibernationOptions: { Configured: true },
  EnclaveOptions: { Enabled: false },
  Placement: { AvailabilityZone: 'eu-central-1a', Tenancy: 'dedicated', GroupName: '' },
  PlatformDetails: 'Red Hat Enterprise Linux',
  State: { Code: 16, Name: 'running' },
  SecurityGroups: [{ GroupId: 'sg-1', GroupName: 'web' }],
  Tags: [
    { Key: 'Name', Value: 'Büro-Server 東京' },
    { Key: 'cost centre', Value: '42' },
  ],
  BlockDeviceMappings: [
    volumeOf('/dev/sdaa', 'vol-4'),
    volumeOf('/dev/sdf', 'vol-2'),
    volumeOf('/dev/xvda', 'vol-1'),
    volumeOf('/dev/sdg', 'vol-3'),
  ],
  NetworkInterfaces: [
    {
      NetworkInterfaceId: 'eni-2',
      MacAddress: '0a:00:00:00:00:02',
      SubnetId: 'subnet-b',
      InterfaceType: 'efa',
      PrivateIpAddresses: [],
      Attachment: { DeviceIndex: 1, NetworkCardIndex: 0, Status: 'attached' },
    },
    {
      NetworkInterfaceId: 'eni-1',
      MacAddress: '0A:00:00:00:00:01',
      SubnetId: 'subnet-a',
      VpcId: 'vpc-1',
      InterfaceType: 'interface',
      PrivateIpAddress: '10.0.0.4',
      PrivateIpAddresses: [
        { Primary: true, PrivateIpAddress: '10.0.0.4', Association: { PublicIp: '3.3.3.3' } },
        { Primary: false, PrivateIpAddress: '10.0.0.5' },
      ],
      Ipv6Addresses: [{ Ipv6Address: '2001:db8::4', IsPrimaryIpv6: true }],
      Attachment: { DeviceIndex: 0, NetworkCardIndex: 0, Status: 'attached' },
    },
  ],
};

const volumes = [
  {
    VolumeId: 'vol-1',
    Size: 40,
    VolumeType: 'gp3',
    Encrypted: true,
    Attachments: [{ InstanceId: rich.InstanceId }],
  },
  { VolumeId: 'vol-2', Size: 100, MultiAttachEnabled: true, Attachments: [{ InstanceId: rich.InstanceId }] },
  { VolumeId: 'vol-3', Size: 1 },
  { VolumeId: 'vol-4', Size: 16384 },
  { VolumeId: 'vol-9', Size: 5 },
];

const types = [
  { InstanceType: 'g4dn.2xlarge', VCpuInfo: { DefaultVCpus: 8 }, MemoryInfo: { SizeInMiB: 32768 } },
];

const several = {
  Reservations: [
    {
      ReservationId: 'r-1',
      OwnerId: '1',
      Instances: [{ ...minimal, Tags: [{ Key: 'Name', Value: 'one' }] }],
    },
    {
      ReservationId: 'r-2',
      Groups: [],
      Instances: [
        {
          InstanceId: 'i-0bb',
          InstanceType: 't4g.medium',
          Architecture: 'arm64',
          Platform: 'windows',
          RootDeviceName: '/dev/sda1',
          BlockDeviceMappings: [volumeOf('/dev/sda1', 'vol-7')],
        },
      ],
    },
  ],
  Volumes: [{ VolumeId: 'vol-7', Size: 8, VolumeType: 'gp3' }],
};

const asText = (document: unknown) => JSON.stringify(document, null, 2);

function read(document: unknown, selector: string | null = null) {
  return readJsonExample(instanceReader, document, selector);
}

declareReaderContract({
  reader: instanceReader,
  examples: [
    { name: 'one instance', text: asText(minimal) },
    {
      name: 'an instance with its volumes',
      text: asText({ Reservations: [{ Instances: [rich] }], Volumes: volumes }),
    },
    { name: 'two reservations', text: asText(several) },
  ],
});

test('a bare instance is a VM of its type on Xen hardware, and the table tells CPUs and memory', () => {
  expect(read(minimal)).toEqual({
    spec: specOf({
      name: 'i-0aa',
      cpuCount: 1,
      memoryBytes: gib,
      cpuArch: 'x86_64',
    }),
    codes: [],
    unknownFields: [],
  });
});

test('everything an instance, its volumes and its type tell is read, disks by device with the root first', () => {
  const document = { Reservations: [{ Instances: [rich] }], Volumes: volumes, InstanceTypes: types };
  const disk = { bus: 'nvme', bootOrder: null, vmwareDiskKey: null };
  expect(read(document)).toEqual({
    spec: specOf({
      name: 'Büro-Server 東京',
      cpuCount: 8,
      memoryBytes: 32 * gib,
      firmware: 'uefi',
      tpm: true,
      disks: [
        {
          ...disk,
          diskIndex: 0,
          bootOrder: 1,
          sizeBytes: 40 * gib,
          controller: '/dev/xvda',
          sourceName: 'vol-1',
        },
        { ...disk, diskIndex: 1, sizeBytes: 100 * gib, controller: '/dev/sdf', sourceName: 'vol-2' },
        { ...disk, diskIndex: 2, sizeBytes: gib, controller: '/dev/sdg', sourceName: 'vol-3' },
        { ...disk, diskIndex: 3, sizeBytes: 16384 * gib, controller: '/dev/sdaa', sourceName: 'vol-4' },
      ],
      nics: [
        {
          nicIndex: 0,
          mac: '0a:00:00:00:00:01',
          network: 'subnet-a',
          model: 'ena',
          addresses: ['10.0.0.4', '10.0.0.5', '2001:db8::4'],
        },
        { nicIndex: 1, mac: '0a:00:00:00:00:02', network: 'subnet-b', model: 'efa', addresses: [] },
      ],
      osId: 'red hat enterprise linux',
      tags: { 'cost centre': '42' },
      cpuArch: 'x86_64',
      devices: [
        { kind: 'gpu', description: 'g4dn.2xlarge: NVIDIA T4' },
        { kind: 'other', description: 'hibernation' },
        { kind: 'other', description: 'tenancy dedicated' },
        { kind: 'shared-disk', description: '/dev/sdf (vol-2): multi-attach, attached to 1 instances' },
      ],
    }),
    codes: [],
    unknownFields: [],
  });
});

test.each(['i-0bb', 'one', 'i-0aa'])(
  'the instance %s is found by name or id without a warning',
  (selector) => {
    expect(read(several, selector)).toMatchObject({ codes: [], unknownFields: [] });
  },
);

test('an ARM instance boots by UEFI where nothing is told, and its system is named as the platform names it', () => {
  expect(read(several, 'i-0bb').spec).toMatchObject({
    name: 'i-0bb',
    firmware: 'uefi',
    cpuArch: 'aarch64',
    osId: 'windows',
    memoryBytes: 4 * gib,
    disks: [{ sizeBytes: 8 * gib, sourceName: 'vol-7', bootOrder: 1 }],
  });
});

test('of several instances the first is read and the operator is told', () => {
  const { spec, codes } = read(several);
  expect([spec?.name, codes]).toEqual(['one', ['SPEC_VM_AMBIGUOUS']]);
});

test.each([
  ['uefi', 'm5.large', 'uefi'],
  ['legacy-bios', 'm5.large', 'bios'],
  ['uefi-preferred', 'm5.large', 'uefi'],
  ['uefi-preferred', 'm4.large', 'bios'],
  [undefined, 'm5.large', 'bios'],
])('boot mode %s on %s is %s', (BootMode, InstanceType, expected) => {
  expect(read({ ...minimal, BootMode, InstanceType }).spec?.firmware).toBe(expected);
});

test.each([
  ['m4.large', {}, 'vif'],
  ['m4.large', { SriovNetSupport: 'simple' }, 'ixgbevf'],
  ['m4.large', { EnaSupport: true }, 'ena'],
  ['c5.large', {}, 'ena'],
])('the network card of %s with %j is %s', (InstanceType, more, model) => {
  const NetworkInterfaces = [{ MacAddress: '0a:00:00:00:00:01' }];
  expect(read({ ...minimal, ...more, InstanceType, NetworkInterfaces }).spec?.nics).toMatchObject([
    { model },
  ]);
});

test.each<[string, object, readonly string[]]>([
  [
    'an unknown type',
    { InstanceType: 'z99.huge' },
    ['SPEC_VALUE_MISSING', 'SPEC_VALUE_MISSING', 'SPEC_VALUE_MISSING'],
  ],
  ['no type', { InstanceType: null }, ['SPEC_VALUE_MISSING', 'SPEC_VALUE_MISSING', 'SPEC_VALUE_MISSING']],
  ['minus four cores', { CpuOptions: { CoreCount: -4, ThreadsPerCore: 2 } }, ['SPEC_VALUE_INVALID']],
  [
    'a volume without size',
    { BlockDeviceMappings: [volumeOf('/dev/sda1', 'vol-x')] },
    ['SPEC_VALUE_MISSING'],
  ],
  ['an impossible MAC address', { NetworkInterfaces: [{ MacAddress: 'x' }] }, ['SPEC_VALUE_INVALID']],
  ['a field of a later API', { QuantumOptions: { Qubits: 3 } }, ['SPEC_FIELDS_UNKNOWN']],
])('%s gives a coded finding and a specification', (_, part, codes) => {
  const reading = read({ ...minimal, ...part });
  expect([reading.spec === null, reading.codes]).toEqual([false, codes]);
});

test.each([
  ['a negative size', -1],
  ['a huge size', 1e300],
  ['half a GiB and a bit', 0.3],
])('%s of a volume is a finding, and the size of the backup counts', (_, Size) => {
  const BlockDeviceMappings = [volumeOf('/dev/sda1', 'vol-x')];
  const { spec, codes } = read({
    Instances: [{ ...minimal, BlockDeviceMappings }],
    Volumes: [{ VolumeId: 'vol-x', Size }],
  });
  expect([spec?.disks[0]?.sizeBytes, codes]).toEqual([0, ['SPEC_VALUE_INVALID']]);
});

/** Members of `Instance` in EC2 2016-11-15 (boto/botocore 1.43.67, commit 0e6e2404, Apache-2.0), read 2026-11-20. */
const instanceMembers =
  'Architecture BlockDeviceMappings ClientToken EbsOptimized EnaSupport Hypervisor IamInstanceProfile InstanceLifecycle ElasticGpuAssociations ElasticInferenceAcceleratorAssociations NetworkInterfaces OutpostArn RootDeviceName RootDeviceType SecurityGroups SourceDestCheck SpotInstanceRequestId SriovNetSupport StateReason Tags VirtualizationType CpuOptions CapacityBlockId CapacityReservationId CapacityReservationSpecification HibernationOptions Licenses MetadataOptions EnclaveOptions BootMode PlatformDetails UsageOperation UsageOperationUpdateTime PrivateDnsNameOptions Ipv6Address TpmSupport MaintenanceOptions CurrentInstanceBootMode NetworkPerformanceOptions Operator SecondaryInterfaces InstanceId ImageId State PrivateDnsName PublicDnsName StateTransitionReason KeyName AmiLaunchIndex ProductCodes InstanceType LaunchTime Placement KernelId RamdiskId Platform Monitoring SubnetId VpcId PrivateIpAddress PublicIpAddress'.split(
    ' ',
  );

test('the examples have members of the API alone, and every member of the API is known', () => {
  const foreign = [...Object.keys(minimal), ...Object.keys(rich)].filter(
    (name) => !instanceMembers.includes(name),
  );
  // These are read member by member.
  const containers = ['BlockDeviceMappings', 'NetworkInterfaces', 'SecondaryInterfaces', 'Tags'];
  const objects = ['CpuOptions', 'HibernationOptions', 'EnclaveOptions'];
  const every = Object.fromEntries(
    instanceMembers.map((name) => [name, [...containers, ...objects].includes(name) ? [] : 'x']),
  );
  expect([foreign, read(every).unknownFields]).toEqual([[], []]);
});
