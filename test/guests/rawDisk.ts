import { open, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { runProcess } from '@ascend/runtime';
import { runAsGuestRoot } from './guestTree.ts';

/** Where the first partition begins: room for the boot loader before it. */
const partitionOffsetBytes = 1024 * 1024;
const sectorBytes = 512;

/** One partition of a raw disk with an MBR label. */
interface Partition {
  readonly offsetBytes: number;
  readonly sizeBytes: number;
  readonly active: boolean;
}

/** The 512 bytes of an MBR: loader code (446 bytes at most), disk signature and up to four Linux partitions. */
function masterBootRecord(params: {
  readonly loader: Uint8Array | null;
  readonly signature: number;
  readonly partitions: readonly Partition[];
}): Buffer {
  const sector = Buffer.alloc(sectorBytes);
  if (params.loader !== null) Buffer.from(params.loader).copy(sector, 0, 0, 440);
  sector.writeUInt32LE(params.signature, 440);
  for (const [index, partition] of params.partitions.entries()) {
    const at = 446 + 16 * index;
    sector.writeUInt8(partition.active ? 0x80 : 0, at);
    sector.fill(0xff, at + 1, at + 4);
    sector.writeUInt8(0x83, at + 4);
    sector.fill(0xff, at + 5, at + 8);
    sector.writeUInt32LE(partition.offsetBytes / sectorBytes, at + 8);
    sector.writeUInt32LE(partition.sizeBytes / sectorBytes, at + 12);
  }
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
}

/** The two parts of the BIOS boot loader: the MBR's code and what follows it up to the first partition. */
interface BootLoader {
  readonly bootImage: Uint8Array;
  readonly coreImage: Uint8Array;
}

/** Writes the partition table and, when given, the boot loader to the head of a raw disk. */
async function writeDiskHead(
  path: string,
  params: {
    readonly loader: BootLoader | null;
    readonly signature: number;
    readonly partitions: readonly Partition[];
  },
): Promise<void> {
  const { loader, signature, partitions } = params;
  const file = await open(path, 'r+');
  try {
    await file.write(
      masterBootRecord({ loader: loader?.bootImage ?? null, signature, partitions }),
      0,
      sectorBytes,
      0,
    );
    // The core image expects its second sector at LBA 2, that is itself at LBA 1.
    if (loader !== null) await file.write(loader.coreImage, 0, loader.coreImage.length, sectorBytes);
  } finally {
    await file.close();
  }
}

/** What goes into the one ext4 partition of a new raw disk. */
export interface RawDiskParams {
  readonly path: string;
  readonly sizeBytes: number;
  /** Size of the file system; default: the rest of the disk. */
  readonly partitionBytes?: number;
  readonly uuid: string;
  readonly label: string;
  readonly signature: number;
  readonly treeDir: string;
  readonly loader: { readonly bootPath: string; readonly corePath: string } | null;
}

/** Makes a sparse raw disk with one ext4 partition that holds the tree; needs neither mounts nor loop devices. */
export async function makeRawDisk(params: RawDiskParams): Promise<void> {
  await writeFile(params.path, '');
  await truncate(params.path, params.sizeBytes);
  const sizeBytes = params.partitionBytes ?? params.sizeBytes - partitionOffsetBytes;
  const loader =
    params.loader === null
      ? null
      : {
          bootImage: await readFile(params.loader.bootPath),
          coreImage: await readFile(params.loader.corePath),
        };
  await writeDiskHead(params.path, {
    loader,
    signature: params.signature,
    partitions: [{ offsetBytes: partitionOffsetBytes, sizeBytes, active: loader !== null }],
  });
  const identity = ['-U', params.uuid, '-L', params.label, '-d', params.treeDir];
  // The boot loader of Debian 12 reads neither of the two features.
  const format = ['-q', '-t', 'ext4', '-m', '1', '-O', '^orphan_file,^metadata_csum_seed'];
  const extended = `offset=${partitionOffsetBytes},hash_seed=${params.uuid},root_owner=0:0`;
  const size = `${Math.floor(sizeBytes / 1024)}k`;
  await runAsGuestRoot('mke2fs', [...format, ...identity, '-E', extended, params.path, size]);
}

/** Changes of one file system made from outside: files written over whatever was there. */
export interface FileChange {
  /** Absolute inside the guest; letters, digits, `/`, `-`, `.` and `_` only. */
  readonly guestPath: string;
  /** File on this machine that holds the new content. */
  readonly localPath: string;
}

/** Writes files into the ext4 partition of a raw disk with debugfs and proves that the file system is still clean. */
export async function changeFiles(rawPath: string, changes: readonly FileChange[]): Promise<void> {
  const device = `${rawPath}?offset=${partitionOffsetBytes}`;
  // debugfs reports a failed command only as text, so what counts is what the partition holds afterwards.
  const commands = changes.flatMap(({ guestPath, localPath }) => [
    `rm ${guestPath}`,
    `write ${localPath} ${guestPath}`,
  ]);
  await runProcess({ program: 'debugfs', args: ['-w', device], input: `${commands.join('\n')}\n` });
  await runProcess({ program: 'e2fsck', args: ['-f', '-n', device] });
  for (const { guestPath, localPath } of changes) {
    const written = await runProcess({ program: 'debugfs', args: ['-R', `stat ${guestPath}`, device] });
    const { size } = await stat(localPath);
    if (!written.stdout.includes(`Size: ${size}`))
      throw new Error(`${guestPath} was not written to ${rawPath}`);
  }
}
