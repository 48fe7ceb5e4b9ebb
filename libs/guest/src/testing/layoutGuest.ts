import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, open, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createOverlay, openChain } from '@ascend/disk';
import { runProcess, silentLogger, type Logger } from '@ascend/runtime';
import type { GuestDisk } from '../probe/openDisks.ts';
import { writeGuestTree, type TinyGuestOptions } from './guestTree.ts';
import { makeLvmGroup } from './lvmGroup.ts';

/** One file system of a guest and where it lies. */
export interface LayoutPart {
  readonly mountPoint: '/' | '/boot' | '/usr';
  readonly fileSystem: 'ext4' | 'xfs' | 'btrfs';
  readonly disk: number;
  readonly sizeMib: number;
  /** Name of the logical volume in group `vg0`; absent = a partition. */
  readonly logical?: string;
  /** What fstab calls it; default: by its UUID. */
  readonly device?: string;
  /** btrfs: the subvolume that holds the files. */
  readonly subvolume?: string;
  readonly options?: string;
}

/** A tiny guest on several volumes. */
export interface LayoutGuest extends AsyncDisposable {
  readonly folder: string;
  readonly diskPaths: readonly string[];
  /** The disks alone, as a restore point. */
  readonly images: readonly GuestDisk[];
  /** The disks with fresh overlays on those named. */
  withOverlays(disks: readonly number[]): Promise<readonly GuestDisk[]>;
  readonly context: { readonly workDir: string; readonly logger: Logger; readonly signal: AbortSignal };
}

const mib = 1024 * 1024;

interface Placed extends LayoutPart {
  readonly uuid: string;
  readonly path: string;
  readonly offsetBytes: number;
}

interface DiskPlan {
  readonly path: string;
  readonly plain: readonly Placed[];
  readonly logical: readonly Placed[];
  /** Where the physical volume starts; null without one. */
  readonly group: { readonly offsetBytes: number; readonly sizeBytes: number } | null;
  readonly sizeBytes: number;
}

/** Partitions one after the other from 1 MiB on; the physical volume is the last, its own metadata takes 1 MiB. */
function planDisk(folder: string, disk: number, parts: readonly LayoutPart[]): DiskPlan {
  const path = join(folder, `disk-${disk}.raw`);
  let at = mib;
  const place = (part: LayoutPart): Placed => {
    const offsetBytes = at;
    at += part.sizeMib * mib;
    return { ...part, uuid: randomUUID(), path, offsetBytes };
  };
  const own = parts.filter((part) => part.disk === disk);
  const plain = own.filter((part) => part.logical === undefined).map(place);
  const groupStart = at;
  at += mib;
  const logical = own.filter((part) => part.logical !== undefined).map(place);
  const sizeBytes = at + 4 * mib;
  const group =
    logical.length === 0 ? null : { offsetBytes: groupStart, sizeBytes: sizeBytes - mib - groupStart };
  return { path, plain, logical, group, sizeBytes };
}

async function partition(plan: DiskPlan): Promise<void> {
  const file = await open(plan.path, 'w');
  await file.truncate(plan.sizeBytes);
  await file.close();
  const lines = plan.plain.map(
    (part) => `start=${part.offsetBytes / 512}, size=${part.sizeMib * 2048}, type=83`,
  );
  if (plan.group !== null)
    lines.push(`start=${plan.group.offsetBytes / 512}, size=${plan.group.sizeBytes / 512}, type=8e`);
  await runProcess({
    program: 'sfdisk',
    args: ['--quiet', plan.path],
    input: ['label: dos', ...lines, ''].join('\n'),
  });
}

/** Fills a file system by a kernel mount in a mount namespace of its own. */
const fillByMount = [
  'set -e',
  'mount -o "loop,offset=$3" "$1" "$2"',
  'if [ -n "$5" ]; then btrfs subvolume create "$2/$5" >/dev/null; cp -a "$4/." "$2/$5/"; else cp -a "$4/." "$2/"; fi',
  'umount "$2"',
].join('\n');

async function makeExt4(part: Placed, tree: string): Promise<void> {
  const extended = `offset=${part.offsetBytes},root_owner=0:0`;
  const args = [
    '-q',
    '-F',
    '-t',
    'ext4',
    '-b',
    '4096',
    '-U',
    part.uuid,
    '-d',
    tree,
    '-E',
    extended,
    part.path,
  ];
  await runProcess({ program: 'mke2fs', args: [...args, String(part.sizeMib * 256)] });
}

