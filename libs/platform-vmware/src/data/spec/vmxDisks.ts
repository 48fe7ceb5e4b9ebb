import type { VmDevice } from '@ascend/domain';
import type { DraftDisk, SpecNode } from '@ascend/vm-spec';
import {
  addressText,
  busOf,
  byAddress,
  diskKeyOf,
  type ControllerKind,
  type DiskAddress,
} from './diskAddress.ts';

/** Disks and what else hangs on the disk controllers of a VMX file. */
export interface VmxStorage {
  /** In the order of the device keys. Sizes are not in the file. */
  readonly disks: readonly DraftDisk[];
  readonly devices: readonly VmDevice[];
}

interface Slot {
  readonly name: string;
  readonly node: SpecNode;
  readonly address: DiskAddress;
}

const kinds: Readonly<Record<string, ControllerKind>> = {
  scsi: 'scsi',
  ide: 'ide',
  sata: 'sata',
  nvme: 'nvme',
};

const hostSettings = [
  'ctkenabled',
  'clientdevice',
  'startconnected',
  'autodetect',
  'allowguestconnectioncontrol',
  'redo',
  'throughputcap',
  'shares',
  'mode',
  'writethrough',
  'pcislotnumber',
  'sasid',
  'sched.shares',
  'sched.throughputcap',
  'exclusive',
  'uuid',
];

function slotsOf(root: SpecNode): readonly Slot[] {
  return root.names().flatMap((name) => {
    const [, kind = '', bus, unit] = /^(scsi|ide|sata|nvme)(\d{1,2}):(\d{1,3})$/.exec(name) ?? [];
    const known = kinds[kind];
    if (known === undefined) return [];
    return [{ name, node: root.child(name), address: { kind: known, bus: Number(bus), unit: Number(unit) } }];
  });
}

function isOptical(type: string, fileName: string): boolean {
  return /cdrom/.test(type) || /\.iso$/i.test(fileName);
}

/** Boot order of the disks by `bios.hddorder = "scsi0:1,scsi0:0"`. */
function bootOrderOf(root: SpecNode): readonly string[] {
  const bios = root.child('bios');
  bios.ignoring('bootorder', 'bootdelay', 'bootretry.enabled', 'bootretry.delay', 'forcesetuponce');
  return (bios.child('hddorder').text() ?? '').toLowerCase().split(/\s*,\s*/);
}

function sharingOf(slot: SpecNode, controller: SpecNode): string | null {
  const sharing = slot.child('sharing').text()?.toLowerCase() ?? 'sharing-none';
  const bus = controller.child('sharedbus').text()?.toLowerCase() ?? 'none';
  if (bus !== 'none') return `bus ${bus}`;
  return sharing === 'multi-writer' ? sharing : null;
}

function readDisk({ name, node, address }: Slot, root: SpecNode, order: readonly string[]): VmxStorage {
  const controller = root.child(`${address.kind}${address.bus}`);
  const sourceName = node.child('filename').text();
  const description = `${name} ${sourceName ?? ''}`.trim();
  const isRaw = node.child('devicetype').text()?.toLowerCase() === 'rawdisk';
  const sharing = sharingOf(node, controller);
  const place = order.indexOf(name);
  const disk: DraftDisk = {
    sizeBytes: null,
    // The platform's default where the file names no model.
    bus: busOf(address.kind, controller.child('virtualdev').text() ?? 'lsilogic'),
    controller: addressText(address),
    sourceName,
    bootOrder: place === -1 ? null : place,
    vmwareDiskKey: diskKeyOf(address),
  };
  const devices: VmDevice[] = isRaw ? [{ kind: 'raw-device', description }] : [];
  if (sharing !== null) devices.push({ kind: 'shared-disk', description: `${description} (${sharing})` });
  return { disks: [disk], devices };
}

function readSlot(slot: Slot, root: SpecNode, order: readonly string[]): VmxStorage {
  const { name, node } = slot;
  if (node.child('present').boolean() !== true) {
    node.ignore();
    return { disks: [], devices: [] };
  }
  const type = node.child('devicetype').text()?.toLowerCase() ?? 'disk';
  const fileName = node.child('filename').text() ?? '';
  node.ignoring(...hostSettings);
  const description = `${name} ${fileName}`.trim();
  if (isOptical(type, fileName)) return { disks: [], devices: [{ kind: 'cdrom', description }] };
  if (/passthru|generic/.test(type)) {
    return { disks: [], devices: [{ kind: 'other', description: `${description} (${type})` }] };
  }
  return readDisk(slot, root, order);
}

/** Reads every slot of the disk controllers that is present. */
export function readStorage(root: SpecNode): VmxStorage {
  const order = bootOrderOf(root);
  const slots = slotsOf(root).toSorted((a, b) => byAddress(a.address, b.address));
  const found = slots.map((slot) => readSlot(slot, root, order));
  for (const name of root.names().filter((one) => /^(?:scsi|sata|nvme|ide)\d+$/.test(one)))
    root.child(name).ignoring('present', 'virtualdev', 'sharedbus', 'pcislotnumber', 'sasid');
  return { disks: found.flatMap(({ disks }) => disks), devices: found.flatMap(({ devices }) => devices) };
}
