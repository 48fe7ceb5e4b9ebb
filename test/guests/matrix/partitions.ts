import { open, readFile } from 'node:fs/promises';
import type { Firmware } from '@ascend/domain';
import { runProcess } from '@ascend/runtime';
import { copyInto, makeSparse } from './fileSystems.ts';

const mib = 1024 ** 2;
const sectorBytes = 512;

/** What a partition holds, by the types of both kinds of tables (UEFI specification 2.10 §5, Linux' own type GUIDs). */
const partitionTypes = {
  efi: { gpt: 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B', mbr: 'ef' },
  linux: { gpt: '0FC63DAF-8483-4772-8E79-3D69D8477DE4', mbr: '83' },
  lvm: { gpt: 'E6D6D379-F507-44C2-A23C-238F2A3DF928', mbr: '8e' },
  luks: { gpt: 'CA7D7CCB-63ED-4C53-861C-1742536059CC', mbr: '83' },
} as const;

/** One partition and the file with its contents; the file is as large as the partition. */
export interface PartitionContent {
  readonly type: keyof typeof partitionTypes;
  readonly path: string;
  readonly sizeBytes: number;
  /** GUID in a GPT; an MBR has none. */
  readonly guid?: string;
}

/** Where the first partition begins: room for the boot loader before it. */
export const firstPartitionBytes = mib;

/** The two parts of a BIOS boot loader on this machine. */
export interface LoaderImages {
  readonly bootPath: string;
  readonly corePath: string;
}

async function writeLoader(path: string, loader: LoaderImages): Promise<void> {
  const boot = await readFile(loader.bootPath);
  const core = await readFile(loader.corePath);
  if (core.length > firstPartitionBytes - sectorBytes) throw new Error(`${loader.corePath} is too large`);
  const file = await open(path, 'r+');
  try {
    // The table begins at byte 440; the core image expects itself at LBA 1.
    await file.write(boot, 0, 440, 0);
    await file.write(core, 0, core.length, sectorBytes);
  } finally {
    await file.close();
  }
}

/** Puts a raw disk together: MBR with the boot loader for BIOS, GPT for UEFI, partitions one after the other. */
export async function assembleDisk(params: {
  readonly path: string;
  readonly sizeBytes: number;
  readonly firmware: Firmware;
  readonly partitions: readonly PartitionContent[];
  readonly loader: LoaderImages | null;
}): Promise<void> {
  const { path, sizeBytes, firmware, partitions, loader } = params;
  await makeSparse(path, sizeBytes);
  const label = firmware === 'uefi' ? 'gpt' : 'mbr';
  let startBytes = firstPartitionBytes;
  const lines = [label === 'gpt' ? 'label: gpt' : 'label: dos'];
  const starts: number[] = [];
  for (const [index, { type, sizeBytes: size, guid }] of partitions.entries()) {
    const place = `start=${startBytes / sectorBytes}, size=${size / sectorBytes}`;
    const mark = label === 'mbr' && index === 0 && loader !== null ? ', bootable' : '';
    const identity = label === 'gpt' && guid !== undefined ? `, uuid=${guid}` : '';
    lines.push(`${place}, type=${partitionTypes[type][label]}${identity}${mark}`);
    starts.push(startBytes);
    startBytes += size;
  }
  await runProcess({ program: 'sfdisk', args: ['--quiet', path], input: `${lines.join('\n')}\n` });
  for (const [index, partition] of partitions.entries()) {
    await copyInto(partition.path, path, starts[index] ?? 0);
  }
  if (loader !== null) await writeLoader(path, loader);
}
