import { declareReaderContract, readJsonExample, specOf } from '@ascend/vm-spec/testing';
import { expect, test } from 'vitest';
import { v3Reader } from './v3Reader.ts';

const gib = 1024 ** 3;
const resources = {
  num_sockets: 1,
  num_vcpus_per_socket: 2,
  memory_size_mib: 2048,
  boot_config: { boot_device_order_list: ['CDROM', 'DISK', 'NETWORK'] },
};
const minimal = { spec: { name: 'tiny', resources }, metadata: { kind: 'vm', uuid: 'uuid-1' } };

function diskOf(adapter: string, index: number, part: object) {
  const address = { adapter_type: adapter, device_index: index };
  return { device_properties: { device_type: 'DISK', disk_address: address }, ...part };
}

const rich = {
  api_version: '3.1',
  metadata: { kind: 'vm', uuid: 'uuid-2', categories: { AppType: 'Default', Stufe: 'Prüfung' } },
  spec: { name: 'as it was asked for', resources: { ...resources, num_sockets: 9 } },
  status: {
    name: 'Bücher 書',
    state: 'COMPLETE',
    description: 'two lines\nof notes',
    cluster_reference: { kind: 'cluster', name: 'c', uuid: 'u' },
    resources: {
      num_sockets: 2,
      num_vcpus_per_socket: 4,
      num_threads_per_core: 2,
      memory_size_mib: 16384,
      machine_type: 'Q35',
      power_state: 'ON',
      hardware_clock_timezone: 'UTC',
      guest_os_id: 'Windows Server 2022',
      boot_config: {
        boot_type: 'SECURE_BOOT',
        boot_device: { disk_address: { adapter_type: 'SCSI', device_index: 0 } },
      },
      vtpm_config: { vtpm_enabled: true, version: '2.0' },
      disk_list: [
        diskOf('SATA', 0, {
          device_properties: {
            device_type: 'CDROM',
            disk_address: { adapter_type: 'SATA', device_index: 0 },
          },
          data_source_reference: { kind: 'image', name: 'tools.iso' },
        }),
        diskOf('PCI', 0, { uuid: 'd-pci', disk_size_mib: 1024 }),
        diskOf('SCSI', 10, { uuid: 'd-10', disk_size_bytes: 5 * gib, disk_size_mib: 5120 }),
        diskOf('SCSI', 0, {
          uuid: 'd-0',
          disk_size_bytes: 40 * gib,
          storage_config: { flash_mode: 'ENABLED' },
        }),
        diskOf('SCSI', 2, {
          device_properties: {
            device_type: 'VOLUME_GROUP',
            disk_address: { adapter_type: 'SCSI', device_index: 2 },
          },
          volume_group_reference: { kind: 'volume_group', name: 'quorum', uuid: 'vg-1' },
        }),
      ],
      nic_list: [
        {
          uuid: 'n-1',
          nic_type: 'NORMAL_NIC',
          model: 'VIRTIO',
          mac_address: '50:6B:8D:00:00:01',
          is_connected: true,
          subnet_reference: { kind: 'subnet', name: 'vlan 20', uuid: 's-1' },
          ip_endpoint_list: [
            { ip: '10.0.0.9', type: 'ASSIGNED', prefix_length: 24 },
            { ip: '169.254.1.1', type: 'LEARNED' },
          ],
          secondary_ip_address_list: ['10.0.0.10'],
        },
        {
          model: 'E1000',
          mac_address: '50:6b:8d:00:00:02',
          subnet_reference: { kind: 'subnet', uuid: 's-2' },
        },
      ],
      gpu_list: [{ vendor: 'NVIDIA', name: 'grid_p40-8q', mode: 'VIRTUAL', device_id: 7 }],
      serial_port_list: [{ index: 0, is_connected: true }],
    },
  },
};

const list = { api_version: '3.1', metadata: { kind: 'vm', total_matches: 2 }, entities: [minimal, rich] };

const asText = (document: unknown) => JSON.stringify(document, null, 2);

function read(document: unknown, selector: string | null = null) {
  return readJsonExample(v3Reader, document, selector);
}

function withResources(part: object) {
  return read({ ...minimal, spec: { name: 'tiny', resources: { ...resources, ...part } } });
}

declareReaderContract({
  reader: v3Reader,
  examples: [
    { name: 'an intent without status', text: asText(minimal) },
    { name: 'a VM with spec and status', text: asText(rich) },
    { name: 'a list', text: asText(list) },
  ],
});

test('an intent that names no boot type is a BIOS VM', () => {
  expect(read(minimal)).toEqual({
    spec: specOf({
      name: 'tiny',
      cpuCount: 2,
      coresPerSocket: 2,
      memoryBytes: 2 * gib,
    }),
    codes: [],
    unknownFields: [],
  });
});

