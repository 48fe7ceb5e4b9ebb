import type { VmDevice } from '@ascend/domain';
import {
  makeReader,
  noSuchVm,
  parseJson,
  parseXml,
  type DraftDisk,
  type DraftNic,
  type SpecDraft,
  type SpecNode,
} from '@ascend/vm-spec';

// Kinds of devices in the manifest, and the sections that are called like them. Read in published code that writes or reads configurations, 2026-11-21.
const ideController = '83f8638b-8dca-4152-9eda-2ca8b33039b4';
const floppyController = '8f0d2762-0b00-4e04-af4f-19010527cb93';
const bios = 'ac6b8dc1-3257-4a70-b1b2-a9c9215659ad';
const syntheticNic = '2fc216b0-d2e2-4967-9b6d-b8a5c9ca2778';
const passthroughPort = '2fcc454e-a36a-4c77-bb5e-a2d75a51f02c';
const serialPorts = '8e3a359f-559a-4b6a-98a9-1690a6100ed7';

interface Section {
  /** Lower case. */
  readonly instance: string;
  /** Of the manifest; the instance where that does not tell. */
  readonly device: string;
  readonly node: SpecNode;
}

function readManifest(configuration: SpecNode): ReadonlyMap<string, string> {
  const manifest = configuration.child('manifest');
  const devices = new Map<string, string>();
  for (const name of manifest.names()) {
    const entry = manifest.child(name);
    const instance = entry.child('instance').text()?.toLowerCase();
    if (instance !== undefined)
      devices.set(instance, entry.child('device').text()?.toLowerCase() ?? instance);
  }
  manifest.ignore();
  return devices;
}

function sectionsOf(configuration: SpecNode, manifest: ReadonlyMap<string, string>): readonly Section[] {
  return configuration.names().flatMap((name) => {
    const instance = /^_([0-9a-f]{8}-[0-9a-f-]{27})_$/i.exec(name)?.[1]?.toLowerCase();
    if (instance === undefined) return [];
    return [{ instance, device: manifest.get(instance) ?? instance, node: configuration.child(name) }];
  });
}

function numbered(
  node: SpecNode,
  prefix: string,
): readonly { readonly number: number; readonly node: SpecNode }[] {
  return node
    .names()
    .filter((name) => name.startsWith(prefix) && /^\d{1,3}$/.test(name.slice(prefix.length)))
    .map((name) => ({ number: Number(name.slice(prefix.length)), node: node.child(name) }))
    .toSorted((a, b) => a.number - b.number);
}

interface Drives {
  readonly disks: readonly DraftDisk[];
  readonly devices: readonly VmDevice[];
}

/** Drives of one controller section. `scsiNumber`: which SCSI controller it is, null = the IDE one, whose channels are `controllerN`. */
function readController(section: SpecNode, scsiNumber: number | null): Drives {
  const disks: DraftDisk[] = [];
  const devices: VmDevice[] = [];
  for (const channel of numbered(section, 'controller')) {
    for (const drive of numbered(channel.node, 'drive')) {
      const type = drive.node.child('type').text()?.toLowerCase() ?? 'none';
      const path = drive.node.child('pathname').text();
      const bus = scsiNumber === null ? 'ide' : 'scsi';
      const controller = `${bus}${scsiNumber ?? channel.number}:${drive.number}`;
      const description = `${controller} ${path ?? ''}`.trim();
      const isShared = drive.node.child('persistent_reservations_supported').boolean() === true;
      if (type === 'iso') devices.push({ kind: 'cdrom', description });
      else if (type === 'vfd' && path !== null) devices.push({ kind: 'floppy', description: path });
      else if (type !== 'none' && type !== 'vfd') {
        if (type !== 'vhd') devices.push({ kind: 'raw-device', description: `${description} (${type})` });
        if (isShared) devices.push({ kind: 'shared-disk', description });
        disks.push({ sizeBytes: null, bus, controller, sourceName: path });
      }
    }
  }
  return { disks, devices };
}

