import {
  copyFile,
  mkdir,
  open,
  readFile,
  rename,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import path from 'node:path';
import { runProcess } from '@ascend/runtime';
import { expect, test } from 'vitest';
import { makeImage, qemuImg, withTempFolder } from '../testing/images.ts';
import { openChain } from './chain.ts';

const mib = 1024 * 1024;

async function patch(filePath: string, offset: number, bytes: Buffer): Promise<void> {
  const handle = await open(filePath, 'r+');
  await handle.write(bytes, 0, bytes.length, offset);
  await handle.close();
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function u64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
}

async function makePair(folder: string, backing = path.join(folder, 'full.qcow2')): Promise<void> {
  const writes = [{ offsetBytes: 0, lengthBytes: 65536, fill: 1 }];
  await makeImage({ path: path.join(folder, 'full.qcow2'), format: 'qcow2', sizeBytes: 4 * mib, writes });
  await makeImage({
    path: path.join(folder, 'inc.qcow2'),
    format: 'qcow2',
    sizeBytes: 4 * mib,
    backing: path.join(folder, 'full.qcow2'),
  });
  await qemuImg('rebase', '-u', '-f', 'qcow2', '-F', 'qcow2', '-b', backing, path.join(folder, 'inc.qcow2'));
}

test('a chain lists its layers top first with their facts', async () => {
  await withTempFolder(async (folder) => {
    await makePair(folder);
    const chain = await openChain({ rootPath: folder, path: 'inc.qcow2', format: 'qcow2' });
    expect(chain.layers.map((layer) => layer.relPath)).toEqual(['inc.qcow2', 'full.qcow2']);
    expect(chain.virtualSizeBytes).toBe(4 * mib);
    expect(chain.remarks).toEqual([]);
    expect(chain.layers[0]?.headSha256).not.toBe(chain.layers[1]?.headSha256);
  });
});

test('a chain whose recorded folder is gone opens in the folder it was moved to', async () => {
  await withTempFolder(async (folder) => {
    const old = path.join(folder, 'old/ctx-a/disk-0');
    await mkdir(old, { recursive: true });
    await makePair(old);
    const moved = path.join(folder, 'new');
    await rename(path.join(folder, 'old'), moved);
    const chain = await openChain({ rootPath: moved, path: path.join(old, 'inc.qcow2'), format: 'qcow2' });
    expect(chain.layers.map((layer) => layer.relPath)).toEqual([
      'ctx-a/disk-0/inc.qcow2',
      'ctx-a/disk-0/full.qcow2',
    ]);
  });
});

test('a QCOW2 image of version 2 and one with extended L2 and zstd open', async () => {
  await withTempFolder(async (folder) => {
    for (const options of ['compat=0.10', 'extended_l2=on,cluster_size=128k,compression_type=zstd']) {
      await makeImage({ path: path.join(folder, 'a.qcow2'), format: 'qcow2', sizeBytes: 8 * mib, options });
      const chain = await openChain({ rootPath: folder, path: 'a.qcow2', format: 'qcow2' });
      expect(chain.virtualSizeBytes).toBe(8 * mib);
    }
  });
});

type Damage = (folder: string) => Promise<unknown>;
const inc = (folder: string): string => path.join(folder, 'inc.qcow2');
const full = (folder: string): string => path.join(folder, 'full.qcow2');
const rebase =
  (name: string): Damage =>
  (folder) =>
    qemuImg('rebase', '-u', '-f', 'qcow2', '-F', 'qcow2', '-b', name, inc(folder));

const damages: readonly (readonly [string, string, Damage])[] = [
  [
    'a missing backing file',
    'DISK_BACKING_MISSING',
    (folder) => rename(full(folder), `${full(folder)}.gone`),
  ],
  ['a backing name outside the repository', 'DISK_PATH_OUTSIDE_REPOSITORY', rebase('/etc/hostname')],
  ['a backing name that climbs out', 'DISK_PATH_OUTSIDE_REPOSITORY', rebase('../../../../etc/hostname')],
  [
    'a backing name by JSON',
    'DISK_BACKING_PROTOCOL',
    rebase('json:{"driver":"raw","file.filename":"/etc/hostname"}'),
  ],
  ['a backing name by NBD', 'DISK_BACKING_PROTOCOL', rebase('nbd://127.0.0.1:1/x')],
  ['a backing name by HTTP', 'DISK_BACKING_PROTOCOL', rebase('http://127.0.0.1:1/x')],
  ['an image that backs itself', 'DISK_CHAIN_LOOP', rebase('inc.qcow2')],
  [
    'two images that back each other',
    'DISK_CHAIN_LOOP',
    (folder) => qemuImg('rebase', '-u', '-f', 'qcow2', '-F', 'qcow2', '-b', 'inc.qcow2', full(folder)),
  ],
  [
    'a backing link that leads out',
    'DISK_PATH_OUTSIDE_REPOSITORY',
    async (folder) => {
      await rename(full(folder), `${full(folder)}.gone`);
      await symlink('/etc/hostname', full(folder));
    },
  ],
  [
    'a backing file that is a device',
    'DISK_FILE_NOT_REGULAR',
    async (folder) => {
      await rename(full(folder), `${full(folder)}.gone`);
      await runProcess({ program: 'mknod', args: [full(folder), 'b', '7', '250'] });
    },
  ],
  [
    'a backing file that is a pipe',
    'DISK_FILE_NOT_REGULAR',
    async (folder) => {
      await rename(full(folder), `${full(folder)}.gone`);
      await runProcess({ program: 'mkfifo', args: [full(folder)] });
    },
  ],
  [
    'a backing file that is a folder',
    'DISK_FILE_NOT_REGULAR',
    async (folder) => {
      await rename(full(folder), `${full(folder)}.gone`);
      await mkdir(full(folder));
    },
  ],
  [
    'a backing file of another format',
    'DISK_FORMAT_MISMATCH',
    (folder) => writeFile(full(folder), 'x'.repeat(4096)),
  ],
  ['an empty file', 'DISK_FORMAT_MISMATCH', (folder) => truncate(inc(folder), 0)],
  ['a file cut in its header', 'DISK_IMAGE_TRUNCATED', (folder) => truncate(inc(folder), 100)],
  ['a file cut before its L1 table', 'DISK_IMAGE_TRUNCATED', (folder) => truncate(full(folder), 65536)],
  ['a file cut before its L2 table', 'DISK_IMAGE_TRUNCATED', (folder) => truncate(full(folder), 4 * 65536)],
  [
    'an unknown incompatible feature',
    'DISK_FORMAT_UNSUPPORTED',
    (folder) => patch(inc(folder), 72, u64(1n << 40n)),
  ],
  ['the corrupt mark', 'DISK_IMAGE_CORRUPT', (folder) => patch(inc(folder), 72, u64(2n))],
  ['an external data file', 'DISK_EXTERNAL_DATA_FILE', (folder) => patch(inc(folder), 72, u64(4n))],
  ['encryption', 'DISK_IMAGE_ENCRYPTED', (folder) => patch(inc(folder), 32, u32(1))],
  ['an unknown version', 'DISK_FORMAT_UNSUPPORTED', (folder) => patch(inc(folder), 4, u32(9))],
  ['impossible cluster bits', 'DISK_HEADER_INVALID', (folder) => patch(inc(folder), 20, u32(40))],
  ['a virtual size of 2^63', 'DISK_HEADER_INVALID', (folder) => patch(inc(folder), 24, u64(1n << 63n))],
  ['a virtual size of 0', 'DISK_HEADER_INVALID', (folder) => patch(inc(folder), 24, u64(0n))],
  ['an odd virtual size', 'DISK_HEADER_INVALID', (folder) => patch(inc(folder), 24, u64(1000n))],
  ['a backing name of 64 KiB', 'DISK_HEADER_INVALID', (folder) => patch(inc(folder), 16, u32(65_000))],
  [
    'a backing name behind the first cluster',
    'DISK_HEADER_INVALID',
    (folder) => patch(inc(folder), 8, u64(1n << 40n)),
  ],
  [
    'an L1 table of 2^32 entries',
    'DISK_HEADER_INVALID',
    (folder) => patch(inc(folder), 36, u32(0xffff_ffff)),
  ],
  ['an L1 table that is too short', 'DISK_HEADER_INVALID', (folder) => patch(inc(folder), 36, u32(0))],
  [
    'an impossible header length',
    'DISK_HEADER_INVALID',
    (folder) => patch(inc(folder), 100, u32(0xffff_fff8)),
  ],
  [
    'an extension that does not fit',
    'DISK_HEADER_INVALID',
    (folder) => patch(inc(folder), 116, u32(0x7fff_ffff)),
  ],
];

const runnable = damages.filter(([what]) => process.getuid?.() === 0 || !what.includes('device'));

test.each(runnable)('%s is refused with %s', async (_, code, damage) => {
  await withTempFolder(async (folder) => {
    const root = path.join(folder, 'a/b');
    await mkdir(root, { recursive: true });
    await makePair(root);
    await damage(root);
    await expect(openChain({ rootPath: root, path: 'inc.qcow2', format: 'qcow2' })).rejects.toMatchObject({
      code,
    });
  });
});

test('an image with more L2 tables than its file can hold is refused', async () => {
  await withTempFolder(async (folder) => {
    const filePath = path.join(folder, 'a.qcow2');
    const writes = [{ offsetBytes: 0, lengthBytes: 65536, fill: 1 }];
    await makeImage({ path: filePath, format: 'qcow2', sizeBytes: 1024 * 1024 * mib, writes });
    const l2 = Buffer.alloc(16);
    const handle = await open(filePath, 'r+');
    await handle.read(l2, 0, 8, 196_608);
    const many = Buffer.concat(Array.from({ length: 2048 }, () => l2.subarray(0, 8)));
    await handle.write(many, 0, many.length, 196_608);
    await handle.close();
    await expect(openChain({ rootPath: folder, path: 'a.qcow2', format: 'qcow2' })).rejects.toMatchObject({
      code: 'DISK_IMAGE_CORRUPT',
    });
  });
});

test('a chain of more than 200 files is refused', async () => {
  await withTempFolder(async (folder) => {
    await makePair(folder);
    const template = await openFileBytes(path.join(folder, 'inc.qcow2'));
    for (let index = 0; index <= 201; index += 1) {
      const filePath = path.join(folder, `l${index}.qcow2`);
      await copyFile(path.join(folder, 'inc.qcow2'), filePath);
      const name = Buffer.from(`l${index + 1}.qcow2`);
      await patch(filePath, Number(template.readBigUInt64BE(8)), name);
      await patch(filePath, 16, u32(name.length));
    }
    await expect(openChain({ rootPath: folder, path: 'l0.qcow2', format: 'qcow2' })).rejects.toMatchObject({
      code: 'DISK_CHAIN_TOO_LONG',
    });
  });
});

async function openFileBytes(filePath: string): Promise<Buffer> {
  const handle = await open(filePath, 'r');
  const bytes = Buffer.alloc(104);
  await handle.read(bytes, 0, 104, 0);
  await handle.close();
  return bytes;
}

test('a backing file that is newer or larger than its overlay is a remark', async () => {
  await withTempFolder(async (folder) => {
    await makePair(folder);
    await qemuImg('resize', '-q', '-f', 'qcow2', path.join(folder, 'full.qcow2'), String(8 * mib));
    await utimes(path.join(folder, 'inc.qcow2'), 1, 1);
    const { remarks } = await openChain({ rootPath: folder, path: 'inc.qcow2', format: 'qcow2' });
    expect(remarks).toEqual([
      'full.qcow2 was changed after inc.qcow2, which stands on it',
      `full.qcow2 is larger than inc.qcow2, which stands on it (${8 * mib} and ${4 * mib} bytes)`,
    ]);
  });
});

const descriptor = (line: string): string =>
  `# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\ncreateType="twoGbMaxExtentFlat"\n\n${line}\n`;

/** A sparse VMDK extent without capacity, for which the block layer follows the descriptor inside instead. */
function extentWithDescriptor(text: string): Buffer {
  const bytes = Buffer.alloc(64 * 1024);
  bytes.write('KDMV', 0, 'latin1');
  bytes.writeUInt32LE(1, 4);
  bytes.writeBigUInt64LE(128n, 20);
  bytes.writeBigUInt64LE(1n, 28);
  bytes.writeBigUInt64LE(20n, 36);
  bytes.writeUInt32LE(512, 44);
  bytes.write(text, 512, 'latin1');
  return bytes;
}

test('a sparse extent whose own descriptor leads out of the repository is refused before any tool opens it', async () => {
  await withTempFolder(async (folder) => {
    const root = path.join(folder, 'repository');
    await mkdir(root);
    const secret = path.join(folder, 'secret.bin');
    await writeFile(secret, Buffer.alloc(mib, 0x53));
    const inner = descriptor(`RW 2048 FLAT "${secret}" 0`);
    await writeFile(path.join(root, 'extent.vmdk'), extentWithDescriptor(inner));
    const top = path.join(root, 'disk.vmdk');
    await writeFile(top, descriptor('RW 2048 SPARSE "extent.vmdk"'));
    await expect(openChain({ rootPath: root, path: 'disk.vmdk', format: 'vmdk' })).rejects.toMatchObject({
      code: 'DISK_HEADER_INVALID',
      message: 'read header extent.vmdk: the capacity is 0',
    });
    // It is the danger that it is taken for: the block layer reads the file outside.
    const served = path.join(folder, 'served.raw');
    await qemuImg('convert', '-f', 'vmdk', '-O', 'raw', top, served);
    expect((await readFile(served)).includes('SSSS')).toBe(true);
  });
});

test('lines behind a zero byte of a VMDK descriptor do not count, as for the block layer', async () => {
  await withTempFolder(async (folder) => {
    await writeFile(path.join(folder, 'flat.bin'), Buffer.alloc(mib));
    const text = '# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\ncreateType="monolithicFlat"\n';
    const line = 'RW 2048 FLAT "flat.bin" 0\n';
    await writeFile(path.join(folder, 'disk.vmdk'), `${text}${line}\0${line}`);
    const chain = await openChain({ rootPath: folder, path: 'disk.vmdk', format: 'vmdk' });
    expect(chain.virtualSizeBytes).toBe(mib);
  });
});

test('a backing name that leads outside is told with the file that holds it, and the folder itself is no backing file', async () => {
  await withTempFolder(async (folder) => {
    await makePair(folder, '/etc/hostname');
    const open = () => openChain({ rootPath: folder, path: 'inc.qcow2', format: 'qcow2' });
    await expect(open()).rejects.toThrow('find /etc/hostname (named by inc.qcow2): it leads outside');
    await qemuImg('rebase', '-u', '-f', 'qcow2', '-F', 'qcow2', '-b', '.', path.join(folder, 'inc.qcow2'));
    await expect(open()).rejects.toMatchObject({ code: 'DISK_BACKING_MISSING' });
  });
});

test('a disk above 256 TiB is refused, however small its file', async () => {
  await withTempFolder(async (folder) => {
    const file = path.join(folder, 'huge.qcow2');
    await makeImage({ path: file, format: 'qcow2', sizeBytes: 256 * 1024 ** 4, options: 'cluster_size=2M' });
    const open = () => openChain({ rootPath: folder, path: 'huge.qcow2', format: 'qcow2' });
    expect((await open()).virtualSizeBytes).toBe(256 * 1024 ** 4);
    await patch(file, 24, u64(256n * 1024n ** 4n + 512n));
    await patch(file, 36, u32(1024));
    await expect(open()).rejects.toMatchObject({ code: 'DISK_FORMAT_UNSUPPORTED' });
  });
});