test('what the VM is counts before what was asked for; disks by bus and index', () => {
  const disk = { bootOrder: null, vmwareDiskKey: null };
  expect(read(rich)).toEqual({
    spec: specOf({
      name: 'Bücher 書',
      cpuCount: 16,
      coresPerSocket: 8,
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
          sizeBytes: 40 * gib,
          controller: 'scsi.0',
          sourceName: 'd-0',
        },
        { ...disk, diskIndex: 1, bus: 'scsi', sizeBytes: 5 * gib, controller: 'scsi.10', sourceName: 'd-10' },
        { ...disk, diskIndex: 2, bus: 'pci', sizeBytes: gib, controller: 'pci.0', sourceName: 'd-pci' },
      ],
      nics: [
        {
          nicIndex: 0,
          mac: '50:6b:8d:00:00:01',
          network: 'vlan 20',
          model: 'virtio',
          addresses: ['10.0.0.9', '10.0.0.10'],
        },
        { nicIndex: 1, mac: '50:6b:8d:00:00:02', network: 's-2', model: 'e1000', addresses: [] },
      ],
      osId: 'windows-server-2022',
      notes: 'two lines\nof notes',
      tags: { AppType: 'Default', Stufe: 'Prüfung' },
      cpuArch: 'x86_64',
      clock: 'utc',
      devices: [
        { kind: 'gpu', description: 'NVIDIA grid_p40-8q VIRTUAL 7' },
        { kind: 'serial-port', description: 'serial port 0' },
        { kind: 'shared-disk', description: 'volume group quorum vg-1 scsi.2' },
        { kind: 'cdrom', description: 'sata.0 tools.iso' },
      ],
    }),
    codes: [],
    unknownFields: [],
  });
});

test.each(['uuid-2', 'Bücher 書'])('one of a list is chosen by %s', (selector) => {
  expect(read(list, selector)).toMatchObject({ spec: { name: 'Bücher 書' }, codes: [], unknownFields: [] });
});

test('of a list the first is read with a warning', () => {
  expect(read(list)).toMatchObject({ spec: { name: 'tiny' }, codes: ['SPEC_VM_AMBIGUOUS'] });
});

test.each<[string, object, readonly string[]]>([
  ['minus one socket', { num_sockets: -1 }, ['SPEC_VALUE_INVALID']],
  ['no memory', { memory_size_mib: null }, ['SPEC_VALUE_MISSING']],
  ['huge memory', { memory_size_mib: 1e300 }, ['SPEC_VALUE_INVALID']],
  ['no boot configuration', { boot_config: null }, ['SPEC_VALUE_MISSING']],
  ['a disk without size', { disk_list: [diskOf('SCSI', 0, {})] }, ['SPEC_VALUE_MISSING']],
  [
    'a disk of minus one byte',
    { disk_list: [diskOf('SCSI', 0, { disk_size_bytes: -1 })] },
    ['SPEC_VALUE_INVALID'],
  ],
  ['an impossible MAC address', { nic_list: [{ mac_address: 'ff:ff:ff:ff:ff:ff' }] }, ['SPEC_VALUE_INVALID']],
  ['a field of a later version', { quantum_list: [{ qubits: 3 }] }, ['SPEC_FIELDS_UNKNOWN']],
])('%s gives a coded finding and a specification', (_, part, codes) => {
  const reading = withResources(part);
  expect([reading.spec === null, reading.codes]).toEqual([false, codes]);
});

test.each([
  ['America/Los_Angeles', 'local-time'],
  ['Etc/UTC', 'utc'],
])('a hardware clock in %s shows %s', (zone, clock) => {
  expect(withResources({ hardware_clock_timezone: zone }).spec?.clock).toBe(clock);
});

test('secrets in a document reach neither the specification nor a message', () => {
  const secrets = {
    vtpm_config: { vtpm_enabled: true, vtpm_secret: 'hunter2' },
    guest_tools: { nutanix_guest_tools: { credentials: { password: 'hunter2' } } },
  };
  const text = asText({ ...minimal, spec: { name: 'tiny', resources: { ...resources, ...secrets } } });
  expect(JSON.stringify(v3Reader.read({ name: 'x', text }, null))).not.toContain('hunter2');
});

/** Members of `vm_resources_def_status` (prism-go-client 1e253ea7, `v3/swagger.json`), read 2026-11-20. */
const members =
  'num_threads_per_core apc_config is_agent_vm protection_policy_state memory_size_mib boot_config disk_list serial_port_list generation_uuid bios_uuid vga_console_enabled power_state recovery_plan_state_list effective_storage_config num_vcpus_per_socket num_sockets hardware_virtualization_enabled storage_config protection_type gpu_list machine_type hardware_clock_timezone guest_customization power_state_mechanism is_vcpu_hard_pinned memory_overcommit_enabled vnuma_config nic_list host_reference guest_os_id guest_tools gpu_console_enabled vtpm_config enable_cpu_passthrough parent_reference hypervisor_type disable_branding'.split(
    ' ',
  );

test('the examples have members of the API alone, and every member of the API is known', () => {
  const foreign = Object.keys(rich.status.resources).filter((name) => !members.includes(name));
  const containers = new Set([
    'boot_config',
    'disk_list',
    'serial_port_list',
    'gpu_list',
    'nic_list',
    'vtpm_config',
  ]);
  const every = Object.fromEntries(
    members.filter((name) => !containers.has(name)).map((name) => [name, 'x']),
  );
  expect([foreign, withResources(every).unknownFields]).toEqual([[], []]);
});
