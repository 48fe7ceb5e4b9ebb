import { mkdir, truncate, writeFile } from 'node:fs/promises';
import { runProcess } from '@ascend/runtime';
import { runAsGuestRoot } from '../guestTree.ts';

const mib = 1024 ** 2;

/** A file system in a file of its own: what a partition or volume will hold. */
export interface FileSystemParams {
  readonly path: string;
  /** Whole MiB. */
  readonly sizeBytes: number;
  readonly uuid: string;
  /** Its contents. */
  readonly treeDir: string;
}

/** Makes an empty sparse file. */
export async function makeSparse(path: string, sizeBytes: number): Promise<void> {
  await writeFile(path, '');
  await truncate(path, sizeBytes);
}

async function makeExt4(params: FileSystemParams): Promise<void> {
  // The boot loader of Debian 12 reads neither of the two features.
  const format = ['-q', '-t', 'ext4', '-m', '1', '-O', '^orphan_file,^metadata_csum_seed'];
  const extended = ['-E', `hash_seed=${params.uuid},root_owner=0:0`];
  await runAsGuestRoot('mke2fs', [
    ...format,
    ...extended,
    '-U',
    params.uuid,
    '-d',
    params.treeDir,
    params.path,
  ]);
}

// The mount lives in namespaces of this one process: nothing stays, whatever way it ends.
const fillScript = `set -eu
mount -o loop "$1" "$2"
target=$2
if [ -n "$4" ]; then btrfs -q subvolume create "$2/$4"; target=$2/$4; fi
cp -a "$3/." "$target/"
umount "$2"
`;

/** Fills a file system that only a kernel writes; needs root and loop devices. */
async function fillByMount(params: FileSystemParams, subvolume: string): Promise<void> {
  const mountPoint = `${params.path}.mount`;
  await mkdir(mountPoint);
  const isolate = ['--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child'];
  const script = ['/bin/sh', '-c', fillScript, 'fill', params.path, mountPoint, params.treeDir, subvolume];
  await runProcess({ program: 'unshare', args: [...isolate, '--', ...script] });
}

/** Makes a file system with the tree as its contents; with Btrfs the tree is the subvolume `@`. */
export async function makeFileSystem(
  kind: 'ext4' | 'xfs' | 'btrfs',
  params: FileSystemParams,
): Promise<void> {
  await makeSparse(params.path, params.sizeBytes);
  if (kind === 'ext4') return makeExt4(params);
  const { path, uuid } = params;
  if (kind === 'xfs') {
    await runProcess({ program: 'mkfs.xfs', args: ['-q', '-m', `uuid=${uuid}`, path] });
    return fillByMount(params, '');
  }
  await runProcess({ program: 'mkfs.btrfs', args: ['-q', '-U', uuid, path] });
  return fillByMount(params, '@');
}

/** Makes the FAT file system of an EFI system partition from files on this machine. */
export async function makeEfiFileSystem(params: {
  readonly path: string;
  readonly sizeBytes: number;
  /** Volume id, `XXXX-XXXX`. */
  readonly volumeId: string;
  /** Path below the root, without leading slash, and the file to copy. */
  readonly files: readonly { readonly path: string; readonly localPath: string }[];
}): Promise<void> {
  const { path, sizeBytes, volumeId, files } = params;
  await makeSparse(path, sizeBytes);
  const sectors = String(sizeBytes / 512);
  const identity = ['-v', 'EFI', '-N', volumeId.replace('-', '')];
  // One sector a cluster makes enough clusters for FAT32 in 64 MiB.
  await runProcess({
    program: 'mformat',
    args: ['-i', path, '-F', '-c', '1', '-T', sectors, '-h', '255', '-s', '63', ...identity, '::'],
  });
  const folders = new Set(
    files.flatMap((file) => {
      const parts = file.path.split('/').slice(0, -1);
      return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
    }),
  );
  for (const folder of folders) await runProcess({ program: 'mmd', args: ['-i', path, `::/${folder}`] });
  for (const file of files) {
    await runProcess({ program: 'mcopy', args: ['-i', path, file.localPath, `::/${file.path}`] });
  }
}

/** Copies an image into another at a whole MiB; holes stay holes. */
export async function copyInto(fromPath: string, toPath: string, offsetBytes: number): Promise<void> {
  const place = ['bs=1M', `seek=${offsetBytes / mib}`, 'conv=notrunc,sparse', 'status=none'];
  await runProcess({ program: 'dd', args: [`if=${fromPath}`, `of=${toPath}`, ...place] });
}
