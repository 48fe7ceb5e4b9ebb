import type { VmDevice } from '@ascend/domain';
import type { DraftDisk, SpecNode } from '@ascend/vm-spec';

/** Disks and drives of a domain. */
export interface DomainDisks {
  /** In the order of the document, which is the order of `virsh domblklist`. Sizes are not in it. */
  readonly disks: readonly DraftDisk[];
  readonly devices: readonly VmDevice[];
}

/** Values of a disk that steer how the old host reads its file. */
const hostSettings = [
  '@model',
  '@rawio',
  '@sgio',
  '@snapshot',
  'alias',
  'auth',
  'backenddomain',
  'backingStore',
  'blockio',
  'driver',
  'encryption',
  'geometry',
  'iotune',
  'mirror',
  'product',
  'readonly',
  'serial',
  'state',
  'throttlefilters',
  'transient',
  'vendor',
  'wwn',
];

const busWords: Readonly<Record<string, string>> = { virtio: 'virtio-blk', sata: 'ahci' };

/** Models of SCSI controllers by index. */
function scsiModels(devices: SpecNode): ReadonlyMap<string, string | null> {
  const controllers = devices.child('controller').items();
  const models = new Map<string, string | null>();
  for (const node of controllers) {
    if (node.child('@type').text() === 'scsi')
      models.set(node.child('@index').text() ?? '0', node.child('@model').text());
    // The rest of a controller is its place on the old host's buses.
    node.ignore();
  }
  return models;
}

/** The bus in the words of `guestNeeds`. */
function busOf(bus: string | null, model: string | null): string | null {
  if (bus === null) return null;
  if (bus !== 'scsi') return busWords[bus] ?? bus;
  if (model === null || model === 'auto') return 'scsi';
  // Names of the standard's older forms of the same controller.
  if (model.startsWith('virtio')) return 'virtio-scsi';
  return model === 'vmpvscsi' ? 'pvscsi' : model;
}

function controllerOf(bus: string | null, node: SpecNode): string | null {
  const address = node.child('address');
  const parts = ['@controller', '@bus', '@target', '@unit'].map((name) => address.child(name).text());
  const isDrive = address.child('@type').text() === 'drive';
  address.ignore();
  const device = node.child('target', '@dev').text();
  if (!isDrive || bus === null) return device;
  const [controller, channel, target, unit] = parts.map((part) => part ?? '0');
  return `${bus}${controller}:${channel}:${target}:${unit}`;
}

function sourceOf(node: SpecNode): string | null {
  const source = node.child('source');
  const [pool, volume] = [source.child('@pool').text(), source.child('@volume').text()];
  const names = ['@file', '@dev', '@name', '@dir', '@path'].map((name) => source.child(name).text());
  source.ignore();
  if (volume !== null) return pool === null ? volume : `${pool}/${volume}`;
  return names.find((name) => name !== null) ?? null;
}

/** Reads `devices/disk`; `bootsFromDisk`: the place of `hd` in the boot order of the machine, -1 = none. */
export function readDisks(devices: SpecNode, bootsFromDisk: number): DomainDisks {
  const models = scsiModels(devices);
  const disks: DraftDisk[] = [];
  const others: VmDevice[] = [];
  for (const node of devices.child('disk').items()) {
    const device = node.child('@device').text() ?? 'disk';
    const type = node.child('@type').text();
    const bus = node.child('target', '@bus').text();
    const model = models.get(node.child('address', '@controller').text() ?? '0') ?? null;
    const controller = controllerOf(bus, node);
    const sourceName = sourceOf(node);
    const order = node.child('boot', '@order').number();
    node.child('boot').ignoring('@loadparm');
    node.child('target').ignoring('@tray', '@removable', '@rotation_rate', '@dpofua');
    const isShared = node.child('shareable').exists;
    node.ignoring('shareable', ...hostSettings);
    const described = [controller, sourceName].filter((word) => word !== null).join(' ');
    if (device === 'cdrom' || device === 'floppy') {
      others.push({ kind: device, description: described });
      continue;
    }
    if (isShared) others.push({ kind: 'shared-disk', description: described });
    if (device === 'lun' || type === 'nvme') others.push({ kind: 'raw-device', description: described });
    const isFirst = disks.length === 0;
    disks.push({
      sizeBytes: null,
      bus: busOf(bus, model),
      controller,
      sourceName,
      bootOrder: order ?? (isFirst && bootsFromDisk >= 0 ? bootsFromDisk + 1 : null),
    });
  }
  return { disks, devices: others };
}
