import { disksPerController, type VmDescription } from './vmDescription.ts';
import { element, type XmlLines } from './xml.ts';

/** How a disk file is named and what the descriptor calls its format. */
export interface OvfDiskFormat {
  readonly extension: string;
  readonly uri: string;
}

/** The format that importers of appliances expect: a VMDK that can be read as a stream. Source: ovf:format of ovftool's packages, 2026-07. */
export const streamOptimizedFormat: OvfDiskFormat = {
  extension: 'vmdk',
  uri: 'http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized',
};

/** A disk file of the package. */
export interface OvfFile {
  readonly name: string;
  readonly sizeBytes: number;
}

const ovfSpace = 'http://schemas.dmtf.org/ovf/envelope/1';
const cimSpace = 'http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2';
const mib = 1024 * 1024;

// Resource types of CIM_ResourceAllocationSettingData, DSP8026.
const resourceType = { cpu: 3, memory: 4, scsi: 6, nic: 10, disk: 17 } as const;

/** A hardware item. OVF 1.x wants the children in alphabetical order (xs:sequence of CIM_ResourceAllocationSettingData). */
function item(fields: Readonly<Record<string, string | number>>, extra: readonly XmlLines[] = []): XmlLines {
  const children = Object.keys(fields)
    .sort()
    .map((name) => element(`rasd:${name}`, {}, fields[name] ?? ''));
  return element('Item', {}, [...children, ...extra]);
}

function controllerId(index: number): number {
  return 3 + index;
}

function processorItems(vm: VmDescription): XmlLines[] {
  const cores =
    vm.coresPerSocket === null
      ? []
      : [element('vmw:CoresPerSocket', { 'ovf:required': 'false' }, vm.coresPerSocket)];
  return [
    item(
      {
        AllocationUnits: 'hertz * 10^6',
        Description: 'Number of virtual CPUs',
        ElementName: `${vm.cpuCount} virtual CPUs`,
        InstanceID: 1,
        ResourceType: resourceType.cpu,
        VirtualQuantity: vm.cpuCount,
      },
      cores,
    ),
    item({
      AllocationUnits: 'byte * 2^20',
      Description: 'Memory size',
      ElementName: `${vm.memoryBytes / mib} MiB of memory`,
      InstanceID: 2,
      ResourceType: resourceType.memory,
      VirtualQuantity: vm.memoryBytes / mib,
    }),
  ];
}

function diskItems(vm: VmDescription): XmlLines[] {
  const controllers = Math.ceil(vm.disks.length / disksPerController);
  const buses = Array.from({ length: controllers }, (_, bus) =>
    item({
      Address: bus,
      Description: 'SCSI controller',
      ElementName: `SCSI controller ${bus}`,
      InstanceID: controllerId(bus),
      ResourceSubType: vm.scsiModel,
      ResourceType: resourceType.scsi,
    }),
  );
  const drives = vm.disks.map((_, index) => {
    const place = index % disksPerController;
    return item({
      // The controller itself has address 7.
      AddressOnParent: place < 7 ? place : place + 1,
      ElementName: `Hard disk ${index + 1}`,
      HostResource: `ovf:/disk/vmdisk${index + 1}`,
      InstanceID: 10 + index,
      Parent: controllerId(Math.floor(index / disksPerController)),
      ResourceType: resourceType.disk,
    });
  });
  return [...buses, ...drives];
}

function nicItems(vm: VmDescription): XmlLines[] {
  return vm.nics.map(({ network, mac, model }, index) =>
    item({
      ...(mac === null ? {} : { Address: mac.toLowerCase() }),
      AddressOnParent: 7 + index,
      AutomaticAllocation: 'true',
      Connection: network,
      ElementName: `Network adapter ${index + 1}`,
      InstanceID: 100 + index,
      ResourceSubType: model,
      ResourceType: resourceType.nic,
    }),
  );
}

function config(key: string, value: string): XmlLines {
  return element('vmw:Config', { 'ovf:required': 'false', 'vmw:key': key, 'vmw:value': value });
}

function hardware(vm: VmDescription): XmlLines {
  const system = element('System', {}, [
    element('vssd:ElementName', {}, 'Virtual hardware family'),
    element('vssd:InstanceID', {}, 0),
    element('vssd:VirtualSystemIdentifier', {}, vm.name),
    element('vssd:VirtualSystemType', {}, vm.systemType),
  ]);
  return element('VirtualHardwareSection', {}, [
    element('Info', {}, 'Virtual hardware'),
    system,
    ...processorItems(vm),
    ...diskItems(vm),
    ...nicItems(vm),
    config('firmware', vm.firmware === 'uefi' ? 'efi' : 'bios'),
    ...(vm.secureBoot ? [config('bootOptions.efiSecureBootEnabled', 'true')] : []),
  ]);
}

function networkSection(vm: VmDescription): XmlLines[] {
  const names = [...new Set(vm.nics.map(({ network }) => network))];
  if (names.length === 0) return [];
  const networks = names.map((name) =>
    element('Network', { 'ovf:name': name }, [element('Description', {}, `The network ${name}`)]),
  );
  return [element('NetworkSection', {}, [element('Info', {}, 'Logical networks'), ...networks])];
}

function virtualSystem(vm: VmDescription): XmlLines {
  const { cimId, guestId, description } = vm.os;
  const os = { 'ovf:id': cimId, ...(guestId === null ? {} : { 'vmw:osType': guestId }) };
  const notes =
    vm.notes === null
      ? []
      : [
          element('AnnotationSection', {}, [
            element('Info', {}, 'Notes'),
            element('Annotation', {}, vm.notes),
          ]),
        ];
  return element('VirtualSystem', { 'ovf:id': vm.name }, [
    element('Info', {}, 'A virtual machine'),
    element('Name', {}, vm.name),
    ...notes,
    element('OperatingSystemSection', os, [
      element('Info', {}, 'The guest operating system'),
      element('Description', {}, description),
    ]),
    hardware(vm),
  ]);
}

/**
 * The descriptor of a package (OVF 1.1, DMTF DSP0243, sections in the order of its schema). `files` has one entry for each disk, in order.
 * Danger: check the description first (`checkVmDescription`).
 */
export function ovfDescriptor(vm: VmDescription, files: readonly OvfFile[], format: OvfDiskFormat): string {
  const references = files.map(({ name, sizeBytes }, index) =>
    element('File', { 'ovf:href': name, 'ovf:id': `file${index + 1}`, 'ovf:size': sizeBytes }),
  );
  const disks = vm.disks.map(({ sizeBytes }, index) =>
    element('Disk', {
      'ovf:capacity': sizeBytes,
      'ovf:capacityAllocationUnits': 'byte',
      'ovf:diskId': `vmdisk${index + 1}`,
      'ovf:fileRef': `file${index + 1}`,
      'ovf:format': format.uri,
    }),
  );
  const spaces = {
    xmlns: ovfSpace,
    'xmlns:ovf': ovfSpace,
    'xmlns:rasd': `${cimSpace}/CIM_ResourceAllocationSettingData`,
    'xmlns:vssd': `${cimSpace}/CIM_VirtualSystemSettingData`,
    'xmlns:vmw': 'http://www.vmware.com/schema/ovf',
  };
  const envelope = element('Envelope', spaces, [
    element('References', {}, references),
    element('DiskSection', {}, [element('Info', {}, 'Virtual disks'), ...disks]),
    ...networkSection(vm),
    virtualSystem(vm),
  ]);
  return `<?xml version="1.0" encoding="UTF-8"?>\n${envelope.join('\n')}\n`;
}
