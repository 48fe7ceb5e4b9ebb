import { declareReaderContract, readJsonExample, specOf } from '@ascend/vm-spec/testing';
import { expect, test } from 'vitest';
import { vmReader } from './vmReader.ts';

const gib = 1024 ** 3;
const group = '/subscriptions/s/resourceGroups/rg/providers';

const minimal = {
  name: 'tiny',
  properties: {
    hardwareProfile: { vmSize: 'Standard_B2s' },
    storageProfile: { osDisk: { createOption: 'FromImage', osType: 'Linux', diskSizeGB: 30 }, dataDisks: [] },
    networkProfile: { networkInterfaces: [] },
  },
};

/** As the command line shows it with `--show-details`: flat. */
const shown = {
  id: `${group}/Microsoft.Compute/virtualMachines/Grüße-東京`,
  name: 'Grüße-東京',
  type: 'Microsoft.Compute/virtualMachines',
  location: 'westeurope',
  resourceGroup: 'rg',
  vmId: '11111111-2222-3333-4444-555555555555',
  tags: { owner: 'Zoë', empty: '' },
  powerState: 'VM running',
  macAddresses: '00-0D-3A-00-00-01,00-0D-3A-00-00-02',
  privateIps: '10.1.0.4,10.1.0.5',
  publicIps: '',
  fqdns: '',
  hardwareProfile: {
    vmSize: 'Standard_NC4as_T4_v3',
    vmSizeProperties: { vCPUsAvailable: 4, vCPUsPerCore: 1 },
  },
  securityProfile: {
    securityType: 'TrustedLaunch',
    encryptionAtHost: true,
    uefiSettings: { secureBootEnabled: true, vTpmEnabled: true },
  },
  additionalCapabilities: { ultraSSDEnabled: true, hibernationEnabled: true },
  instanceView: {
    hyperVGeneration: 'V2',
    osName: 'ubuntu',
    osVersion: '22.04',
    computerName: 'x',
    statuses: [],
  },
  storageProfile: {
    imageReference: {
      publisher: 'Canonical',
      offer: '0001-com-ubuntu-server-jammy',
      sku: '22_04-lts-gen2',
      version: 'latest',
    },
    diskControllerType: 'SCSI',
    osDisk: {
      name: 'os-1',
      osType: 'Linux',
      caching: 'ReadOnly',
      createOption: 'FromImage',
      diskSizeGB: 64,
      diffDiskSettings: { option: 'Local', placement: 'ResourceDisk' },
      managedDisk: { id: `${group}/Microsoft.Compute/disks/os-1`, storageAccountType: 'Premium_LRS' },
    },
    dataDisks: [
      {
        lun: 10,
        name: 'data-b',
        createOption: 'Attach',
        diskSizeGB: 32,
        managedDisk: { storageAccountType: 'UltraSSD_LRS' },
      },
      { lun: 2, name: 'data-a', createOption: 'Attach', diskSizeGB: 128, toBeDetached: false },
    ],
  },
  networkProfile: {
    networkInterfaces: [
      { id: `${group}/Microsoft.Network/networkInterfaces/nic-2`, primary: false, deleteOption: 'Delete' },
      { id: `${group}/Microsoft.Network/networkInterfaces/nic-1`, primary: true },
    ],
  },
  osProfile: { computerName: 'x', adminUsername: 'u', linuxConfiguration: { provisionVMAgent: true } },
};

const template = {
  $schema: 'https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#',
  contentVersion: '1.0.0.0',
  parameters: { virtualMachines_db_name: { defaultValue: 'db', type: 'String' } },
  variables: { size: 'Standard_E8-4s_v5' },
  resources: [
    { type: 'Microsoft.Network/virtualNetworks', apiVersion: '2025-05-01', name: 'net', properties: {} },
    {
      type: 'Microsoft.Network/networkInterfaces',
      name: 'db-nic',
      properties: {
        macAddress: '60-45-BD-00-00-09',
        enableAcceleratedNetworking: true,
        ipConfigurations: [
          {
            name: 'a',
            properties: {
              privateIPAddress: '10.2.0.4',
              privateIPAllocationMethod: 'Static',
              subnet: { id: "[resourceId('Microsoft.Network/virtualNetworks/subnets', 'net', 'back')]" },
            },
          },
        ],
      },
    },
    {
      type: 'Microsoft.Compute/disks',
      name: 'db-data',
      properties: {
        diskSizeGB: 4,
        diskSizeBytes: 4 * gib,
        maxShares: 2,
        creationData: { logicalSectorSize: 4096 },
      },
    },
    {
      type: 'Microsoft.Compute/disks',
      name: 'db-os',
      properties: { diskSizeGB: 127, hyperVGeneration: 'V1' },
    },
    {
      type: 'Microsoft.Compute/virtualMachines',
      apiVersion: '2026-03-01',
      name: "[parameters('virtualMachines_db_name')]",
      location: 'eastus',
      dependsOn: [],
      properties: {
        hardwareProfile: { vmSize: "[variables('size')]" },
        storageProfile: {
          imageReference: {
            publisher: 'MicrosoftWindowsServer',
            offer: 'WindowsServer',
            sku: '2019-Datacenter',
          },
          osDisk: { osType: 'Windows', name: 'db-os', createOption: 'Attach' },
          dataDisks: [
            {
              lun: 0,
              name: 'db-data',
              createOption: 'Attach',
              managedDisk: { id: "[resourceId('Microsoft.Compute/disks', 'db-data')]" },
            },
          ],
        },
        networkProfile: {
          networkInterfaces: [
            {
              id: "[resourceId('Microsoft.Network/networkInterfaces', 'db-nic')]",
              properties: { primary: true },
            },
          ],
        },
      },
    },
  ],
};