function readDrives(sections: readonly Section[]): Drives {
  const storage = sections.filter(({ node }) => node.names().some((name) => /^controller\d/.test(name)));
  const ide = storage.filter(({ device }) => device === ideController || device === floppyController);
  const scsi = storage.filter((section) => !ide.includes(section));
  const all = [
    ...ide.map(({ node }) => readController(node, null)),
    ...scsi.map(({ node }, index) => readController(node, index)),
  ];
  return { disks: all.flatMap(({ disks }) => disks), devices: all.flatMap(({ devices }) => devices) };
}

function readNics(sections: readonly Section[]): readonly DraftNic[] {
  return sections
    .filter(({ node }) => node.child('MacAddress').exists)
    .map(({ node, device }) => {
      const mac = node.child('MacAddress').text();
      return {
        mac: mac !== null && /^[0:-]+$/.test(mac) ? null : mac,
        network: node.child('Connection', 'AltSwitchName').text() ?? node.child('SwitchName').text(),
        model: device === syntheticNic ? 'synthetic' : 'legacy',
      };
    });
}

function readSerialPorts(sections: readonly Section[]): readonly VmDevice[] {
  const ports = sections.filter(({ device }) => device === serialPorts);
  return ports.flatMap(({ node }) =>
    numbered(node, 'port').flatMap((port): VmDevice[] => {
      const pipe = port.node.child('connection').text();
      return pipe === null ? [] : [{ kind: 'serial-port', description: pipe }];
    }),
  );
}

function draftOf(configuration: SpecNode): SpecDraft {
  const manifest = readManifest(configuration);
  const sections = sectionsOf(configuration, manifest);
  const properties = configuration.child('properties');
  const settings = configuration.child('settings');
  const subtype = properties.child('subtype').number();
  const drives = readDrives(sections);
  const firmware = sections.find(({ device }) => device === bios)?.node;
  const ports = [...manifest].filter(([, device]) => device === passthroughPort);
  const mebibytes = settings.child('memory', 'bank', 'size').number();
  const draft: SpecDraft = {
    name: properties.child('name').text(),
    cpuCount: settings.child('processors', 'count').number(),
    memoryBytes: mebibytes === null ? null : mebibytes * 2 ** 20,
    // Hosts before generation 2 wrote no subtype.
    firmware: subtype === 1 ? 'uefi' : 'bios',
    secureBoot: subtype === 1 && firmware?.child('secure_boot_enabled').boolean() === true,
    disks: drives.disks,
    nics: readNics(sections),
    notes: properties.child('notes').text(),
    devices: [
      ...drives.devices,
      ...readSerialPorts(sections),
      ...ports.map(([instance]): VmDevice => ({ kind: 'pci-passthrough', description: instance })),
    ],
  };
  for (const { node } of sections) node.ignore();
  configuration.ignoring('global_settings', 'properties', 'savedstate', 'settings');
  return draft;
}

/**
 * The configuration of a VM: the XML of exports up to 2012 R2, and the same tree as JSON, as tools make it of a VMCX file. Sizes of disks and the
 * TPM are not in it.
 */
export const configurationReader = makeReader({
  format: 'hyperv-configuration',
  platform: 'hyperv',
  recognise: ({ text }) => {
    const head = text.slice(0, 4096);
    const isXml =
      /<configuration[\s>]/.test(head) && /<(?:manifest|properties|global_settings)[\s>]/.test(text);
    const isJson =
      /^\uFEFF?\s*\{\s*"configuration"\s*:/.test(head) && /"(?:manifest|global_settings)"/.test(text);
    if (isXml) return 'root element configuration with manifest or properties';
    return isJson ? 'the member configuration with a manifest' : null;
  },
  parse: (document) => (/^\uFEFF?\s*</.test(document.text) ? parseXml(document) : parseJson(document)),
  draft: (root, selector) => {
    const configuration = root.child('configuration');
    const names = ['name', 'global_id'].map((name) => configuration.child('properties', name).text());
    const told = names.filter((name) => name !== null);
    if (!configuration.exists || (selector !== null && !told.includes(selector)))
      throw noSuchVm('hyperv-configuration', selector, told);
    return { draft: draftOf(configuration), findings: [] };
  },
});
