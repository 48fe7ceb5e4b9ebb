import { mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createOverlay, openChain, type DiskImage } from '@ascend/disk';
import { runProcess, silentLogger, type Logger } from '@ascend/runtime';
import { tinyRootUuid, writeGuestTree, type TinyGuestOptions } from './guestTree.ts';

/** A tiny guest on one disk in a temporary folder. */
export interface TinyGuest extends AsyncDisposable {
  readonly folder: string;
  readonly workDir: string;
  readonly diskPath: string;
  /** The disk alone, as a restore point. */
  readonly image: DiskImage;
  /** The disk with a fresh overlay on top. */
  withOverlay(): Promise<DiskImage>;
  /** What every call needs. */
  readonly context: { readonly workDir: string; readonly logger: Logger; readonly signal: AbortSignal };
}

const rootOffset = 1024 * 1024;
const rootBytes = 62 * 1024 * 1024;
const diskBytes = 64 * 1024 * 1024;

async function makeDisk(folder: string, tree: string): Promise<string> {
  const path = join(folder, 'disk-0.raw');
  const file = await open(path, 'w');
  await file.truncate(diskBytes);
  await file.close();
  const table = `label: dos\nstart=${rootOffset / 512}, size=${rootBytes / 512}, type=83, bootable\n`;
  await runProcess({ program: 'sfdisk', args: ['--quiet', path], input: table });
  const offset = `offset=${rootOffset},root_owner=0:0`;
  const size = String(rootBytes / 1024);
  await runProcess({
    program: 'mke2fs',
    args: ['-q', '-F', '-t', 'ext4', '-b', '1024', '-U', tinyRootUuid, '-d', tree, '-E', offset, path, size],
  });
  return path;
}

/** Builds a tiny guest (about a second): MBR, one ext4 partition, fake kernels, a busybox user space. Disposing removes it. */
export async function buildTinyGuest(options: TinyGuestOptions = {}): Promise<TinyGuest> {
  const folder = await mkdtemp(join(tmpdir(), 'ascend-guest-'));
  const tree = join(folder, 'tree');
  const workDir = join(folder, 'work');
  await mkdir(workDir);
  await writeGuestTree(tree, options);
  const diskPath = await makeDisk(folder, tree);
  await rm(tree, { recursive: true });
  const chain = await openChain({ rootPath: folder, path: 'disk-0.raw', format: 'raw' });
  const image: DiskImage = { chain, overlays: [] };
  return {
    folder,
    workDir,
    diskPath,
    image,
    withOverlay: async () => {
      const path = join(folder, 'overlay.partial.qcow2');
      await createOverlay({ image, path });
      return { chain, overlays: [path] };
    },
    context: { workDir, logger: silentLogger, signal: new AbortController().signal },
    [Symbol.asyncDispose]: async () => {
      await rm(folder, { recursive: true, force: true });
    },
  };
}
