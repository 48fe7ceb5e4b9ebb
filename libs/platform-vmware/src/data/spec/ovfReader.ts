import type { Firmware } from '@ascend/domain';
import { makeReader, parseXml, selectVm, type SpecDraft, type SpecNode } from '@ascend/vm-spec';
import { archOfGuest, canonicalOs, osOfCimNumber } from './guestOs.ts';
import { hasTpm, readDevices, readNics } from './ovfDevices.ts';
import { readDiskFiles, readDisks } from './ovfDisks.ts';
import { readItems, unitBytes, type OvfItem } from './ovfItem.ts';
import { readMachine } from './ovfMachine.ts';

const namespace =
  /http:\/\/(?:schemas\.dmtf\.org\/ovf\/(?:envelope\/)?\d|www\.vmware\.com\/schema\/ovf\/1\/envelope)/;

/** Sections that say nothing about the hardware of a new VM: licences, properties of the software, start order. */
const otherSections = [
  '@id',
  '@required',
  'Info',
  'Name',
  'AnnotationSection',
  'EulaSection',
  'InstallSection',
  'ProductSection',
  'ResourceAllocationSection',
  'StartupSection',
];

function systemsOf(parent: SpecNode): readonly SpecNode[] {
  const nested = parent.child('VirtualSystemCollection').items();
  for (const collection of nested) collection.ignoring(...otherSections);
  return [...parent.child('VirtualSystem').items(), ...nested.flatMap(systemsOf)];
}

/** The deployment option that counts when none is chosen: the default, else the first. */
function defaultConfiguration(envelope: SpecNode): string | null {
  const section = envelope.child('DeploymentOptionSection');
  const options = section.child('Configuration').items();
  const chosen = options.find((option) => option.child('@default').boolean() === true) ?? options[0];
  const id = chosen?.child('@id').text() ?? null;
  section.ignore();
  return id;
}

// Settings of vmw:Config and vmw:ExtraConfig that only steer the old host.
const hostSettings =
  /^(?:cpuHot|memoryHot|nestedHV|tools\.|powerOpInfo\.|virtual(?:ICH7M|SMC)|(?:cpu|memory)Allocation|simultaneousThreads|bootOptions\.|flags\.|nvram|pciBridge|hpet|svga|virtualHW|viv\.|vmci|migrate|sched\.|vmware\.tools|guestinfo\.)/i;

function readSettings(hardware: SpecNode): ReadonlyMap<string, string> {
  const settings = new Map<string, string>();
  const nodes = [...hardware.child('Config').items(), ...hardware.child('ExtraConfig').items()];
  for (const node of nodes) {
    node.ignoring('@required');
    const key = node.child('@key').text()?.toLowerCase() ?? '';
    if (/^firmware$|secureboot/.test(key)) settings.set(key, node.child('@value').text() ?? '');
    else if (hostSettings.test(key)) node.ignore();
  }
  return settings;
}

function firmwareOf(settings: ReadonlyMap<string, string>): Firmware | null {
  const told = settings.get('firmware')?.toLowerCase();
  if (told === undefined) return null;
  return told === 'efi' || told === 'uefi' ? 'uefi' : 'bios';
}

function isSecure(settings: ReadonlyMap<string, string>): boolean {
  const told = settings.get('bootoptions.efisecurebootenabled') ?? settings.get('uefi.secureboot.enabled');
  return told?.toLowerCase() === 'true';
}

interface Os {
  readonly osId: string | null;
  readonly cpuArch: string | null;
}

function readOs(system: SpecNode): Os {
  const section = system.child('OperatingSystemSection');
  section.ignoring('Info', '@required', '@version');
  section.child('OSType').ignoring('@required');
  const ids = [section.child('@osType').text(), section.child('OSType').text()].filter((id) => id !== null);
  const number = section.child('@id').text() ?? '';
  const description = section.child('Description').text();
  const known = ids.map(canonicalOs).find((id) => id !== null) ?? osOfCimNumber(number);
  return {
    osId: known ?? ids[0] ?? description,
    cpuArch: ids.map(archOfGuest).find((arch) => arch !== null) ?? null,
  };
}

/** Instance ids of the disks in boot order (`vmw:BootOrderSection` of vSphere). */
function readBootOrder(system: SpecNode): readonly string[] {
  return system
    .child('BootOrderSection')
    .items()
    .flatMap((section) => {
      section.ignoring('Info', '@required');
      const ids = section.child('@instanceId').text()?.split(/\s+/) ?? [];
      return section.child('@type').text() === 'disk' ? ids : [];
    });
}

function memoryBytes(items: readonly OvfItem[]): number | null {
  const memory = items.find(({ type }) => type === 4);
  if (memory === undefined || memory.quantity === null) return null;
  // Writers that name no unit mean MiB, as all the samples of the standard do.
  const unit = memory.units === null ? 2 ** 20 : unitBytes(memory.units);
  return unit === null ? null : memory.quantity * unit;
}

function draftOf(envelope: SpecNode, system: SpecNode): SpecDraft {
  const name = system.child('Name').text() ?? system.child('@id').text();
  const notes = system.child('AnnotationSection', 'Annotation').text();
  system.ignoring(...otherSections);
  const hardware =
    system.child('VirtualHardwareSection').items()[0] ?? system.child('VirtualHardwareSection');
  hardware.ignoring('Info', '@required', '@id', '@transport');
  const systemType = hardware.child('System', 'VirtualSystemType').text() ?? '';
  hardware.ignoring('System');
  const items = readItems(hardware, defaultConfiguration(envelope));
  const settings = readSettings(hardware);
  const machine = readMachine(system.child('Machine'));
  const cpu = items.find(({ type }) => type === 3);
  cpu?.node.child('CoresPerSocket').ignoring('@required');
  return {
    name,
    cpuCount: cpu?.quantity ?? null,
    coresPerSocket: cpu?.node.child('CoresPerSocket').number() ?? null,
    memoryBytes: memoryBytes(items),
    firmware: firmwareOf(settings) ?? machine.firmware,
    secureBoot: isSecure(settings),
    tpm: hasTpm(items) || machine.tpm,
    disks: readDisks({
      items,
      files: readDiskFiles(envelope),
      bootOrder: readBootOrder(system),
      hasDeviceKeys: /vmx-\d/.test(systemType),
    }),
    nics: readNics(items, machine.macs),
    ...readOs(system),
    notes: notes ?? machine.notes,
    clock: machine.clock,
    devices: readDevices(items),
  };
}

/**
 * OVF 1.x and 2.x descriptors (DMTF DSP0243) with the extensions of vSphere (`vmw:`) and the section of VirtualBox (`vbox:Machine`). Several
 * VMs in collections are chosen by name or id.
 */
export const ovfReader = makeReader({
  format: 'ovf',
  // Every hypervisor writes it.
  platform: null,
  recognise: ({ text }) => {
    const head = text.slice(0, 65_536);
    const found = /<(?:\w+:)?Envelope[\s>]/.test(head) ? namespace.exec(head)?.[0] : undefined;
    return found === undefined ? null : `root element Envelope of ${found}`;
  },
  parse: parseXml,
  draft: (root, selector) => {
    const envelope = root.child('Envelope');
    envelope.ignoring('@lang', '@version', '@id', '@schemaLocation', '@buildId', 'Strings', 'NetworkSection');
    const { vm, findings } = selectVm(
      'ovf',
      selector,
      systemsOf(envelope).map((system) => ({
        node: system,
        names: [system.child('@id').text(), system.child('Name').text()],
      })),
    );
    return { draft: draftOf(envelope, vm), findings };
  },
});
