import { declareReaderContract, readExample, specOf } from '@ascend/vm-spec/testing';
import { expect, test } from 'vitest';
import { vmReader } from './vmReader.ts';
import { clixmlVm, minimalVm, richVm, vmList } from './testing/vmDocuments.ts';

declareReaderContract({
  reader: vmReader,
  examples: [
    { name: 'clixmlVm', text: clixmlVm },
    { name: 'minimalVm', text: minimalVm },
    { name: 'richVm', text: richVm },
    { name: 'vmList', text: vmList },
  ],
});

test('the smallest object gives a VM of generation 1', () => {
  expect(readExample(vmReader, minimalVm)).toEqual({
    spec: specOf({
      name: 'tiny',
      cpuCount: 1,
      memoryBytes: 536870912,
    }),
    told: [],
    unknownFields: [],
  });
});

test('the answers of several cmdlets give disks by controller with sizes and boot order, and devices of the host', () => {
  expect(readExample(vmReader, richVm)).toEqual({
    spec: specOf({
      name: 'Größe 名前',
      cpuCount: 8,
      memoryBytes: 8589934592,
      firmware: 'uefi',
      secureBoot: true,
      tpm: true,
      disks: [
        {
          diskIndex: 0,
          sizeBytes: 42949672960,
          bus: 'scsi',
          bootOrder: 1,
          vmwareDiskKey: null,
          controller: 'scsi0:1',
          sourceName: 'C:\\vm\\root.vhdx',
        },
        {
          diskIndex: 1,
          sizeBytes: 0,
          bus: 'scsi',
          bootOrder: null,
          vmwareDiskKey: null,
          controller: 'scsi0:2',
          sourceName: 'Disk 3 500.00 GB',
        },
        {
          diskIndex: 2,
          sizeBytes: 0,
          bus: 'scsi',
          bootOrder: null,
          vmwareDiskKey: null,
          controller: 'scsi1:0',
          sourceName: 'C:\\vm\\data.vhdx',
        },
      ],
      nics: [
        { nicIndex: 0, mac: '00:15:5d:01:07:dc', network: 'LAN', model: 'synthetic', addresses: [] },
        { nicIndex: 1, mac: null, network: null, model: 'synthetic', addresses: [] },
      ],
      notes: 'two\nlines',
      devices: [
        { kind: 'shared-disk', description: 'scsi0:1 C:\\vm\\root.vhdx' },
        { kind: 'raw-device', description: 'scsi0:2 Disk 3 500.00 GB' },
        { kind: 'cdrom', description: 'scsi0:3' },
        { kind: 'gpu', description: '\\\\?\\PCI#VEN_10DE' },
        { kind: 'pci-passthrough', description: 'PCIROOT(0)#PCI(0300)' },
      ],
    }),
    told: ['disk:1 SPEC_VALUE_MISSING', 'disk:2 SPEC_VALUE_MISSING', 'backup SPEC_FIELDS_UNKNOWN'],
    unknownFields: ['VM.SomethingNew'],
  });
});

test('what Export-Clixml wrote is read as the JSON of the same VM', () => {
  expect(readExample(vmReader, clixmlVm)).toEqual({
    spec: specOf({
      name: 'mail',
      cpuCount: 4,
      memoryBytes: 4294967296,
      firmware: 'uefi',
      secureBoot: true,
      disks: [
        {
          diskIndex: 0,
          sizeBytes: 0,
          bus: 'scsi',
          bootOrder: null,
          vmwareDiskKey: null,
          controller: 'scsi0:0',
          sourceName: 'C:\\mail.vhdx',
        },
      ],
      nics: [{ nicIndex: 0, mac: '00:15:5d:00:00:01', network: 'LAN', model: 'synthetic', addresses: [] }],
      notes: 'a\nb',
    }),
    told: ['disk:0 SPEC_VALUE_MISSING'],
    unknownFields: [],
  });
});

test('of several VMs the first is taken with a finding, IDE disks come first, and impossible values give findings', () => {
  expect(readExample(vmReader, vmList)).toEqual({
    spec: specOf({
      name: 'web',
      cpuCount: 2,
      memoryBytes: 4294967296,
      disks: [
        {
          diskIndex: 0,
          sizeBytes: 0,
          bus: 'ide',
          bootOrder: null,
          vmwareDiskKey: null,
          controller: 'ide0:0',
          sourceName: 'D:\\web.vhd',
        },
        {
          diskIndex: 1,
          sizeBytes: 0,
          bus: 'scsi',
          bootOrder: null,
          vmwareDiskKey: null,
          controller: 'scsi0:0',
          sourceName: 'D:\\web-data.vhd',
        },
      ],
      nics: [{ nicIndex: 0, mac: null, network: 'LAN', model: 'legacy', addresses: [] }],
      devices: [
        { kind: 'floppy', description: 'D:\\f.vfd' },
        { kind: 'serial-port', description: '\\\\.\\pipe\\web' },
      ],
    }),
    told: [
      'backup SPEC_VM_AMBIGUOUS',
      'backup SPEC_VALUE_INVALID',
      'backup SPEC_VALUE_INVALID',
      'disk:0 SPEC_VALUE_INVALID',
      'disk:1 SPEC_VALUE_MISSING',
      'nic:0 SPEC_VALUE_INVALID',
    ],
    unknownFields: [],
  });
});

test('a VM is found by its id', () => {
  expect(readExample(vmReader, vmList, 'id-db')).toEqual({
    spec: specOf({
      name: 'db',
      cpuCount: 2,
      memoryBytes: 1073741824,
      firmware: 'uefi',
    }),
    told: [],
    unknownFields: [],
  });
});
