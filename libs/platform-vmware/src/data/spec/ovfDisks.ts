import type { DraftDisk, SpecNode } from '@ascend/vm-spec';
import {
  addressText,
  busOf,
  byAddress,
  diskKeyOf,
  type ControllerKind,
  type DiskAddress,
} from './diskAddress.ts';
import { unitBytes, type OvfItem } from './ovfItem.ts';

interface DiskFile {
  readonly sizeBytes: number | null;
  readonly fileName: string | null;
}

/** Disk ids of the package with size and file name. */
export function readDiskFiles(envelope: SpecNode): ReadonlyMap<string, DiskFile> {
  const files = envelope.child('References', 'File').items();
  const hrefs = new Map<string, string | null>();
  for (const file of files) {
    file.ignoring('@size', '@compression', '@chunkSize');
    hrefs.set(file.child('@id').text() ?? '', file.child('@href').text());
  }
  const disks = new Map<string, DiskFile>();
  const section = envelope.child('DiskSection');
  section.ignoring('Info', '@required');
  for (const disk of section.child('Disk').items()) {
    disk.ignoring('@format', '@populatedSize', '@parentRef', '@uuid');
    const units = disk.child('@capacityAllocationUnits').text();
    const capacity = disk.child('@capacity').number();
    const unit = units === null ? 1 : unitBytes(units);
    const id = disk.child('@diskId').text() ?? '';
    const fileRef = disk.child('@fileRef').text() ?? '';
    const sizeBytes = capacity === null || unit === null ? null : capacity * unit;
    disks.set(id, { sizeBytes, fileName: hrefs.get(fileRef) ?? null });
  }
  return disks;
}

interface Controller {
  readonly kind: ControllerKind | null;
  readonly model: string | null;
  readonly bus: number;
}

function kindOf({ type, subType }: OvfItem): ControllerKind | null {
  if (type === 5) return 'ide';
  if (type === 6) return 'scsi';
  if (type !== 20) return null;
  if (/nvme/i.test(subType ?? '')) return 'nvme';
  return /scsi/i.test(subType ?? '') ? 'scsi' : 'sata';
}

/** Controllers by instance id; one without an address has the number of those of its kind before it. */
function readControllers(items: readonly OvfItem[]): ReadonlyMap<string, Controller> {
  const counts = new Map<string, number>();
  const controllers = new Map<string, Controller>();
  for (const item of items) {
    const kind = kindOf(item);
    const isController = kind !== null || item.type === 7 || item.type === 8;
    if (!isController || item.instanceId === null) continue;
    const count = counts.get(kind ?? 'other') ?? 0;
    counts.set(kind ?? 'other', count + 1);
    const told = /^\d{1,3}$/.test(item.address ?? '') ? Number(item.address) : count;
    controllers.set(item.instanceId, { kind, model: item.subType, bus: told });
  }
  return controllers;
}

interface FoundDisk {
  readonly disk: DraftDisk;
  readonly address: DiskAddress | null;
}

function addressOf(item: OvfItem, controller: Controller | undefined): DiskAddress | null {
  if (controller?.kind === undefined || controller.kind === null || item.addressOnParent === null)
    return null;
  return { kind: controller.kind, bus: controller.bus, unit: item.addressOnParent };
}

/** What tells the disks of a VM. */
export interface OvfDiskSources {
  readonly items: readonly OvfItem[];
  readonly files: ReadonlyMap<
    string,
    { readonly sizeBytes: number | null; readonly fileName: string | null }
  >;
  /** Instance ids of disks in boot order. */
  readonly bootOrder: readonly string[];
  /** Does the platform of this folder number devices here? Then disks have its keys and the order of the keys. */
  readonly hasDeviceKeys: boolean;
}

function sourceNameOf(diskId: string, fileName: string | null, item: OvfItem): string | null {
  return fileName ?? (diskId === '' ? item.name : diskId);
}

function readDisk(item: OvfItem, controller: Controller | undefined, sources: OvfDiskSources): FoundDisk {
  const address = addressOf(item, controller);
  const diskId = /(?:^|\/)disk\/(.+)$/.exec(item.hostResource ?? '')?.[1] ?? '';
  const { sizeBytes, fileName } = sources.files.get(diskId) ?? { sizeBytes: null, fileName: null };
  const order = sources.bootOrder.indexOf(item.instanceId ?? '');
  return {
    address,
    disk: {
      sizeBytes,
      bus: address === null ? null : busOf(address.kind, controller?.model ?? null),
      controller: address === null ? null : addressText(address),
      sourceName: sourceNameOf(diskId, fileName, item),
      bootOrder: order === -1 ? null : order,
      vmwareDiskKey: address === null || !sources.hasDeviceKeys ? null : diskKeyOf(address),
    },
  };
}

/** The disks in the order in which a backup numbers them: by device key, else as the document lists them. */
export function readDisks(sources: OvfDiskSources): readonly DraftDisk[] {
  const controllers = readControllers(sources.items);
  const found = sources.items
    .filter(({ type }) => type === 17)
    .map((item) => readDisk(item, controllers.get(item.parent ?? ''), sources));
  const isOrdered = sources.hasDeviceKeys && found.every(({ address }) => address !== null);
  const ordered = isOrdered
    ? found.toSorted((a, b) =>
        a.address === null || b.address === null ? 0 : byAddress(a.address, b.address),
      )
    : found;
  return ordered.map(({ disk }) => disk);
}
