import { declareReaderContract, readExample, specOf } from '@ascend/vm-spec/testing';
import { expect, test } from 'vitest';
import { ovfReader } from './ovfReader.ts';
import { boxOvf, collectionOvf, minimalOvf, richOvf } from './testing/ovfDocuments.ts';

declareReaderContract({
  reader: ovfReader,
  examples: [
    { name: 'boxOvf', text: boxOvf },
    { name: 'collectionOvf', text: collectionOvf },
    { name: 'minimalOvf', text: minimalOvf },
    { name: 'richOvf', text: richOvf },
  ],
});

test('the smallest descriptor gives a VM, and tells that it names no firmware', () => {
  expect(readExample(ovfReader, minimalOvf)).toEqual({
    spec: specOf({
      name: 'tiny',
      cpuCount: 1,
      memoryBytes: 536870912,
    }),
    told: ['backup SPEC_VALUE_MISSING'],
    unknownFields: [],
  });
});

test('a descriptor of vSphere gives firmware, TPM, disks by device key, boot order, and the hardware of the default deployment option', () => {
  expect(readExample(ovfReader, richOvf)).toEqual({
    spec: specOf({
      name: 'Größe & 名前',
      cpuCount: 8,
      coresPerSocket: 4,
      memoryBytes: 17179869184,
      firmware: 'uefi',
      secureBoot: true,
      tpm: true,
      disks: [
        {
          diskIndex: 0,
          sizeBytes: 42949672960,
          bus: 'pvscsi',
          bootOrder: 0,
          vmwareDiskKey: 2000,
          controller: 'scsi0:0',
          sourceName: 'größe-disk1.vmdk',
        },
        {
          diskIndex: 1,
          sizeBytes: 67108864,
          bus: 'lsilogic-sas',
          bootOrder: 1,
          vmwareDiskKey: 2018,
          controller: 'scsi1:2',
          sourceName: 'größe-disk2.vmdk',
        },
        {
          diskIndex: 2,
          sizeBytes: 0,
          bus: 'nvme',
          bootOrder: null,
          vmwareDiskKey: 32000,
          controller: 'nvme0:0',
          sourceName: 'vmdisk3',
        },
      ],
      nics: [
        { nicIndex: 0, mac: null, network: 'LAN', model: 'vmxnet3', addresses: [] },
        { nicIndex: 1, mac: '00:50:56:ab:cd:01', network: 'LAN', model: 'e1000e', addresses: [] },
      ],
      osId: 'windows-server-2022',
      notes: 'two\nlines',
      cpuArch: 'x86_64',
      devices: [
        { kind: 'cdrom', description: 'CD/DVD drive 1, vmware.cdrom.remotepassthrough' },
        { kind: 'pci-passthrough', description: 'PCI device 0, vmware.pcipassthrough' },
      ],
    }),
    told: ['disk:2 SPEC_VALUE_MISSING', 'backup SPEC_FIELDS_UNKNOWN'],
    unknownFields: ['Envelope.VirtualSystem.VirtualHardwareSection.ExtraConfig[1].@value'],
  });
});

test('a descriptor of VirtualBox gives firmware, TPM, clock and MAC addresses of its own section, and no device keys', () => {
  expect(readExample(ovfReader, boxOvf)).toEqual({
    spec: specOf({
      name: 'box',
      cpuCount: 2,
      memoryBytes: 2147483648,
      firmware: 'uefi',
      tpm: true,
      disks: [
        {
          diskIndex: 0,
          sizeBytes: 8589934592,
          bus: 'ahci',
          bootOrder: null,
          vmwareDiskKey: null,
          controller: 'sata0:0',
          sourceName: 'box-disk001.vmdk',
        },
      ],
      nics: [{ nicIndex: 0, mac: '08:00:27:aa:bb:cc', network: 'NAT', model: 'e1000', addresses: [] }],
      osId: 'debian-12',
      notes: 'built by hand',
      cpuArch: 'x86_64',
      clock: 'utc',
      devices: [{ kind: 'sound', description: 'ensoniq1371' }],
    }),
    told: [],
    unknownFields: [],
  });
});

test('of several VMs the first is taken with a finding when none is asked for', () => {
  expect(readExample(ovfReader, collectionOvf)).toEqual({
    spec: specOf({
      name: 'web',
      cpuCount: 1,
      memoryBytes: 1073741824,
    }),
    told: ['backup SPEC_VM_AMBIGUOUS', 'backup SPEC_VALUE_MISSING'],
    unknownFields: [],
  });
});

test('a VM of a nested collection is found by its name, with the storage and port items of OVF 2', () => {
  expect(readExample(ovfReader, collectionOvf, 'Datenbank')).toEqual({
    spec: specOf({
      name: 'Datenbank',
      cpuCount: 4,
      memoryBytes: 8589934592,
      disks: [
        {
          diskIndex: 0,
          sizeBytes: 5000000000,
          bus: 'lsilogic',
          bootOrder: null,
          vmwareDiskKey: null,
          controller: 'scsi0:0',
          sourceName: 'db.vmdk',
        },
      ],
      nics: [{ nicIndex: 0, mac: '02:00:00:00:00:09', network: 'back', model: 'pcnet32', addresses: [] }],
      osId: 'rhel',
    }),
    told: ['backup SPEC_VALUE_MISSING'],
    unknownFields: [],
  });
});