const list = { value: [minimal, { ...minimal, name: 'other' }] };

const asText = (document: unknown) => JSON.stringify(document, null, 2);

function read(document: unknown, selector: string | null = null) {
  return readJsonExample(vmReader, document, selector);
}

function withProperties(part: object) {
  return read({ ...minimal, properties: { ...minimal.properties, ...part } });
}

declareReaderContract({
  reader: vmReader,
  examples: [
    { name: 'a small VM', text: asText(minimal) },
    { name: 'az vm show --show-details', text: asText(shown) },
    { name: 'a template', text: asText(template) },
    { name: 'a list', text: asText(list) },
  ],
});

test('a small VM has the CPUs and memory of its size; its generation is not told', () => {
  expect(read(minimal)).toEqual({
    spec: specOf({
      name: 'tiny',
      cpuCount: 2,
      memoryBytes: 4 * gib,
      disks: [
        {
          diskIndex: 0,
          sizeBytes: 30 * gib,
          bus: 'ide',
          bootOrder: 1,
          vmwareDiskKey: null,
          controller: 'os',
          sourceName: null,
        },
      ],
      osId: 'linux',
      cpuArch: 'x86_64',
    }),
    codes: ['SPEC_VALUE_MISSING'],
    unknownFields: [],
  });
});

test('everything that the command line shows is read; data disks by LUN, the primary interface first', () => {
  const disk = { bus: 'scsi', bootOrder: null, vmwareDiskKey: null };
  const { spec, codes, unknownFields } = read(shown);
  expect(spec).toEqual({
    name: 'Grüße-東京',
    cpuCount: 4,
    coresPerSocket: null,
    // Its size is not in the table.
    memoryBytes: 4 * gib,
    firmware: 'uefi',
    secureBoot: true,
    tpm: true,
    disks: [
      { ...disk, diskIndex: 0, bootOrder: 1, sizeBytes: 64 * gib, controller: 'os', sourceName: 'os-1' },
      { ...disk, diskIndex: 1, sizeBytes: 128 * gib, controller: 'lun:2', sourceName: 'data-a' },
      { ...disk, diskIndex: 2, sizeBytes: 32 * gib, controller: 'lun:10', sourceName: 'data-b' },
    ],
    nics: [
      { nicIndex: 0, mac: '00:0d:3a:00:00:02', network: null, model: 'netvsc', addresses: ['10.1.0.5'] },
      { nicIndex: 1, mac: '00:0d:3a:00:00:01', network: null, model: 'netvsc', addresses: ['10.1.0.4'] },
    ],
    osId: 'ubuntu-22.04',
    notes: null,
    tags: { owner: 'Zoë', empty: '' },
    cpuArch: 'x86_64',
    clock: null,
    devices: [
      { kind: 'gpu', description: 'Standard_NC4as_T4_v3: graphics processor' },
      { kind: 'other', description: 'hibernation' },
      { kind: 'other', description: 'os-1: ephemeral disk (Local)' },
    ],
  });
  expect([codes, unknownFields]).toEqual([['SPEC_VALUE_MISSING', 'SPEC_VALUE_MISSING'], []]);
});

test('a template is read with its parameters, variables, interfaces and disks', () => {
  const disk = { vmwareDiskKey: null };
  expect(read(template)).toEqual({
    spec: specOf({
      name: 'db',
      cpuCount: 4,
      memoryBytes: 64 * gib,
      disks: [
        {
          ...disk,
          diskIndex: 0,
          bus: 'ide',
          bootOrder: 1,
          sizeBytes: 127 * gib,
          controller: 'os',
          sourceName: 'db-os',
        },
        {
          ...disk,
          diskIndex: 1,
          bus: 'scsi',
          bootOrder: null,
          sizeBytes: 4 * gib,
          controller: 'lun:0',
          sourceName: 'db-data',
        },
      ],
      nics: [
        { nicIndex: 0, mac: '60:45:bd:00:00:09', network: 'back', model: 'netvsc', addresses: ['10.2.0.4'] },
      ],
      osId: 'windows-server-2019',
      cpuArch: 'x86_64',
      devices: [
        { kind: 'shared-disk', description: 'db-data: up to 2 VMs' },
        { kind: 'other', description: 'db-data: sectors of 4096 bytes' },
      ],
    }),
    codes: [],
    unknownFields: [],
  });
});

