import { declareReaderContract, readExample, specOf } from '@ascend/vm-spec/testing';
import { expect, test } from 'vitest';
import { domainReader } from './domainReader.ts';
import { domainList, minimalDomain, richDomain, snapshotDomain } from './testing/domainDocuments.ts';

declareReaderContract({
  reader: domainReader,
  examples: [
    { name: 'domainList', text: domainList },
    { name: 'minimalDomain', text: minimalDomain },
    { name: 'richDomain', text: richDomain },
    { name: 'snapshotDomain', text: snapshotDomain },
  ],
});

test('the smallest domain gives a VM with one CPU and BIOS', () => {
  expect(readExample(domainReader, minimalDomain)).toEqual({
    spec: specOf({
      name: 'tiny',
      cpuCount: 1,
      memoryBytes: 134217728,
    }),
    told: [],
    unknownFields: [],
  });
});

test('a domain gives disks in the order of the document with bus and controller, interfaces and devices of the host', () => {
  expect(readExample(domainReader, richDomain)).toEqual({
    spec: specOf({
      name: 'größe-名前',
      cpuCount: 4,
      coresPerSocket: 4,
      memoryBytes: 8589934592,
      firmware: 'uefi',
      secureBoot: true,
      tpm: true,
      disks: [
        {
          diskIndex: 0,
          sizeBytes: 0,
          bus: 'virtio-blk',
          bootOrder: 1,
          vmwareDiskKey: null,
          controller: 'vda',
          sourceName: '/var/lib/img/root.qcow2',
        },
        {
          diskIndex: 1,
          sizeBytes: 0,
          bus: 'virtio-scsi',
          bootOrder: 2,
          vmwareDiskKey: null,
          controller: 'scsi1:0:0:3',
          sourceName: 'fast/data',
        },
        {
          diskIndex: 2,
          sizeBytes: 0,
          bus: 'lsilogic',
          bootOrder: null,
          vmwareDiskKey: null,
          controller: 'scsi0:0:0:1',
          sourceName: '/dev/mapper/lun1',
        },
        {
          diskIndex: 3,
          sizeBytes: 0,
          bus: 'nvme',
          bootOrder: null,
          vmwareDiskKey: null,
          controller: 'nvme0n1',
          sourceName: 'pool/image',
        },
      ],
      nics: [
        { nicIndex: 0, mac: '52:54:00:aa:bb:01', network: 'default', model: 'virtio', addresses: [] },
        {
          nicIndex: 1,
          mac: '52:54:00:aa:bb:02',
          network: 'br0',
          model: 'e1000e',
          addresses: ['10.0.0.5/24'],
        },
        { nicIndex: 2, mac: '52:54:00:aa:bb:03', network: null, model: null, addresses: [] },
      ],
      osId: 'rhel-9',
      notes: 'Shop & more\n\nkeeps the shop',
      cpuArch: 'x86_64',
      clock: 'local-time',
      devices: [
        { kind: 'cdrom', description: 'sata0:0:0:0' },
        { kind: 'shared-disk', description: 'scsi1:0:0:3 fast/data' },
        { kind: 'raw-device', description: 'scsi0:0:0:1 /dev/mapper/lun1' },
        { kind: 'serial-port', description: 'serial pty' },
        { kind: 'sound', description: 'sound ich9' },
        { kind: 'watchdog', description: 'watchdog itco' },
        { kind: 'other', description: 'shared folder /srv/share as share' },
        { kind: 'pci-passthrough', description: 'nic 0000:07:10.1' },
        { kind: 'pci-passthrough', description: '0000:3b:00.0' },
        { kind: 'usb-passthrough', description: '0x1234:0x5678' },
        { kind: 'gpu', description: 'mediated device vfio-pci c2177883-f1bb-47f0-914d-32a22e3a8804' },
        { kind: 'other', description: 'memory encryption sev' },
      ],
    }),
    told: [
      'disk:0 SPEC_VALUE_MISSING',
      'disk:1 SPEC_VALUE_MISSING',
      'disk:2 SPEC_VALUE_MISSING',
      'disk:3 SPEC_VALUE_MISSING',
      'backup SPEC_FIELDS_UNKNOWN',
    ],
    unknownFields: ['domain.commandline.arg.@value'],
  });
});

test('the domain of a snapshot gives a VM with the boot order of the machine, and impossible values give findings', () => {
  expect(readExample(domainReader, snapshotDomain)).toEqual({
    spec: specOf({
      name: 'old',
      cpuCount: 2,
      memoryBytes: 4294967296,
      disks: [
        {
          diskIndex: 0,
          sizeBytes: 0,
          bus: 'ide',
          bootOrder: 2,
          vmwareDiskKey: null,
          controller: 'hda',
          sourceName: '/old.qcow2',
        },
      ],
      nics: [{ nicIndex: 0, mac: null, network: 'user', model: 'rtl8139', addresses: [] }],
      osId: 'windows-server-2008-r2',
      cpuArch: 'i686',
      clock: 'utc',
      devices: [{ kind: 'floppy', description: 'fda /a.img' }],
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

test('of several domains the first is taken with a finding when none is asked for', () => {
  expect(readExample(domainReader, domainList)).toEqual({
    spec: specOf({
      name: 'a',
      cpuCount: 1,
      memoryBytes: 1073741824,
      firmware: 'uefi',
      cpuArch: 'aarch64',
    }),
    told: ['backup SPEC_VM_AMBIGUOUS'],
    unknownFields: [],
  });
});

test('a domain is found by its UUID', () => {
  expect(readExample(domainReader, domainList, 'u-b')).toEqual({
    spec: specOf({
      name: 'b',
      cpuCount: 2,
      memoryBytes: 2000000000,
    }),
    told: ['backup SPEC_FIELDS_UNKNOWN'],
    unknownFields: ['domains.domain[1].unheardOf'],
  });
});
