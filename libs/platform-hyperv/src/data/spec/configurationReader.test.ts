import { declareReaderContract, readExample, specOf } from '@ascend/vm-spec/testing';
import { expect, test } from 'vitest';
import { configurationReader } from './configurationReader.ts';
import {
  jsonConfiguration,
  minimalConfiguration,
  richConfiguration,
} from './testing/configurationDocuments.ts';

declareReaderContract({
  reader: configurationReader,
  examples: [
    { name: 'jsonConfiguration', text: jsonConfiguration },
    { name: 'minimalConfiguration', text: minimalConfiguration },
    { name: 'richConfiguration', text: richConfiguration },
  ],
});

test('the smallest configuration gives a VM of generation 1', () => {
  expect(readExample(configurationReader, minimalConfiguration)).toEqual({
    spec: specOf({
      name: 'tiny',
      cpuCount: 1,
      memoryBytes: 536870912,
    }),
    told: [],
    unknownFields: [],
  });
});

test('a configuration gives IDE disks before SCSI disks, both kinds of interfaces and devices of the host', () => {
  expect(readExample(configurationReader, richConfiguration)).toEqual({
    spec: specOf({
      name: 'alt & gut',
      cpuCount: 2,
      memoryBytes: 2147483648,
      disks: [
        {
          diskIndex: 0,
          sizeBytes: 0,
          bus: 'ide',
          bootOrder: null,
          vmwareDiskKey: null,
          controller: 'ide0:0',
          sourceName: 'C:\\vm\\root.vhd',
        },
        {
          diskIndex: 1,
          sizeBytes: 0,
          bus: 'scsi',
          bootOrder: null,
          vmwareDiskKey: null,
          controller: 'scsi0:0',
          sourceName: '\\\\.\\PHYSICALDRIVE3',
        },
        {
          diskIndex: 2,
          sizeBytes: 0,
          bus: 'scsi',
          bootOrder: null,
          vmwareDiskKey: null,
          controller: 'scsi0:1',
          sourceName: 'C:\\vm\\data.vhdx',
        },
      ],
      nics: [
        { nicIndex: 0, mac: '00:15:5d:01:07:dc', network: 'Größe 名前', model: 'synthetic', addresses: [] },
        { nicIndex: 1, mac: null, network: 'old', model: 'legacy', addresses: [] },
      ],
      notes: 'n',
      devices: [
        { kind: 'cdrom', description: 'ide1:0 C:\\iso\\tools.iso' },
        { kind: 'raw-device', description: 'scsi0:0 \\\\.\\PHYSICALDRIVE3 (physical)' },
        { kind: 'shared-disk', description: 'scsi0:1 C:\\vm\\data.vhdx' },
        { kind: 'serial-port', description: '\\\\.\\pipe\\com1' },
        { kind: 'pci-passthrough', description: '11111111-9256-4f0d-be2c-3a13887f7b03' },
      ],
    }),
    told: [
      'disk:0 SPEC_VALUE_MISSING',
      'disk:1 SPEC_VALUE_MISSING',
      'disk:2 SPEC_VALUE_MISSING',
      'backup SPEC_FIELDS_UNKNOWN',
    ],
    unknownFields: ['configuration.newcomer.@type', 'configuration.newcomer.#text'],
  });
});

test('the same tree as JSON is read, and impossible values give findings', () => {
  expect(readExample(configurationReader, jsonConfiguration)).toEqual({
    spec: specOf({
      name: 'new',
      cpuCount: 2,
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
          sourceName: 'C:\\Fake\\Path\\scsi.vhdx',
        },
      ],
    }),
    told: ['backup SPEC_VALUE_MISSING', 'backup SPEC_VALUE_INVALID', 'disk:0 SPEC_VALUE_MISSING'],
    unknownFields: [],
  });
});