async function makeByMount(part: Placed, tree: string, folder: string): Promise<void> {
  const image = join(folder, 'volume.raw');
  const file = await open(image, 'w');
  await file.truncate(part.sizeMib * mib);
  await file.close();
  const program = `mkfs.${part.fileSystem}`;
  const uuid = part.fileSystem === 'xfs' ? ['-m', `uuid=${part.uuid}`] : ['-U', part.uuid];
  await runProcess({ program, args: ['-q', ...uuid, image] });
  const mountPoint = join(folder, 'mount');
  await mkdir(mountPoint, { recursive: true });
  const shell = ['sh', '-c', fillByMount, 'sh', image, mountPoint, '0', tree, part.subvolume ?? ''];
  await runProcess({ program: 'unshare', args: ['--mount', '--propagation', 'private', '--', ...shell] });
  const place = [`of=${part.path}`, 'bs=1M', `seek=${part.offsetBytes / mib}`];
  await runProcess({ program: 'dd', args: [`if=${image}`, ...place, 'conv=notrunc,sparse', 'status=none'] });
  await rm(image);
}

function fstabOf(parts: readonly Placed[]): string {
  return parts
    .map((part) => {
      const subvolume = part.subvolume === undefined ? [] : [`subvol=${part.subvolume}`];
      const options = [part.options ?? 'defaults', ...subvolume].join(',');
      return `${part.device ?? `UUID=${part.uuid}`} ${part.mountPoint} ${part.fileSystem} ${options} 0 1\n`;
    })
    .join('');
}

/** Each part's files: what lies below its mount point is moved out of the tree of its parent. */
async function splitTree(
  folder: string,
  tree: string,
  parts: readonly Placed[],
): Promise<Map<Placed, string>> {
  const trees = new Map<Placed, string>();
  for (const [index, part] of parts.entries()) {
    if (part.mountPoint === '/') {
      trees.set(part, tree);
      continue;
    }
    const own = join(folder, `tree-${index}`);
    await rename(join(tree, part.mountPoint), own);
    await mkdir(join(tree, part.mountPoint));
    trees.set(part, own);
  }
  return trees;
}

async function buildDisks(
  folder: string,
  parts: readonly LayoutPart[],
  options: TinyGuestOptions,
): Promise<readonly string[]> {
  const indexes = [...new Set(parts.map((part) => part.disk))].toSorted((left, right) => left - right);
  const plans = indexes.map((disk) => planDisk(folder, disk, parts));
  for (const plan of plans) await partition(plan);
  const groups = plans.filter((plan) => plan.group !== null);
  if (groups.length > 0) {
    const areas = groups.flatMap(({ path, group }) => (group === null ? [] : [{ path, ...group }]));
    const commands = groups.flatMap(({ logical }, index) =>
      logical.map((part) => [
        'lvcreate',
        '-L',
        `${part.sizeMib}M`,
        '-n',
        part.logical ?? '',
        'vg0',
        `pv${index}`,
      ]),
    );
    await makeLvmGroup({ folder, group: 'vg0', areas, commands });
  }
  const placed = plans.flatMap((plan) => [...plan.plain, ...plan.logical]);
  const tree = join(folder, 'tree');
  await writeGuestTree(tree, { fstab: fstabOf(placed), ...options });
  for (const [part, own] of await splitTree(folder, tree, placed)) {
    if (part.fileSystem === 'ext4') await makeExt4(part, own);
    else await makeByMount(part, own, folder);
    await rm(own, { recursive: true });
  }
  return plans.map((plan) => plan.path);
}

/** Builds a tiny guest on the given parts. LVM, xfs and btrfs take root and loop devices. Disposing removes it. */
export async function buildLayoutGuest(
  parts: readonly LayoutPart[],
  options: TinyGuestOptions = {},
): Promise<LayoutGuest> {
  const folder = await mkdtemp(join(tmpdir(), 'ascend-layout-'));
  const workDir = join(folder, 'work');
  await mkdir(workDir);
  const diskPaths = await buildDisks(folder, parts, options);
  const chainOf = (index: number): ReturnType<typeof openChain> =>
    openChain({ rootPath: folder, path: `disk-${index}.raw`, format: 'raw' });
  const images: GuestDisk[] = [];
  for (const index of diskPaths.keys()) {
    images.push({ diskIndex: index, image: { chain: await chainOf(index), overlays: [] } });
  }
  return {
    folder,
    diskPaths,
    images,
    withOverlays: async (disks) => {
      const overlaid: GuestDisk[] = [];
      for (const { diskIndex, image } of images) {
        const path = join(folder, `overlay-${diskIndex}.partial.qcow2`);
        const written = disks.includes(diskIndex);
        if (written) await createOverlay({ image, path });
        overlaid.push({ diskIndex, image: { ...image, overlays: written ? [path] : [] } });
      }
      return overlaid;
    },
    context: { workDir, logger: silentLogger, signal: new AbortController().signal },
    [Symbol.asyncDispose]: async () => {
      await rm(folder, { recursive: true, force: true });
    },
  };
}