test('one of a list is chosen by name; without a name the first one is read with a warning', () => {
  expect(read(list, 'other').spec?.name).toBe('other');
  expect(read(list)).toMatchObject({
    spec: { name: 'tiny' },
    codes: ['SPEC_VM_AMBIGUOUS', 'SPEC_VALUE_MISSING'],
  });
});

test.each([
  [{ instanceView: { hyperVGeneration: 'V1' } }, 'bios', 'ide'],
  [{ instanceView: { hyperVGeneration: 'V2' } }, 'uefi', 'scsi'],
  [{ securityProfile: { securityType: 'TrustedLaunch' } }, 'uefi', 'scsi'],
  [{ hardwareProfile: { vmSize: 'Standard_D2s_v6' } }, 'uefi', 'nvme'],
  [{ storageProfile: { osDisk: {}, imageReference: { sku: '2022-datacenter-g2' } } }, 'uefi', 'scsi'],
  [{ storageProfile: { osDisk: {}, imageReference: { sku: 'server-gen1' } } }, 'bios', 'ide'],
  [
    {
      storageProfile: { osDisk: {}, diskControllerType: 'NVMe' },
      instanceView: { hyperVGeneration: 'V2' },
    },
    'uefi',
    'nvme',
  ],
])('%j is %s on %s', (part, firmware, bus) => {
  expect(withProperties(part).spec).toMatchObject({ firmware, disks: [{ bus }] });
});

test.each([
  ['Standard_D2ps_v5', 'aarch64', null],
  ['Standard_E8-4s_v5', 'x86_64', 64],
  ['Standard_F16s_v2', 'x86_64', 32],
  ['Standard_D64s_v5', 'x86_64', null],
])('%s is %s with %s GiB', (vmSize, cpuArch, memoryGib) => {
  const { spec, codes } = withProperties({ hardwareProfile: { vmSize } });
  const isTold = codes.filter((code) => code === 'SPEC_VALUE_MISSING').length === 1;
  expect([spec?.cpuArch, isTold ? (spec?.memoryBytes ?? 0) / gib : null]).toEqual([cpuArch, memoryGib]);
});

const generation2 = { instanceView: { hyperVGeneration: 'V2' } };

test.each<[string, object, readonly string[]]>([
  ['no size', { hardwareProfile: {} }, ['SPEC_VALUE_MISSING', 'SPEC_VALUE_MISSING', 'SPEC_VALUE_MISSING']],
  [
    'minus two CPUs',
    { hardwareProfile: { vmSize: 'Standard_B2s', vmSizeProperties: { vCPUsAvailable: -2 } } },
    ['SPEC_VALUE_INVALID'],
  ],
  ['a disk of minus one GiB', { storageProfile: { osDisk: { diskSizeGB: -1 } } }, ['SPEC_VALUE_INVALID']],
  ['a huge disk', { storageProfile: { osDisk: { diskSizeGB: 1e300 } } }, ['SPEC_VALUE_INVALID']],
  [
    'a disk of a deallocated VM',
    { storageProfile: { osDisk: { diskSizeGB: null } } },
    ['SPEC_VALUE_MISSING'],
  ],
  ['a field of a later API', { quantumProfile: { qubits: 3 } }, ['SPEC_FIELDS_UNKNOWN']],
])('%s gives a coded finding and a specification', (_, part, codes) => {
  const reading = withProperties({ ...generation2, ...part });
  expect([reading.spec === null, reading.codes]).toEqual([false, codes]);
});

/** Members of a VM's `properties` in Microsoft.Compute 2026-03-01 (Azure/bicep-types-az 1f896de2, MIT), read 2026-11-20. */
const propertyNames =
  'hardwareProfile scheduledEventsPolicy storageProfile additionalCapabilities osProfile networkProfile securityProfile diagnosticsProfile availabilitySet virtualMachineScaleSet proximityPlacementGroup priority evictionPolicy billingProfile host hostGroup provisioningState instanceView licenseType vmId extensionsTimeBudget platformFaultDomain scheduledEventsProfile userData capacityReservation interconnectBlockProfile applicationProfile timeCreated resiliencyProfile'.split(
    ' ',
  );

test('every member of the API is known', () => {
  const objects = new Set(['hardwareProfile', 'storageProfile', 'networkProfile']);
  const rest = propertyNames.filter((name) => !objects.has(name)).map((name) => [name, 'x']);
  const full = { ...minimal, properties: { ...Object.fromEntries(rest), ...minimal.properties } };
  expect([Object.keys(full.properties).length, read(full).unknownFields]).toEqual([propertyNames.length, []]);
});
