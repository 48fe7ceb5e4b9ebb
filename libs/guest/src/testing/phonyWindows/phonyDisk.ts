import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createOverlay, openChain, type DiskImage } from '@ascend/disk';
import { runProcess, silentLogger, type Logger } from '@ascend/runtime';
import type { FileTree } from './memoryFiles.ts';
import { writePhonyVolume, type OddFiles } from './phonyImage.ts';

const mib = 1024 * 1024;
const volumeBytes = 32 * mib;
const espBytes = 8 * mib;
const signal = (): AbortSignal => AbortSignal.timeout(120_000);

/** A disk of a phony Windows in a temporary folder. Disposing removes it. */
export interface PhonyDisk extends AsyncDisposable {
  readonly folder: string;
  readonly diskPath: string;
  /** Where the Windows volume begins on the disk. */
  readonly volumeOffset: number;
  readonly image: DiskImage;
  /** The disk with a fresh overlay on top. */
  withOverlay(): Promise<DiskImage>;
  readonly context: { readonly workDir: string; readonly logger: Logger; readonly signal: AbortSignal };
}

/** How the disk is laid out. */
export interface PhonyLayout {
  /** GPT with an EFI system partition that lacks the fallback, else MBR. */
  readonly uefi: boolean;
  /** Type of the Windows partition in the table; default: basic data. */
  readonly partitionType?: string;
  readonly odd?: OddFiles;
}

const basicData = 'EBD0A0A2-B9E5-4433-87C0-68B6B72699C7';

const start = (bytes: number): number => bytes / 512;

function tableOf(layout: PhonyLayout): string {
  if (!layout.uefi)
    return `label: dos\nstart=${start(mib)}, size=${start(volumeBytes)}, type=${layout.partitionType ?? '7'}, bootable\n`;
  return [
    'label: gpt',
    `start=${start(mib)}, size=${start(espBytes)}, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B`,
    `start=${start(mib + espBytes)}, size=${start(volumeBytes)}, type=${layout.partitionType ?? basicData}`,
    '',
  ].join('\n');
}

async function makeEsp(folder: string): Promise<string> {
  const path = join(folder, 'esp.img');
  const loader = join(folder, 'bootmgfw.efi');
  await writeFile(loader, Buffer.alloc(50_000, 7));
  await runProcess({
    program: 'mformat',
    args: ['-C', '-i', path, '-T', String(espBytes / 512), '::'],
  });
  for (const name of ['::/EFI', '::/EFI/Microsoft', '::/EFI/Microsoft/Boot'])
    await runProcess({ program: 'mmd', args: ['-i', path, name] });
  await runProcess({
    program: 'mcopy',
    args: ['-i', path, loader, '::/EFI/Microsoft/Boot/bootmgfw.efi'],
  });
  return path;
}

async function copyInto(disk: string, part: string, offset: number): Promise<void> {
  const place = ['bs=1M', `seek=${offset / mib}`, 'conv=notrunc,sparse', 'status=none'];
  await runProcess({ program: 'dd', args: [`if=${part}`, `of=${disk}`, ...place] });
}

/** Builds the disk in some seconds: partition table, NTFS volume with the files, EFI system partition. */
export async function buildPhonyDisk(files: FileTree, layout: PhonyLayout): Promise<PhonyDisk> {
  const folder = await mkdtemp(join(tmpdir(), 'ascend-phony-'));
  const workDir = folder;
  const diskPath = join(folder, 'disk-0.raw');
  const volumeOffset = layout.uefi ? mib + espBytes : mib;
  const file = await open(diskPath, 'w');
  await file.truncate(volumeOffset + volumeBytes + mib);
  await file.close();
  await runProcess({ program: 'sfdisk', args: ['--quiet', diskPath], input: tableOf(layout) });
  const volume = join(folder, 'volume.img');
  const odd = layout.odd ?? {};
  await writePhonyVolume({ path: volume, files, odd, workDir, signal: signal() });
  await copyInto(diskPath, volume, volumeOffset);
  if (layout.uefi) await copyInto(diskPath, await makeEsp(folder), mib);
  await rm(volume);
  const chain = await openChain({ rootPath: folder, path: 'disk-0.raw', format: 'raw' });
  const image: DiskImage = { chain, overlays: [] };
  return {
    folder,
    diskPath,
    volumeOffset,
    image,
    withOverlay: async () => {
      const path = join(folder, 'overlay.partial.qcow2');
      await createOverlay({ image, path });
      return { chain, overlays: [path] };
    },
    context: { workDir, logger: silentLogger, signal: signal() },
    [Symbol.asyncDispose]: async () => {
      await rm(folder, { recursive: true, force: true });
    },
  };
}
