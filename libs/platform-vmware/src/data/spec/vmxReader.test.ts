import { declareReaderContract, readExample, specOf } from '@ascend/vm-spec/testing';
import { expect, test } from 'vitest';
import { vmxReader } from './vmxReader.ts';
import { brokenVmx, minimalVmx, richVmx } from './testing/vmxDocuments.ts';

declareReaderContract({
  reader: vmxReader,
  examples: [
    { name: 'brokenVmx', text: brokenVmx },
    { name: 'minimalVmx', text: minimalVmx },
    { name: 'richVmx', text: richVmx },
  ],
});

test('the smallest file gives a VM with one CPU and BIOS', () => {
  expect(readExample(vmxReader, minimalVmx)).toEqual({
    spec: specOf({
      name: 'tiny',
      cpuCount: 1,
      memoryBytes: 268435456,
      osId: 'other',
    }),
    told: [],
    unknownFields: [],
  });
});

test('a file of ESXi gives disks by device key, boot order, interfaces and devices of the host, without those that are not there', () => {
  expect(readExample(vmxReader, richVmx)).toEqual({
    spec: specOf({
      name: 'Größe "A" 名前',
      cpuCount: 8,
      coresPerSocket: 4,
      memoryBytes: 17179869184,
      firmware: 'uefi',
      secureBoot: true,
      tpm: true,
      disks: [
        {
          diskIndex: 0,
          sizeBytes: 0,
          bus: 'pvscsi',
          bootOrder: 1,
          vmwareDiskKey: 2000,
          controller: 'scsi0:0',
          sourceName: 'vm.vmdk',
        },
        {
          diskIndex: 1,
          sizeBytes: 0,
          bus: 'pvscsi',
          bootOrder: 0,
          vmwareDiskKey: 2001,
          controller: 'scsi0:1',
          sourceName: 'vm_1.vmdk',
        },
        {
          diskIndex: 2,
          sizeBytes: 0,
          bus: 'lsilogic-sas',
          bootOrder: null,
          vmwareDiskKey: 2016,
          controller: 'scsi1:0',
          sourceName: 'rdm.vmdk',
        },
        {
          diskIndex: 3,
          sizeBytes: 0,
          bus: 'nvme',
          bootOrder: null,
          vmwareDiskKey: 32000,
          controller: 'nvme0:0',
          sourceName: 'fast.vmdk',
        },
      ],
      nics: [
        { nicIndex: 0, mac: '00:50:56:9a:00:01', network: 'LAN 1', model: 'vmxnet3', addresses: [] },
        { nicIndex: 1, mac: '02:00:00:00:00:0a', network: null, model: 'e1000e', addresses: [] },
      ],
      osId: 'debian-12',
      notes: 'first\nsecond ü',
      cpuArch: 'x86_64',
      devices: [
        { kind: 'shared-disk', description: 'scsi0:1 vm_1.vmdk (multi-writer)' },
        { kind: 'raw-device', description: 'scsi1:0 rdm.vmdk' },
        { kind: 'shared-disk', description: 'scsi1:0 rdm.vmdk (bus physical)' },
        { kind: 'cdrom', description: 'sata0:0 /vmfs/volumes/iso/debian.iso' },
        { kind: 'serial-port', description: 'serial0 console' },
        { kind: 'sound', description: 'hdaudio' },
        { kind: 'usb-passthrough', description: '0x1234:0x5678' },
        { kind: 'gpu', description: 'grid_p40-8q' },
        { kind: 'pci-passthrough', description: 'pcipassthru1 0x10de 0x1eb8 00000:059:00.0' },
      ],
    }),
    told: [
      'disk:0 SPEC_VALUE_MISSING',
      'disk:1 SPEC_VALUE_MISSING',
      'disk:2 SPEC_VALUE_MISSING',
      'disk:3 SPEC_VALUE_MISSING',
      'backup SPEC_FIELDS_UNKNOWN',
    ],
    unknownFields: ['vendor.option'],
  });
});

test('impossible values give findings, and a VM that can be restored', () => {
  expect(readExample(vmxReader, brokenVmx)).toEqual({
    spec: specOf({
      name: 'broken',
      cpuCount: 2,
      memoryBytes: 4294967296,
      disks: [
        {
          diskIndex: 0,
          sizeBytes: 0,
          bus: 'ide',
          bootOrder: null,
          vmwareDiskKey: 3000,
          controller: 'ide0:0',
          sourceName: 'old.vmdk',
        },
      ],
      nics: [{ nicIndex: 0, mac: null, network: 'VMnet2', model: 'vlance', addresses: [] }],
      osId: 'windows-server-2019',
      cpuArch: 'x86_64',
    }),
    told: [
      'backup SPEC_VALUE_INVALID',
      'backup SPEC_VALUE_INVALID',
      'disk:0 SPEC_VALUE_MISSING',
      'nic:0 SPEC_VALUE_INVALID',
    ],
    unknownFields: [],
  });
});
