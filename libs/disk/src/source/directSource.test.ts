import { randomBytes } from 'node:crypto';
import { copyFile, open, readdir, rename, stat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { SourceFormat } from '@ascend/domain';
import { runProcess } from '@ascend/runtime';
import { expect, test } from 'vitest';
import { fileBlockdev, imageBlockdev } from '../blockdev.ts';
import { openChain } from '../chain/chain.ts';
import type { Extent } from '../extent.ts';
import { createOverlay } from '../overlay.ts';
import { serveNbd } from '../qemu/nbdServer.ts';
import { collectExtents, compareEngines } from '../testing/compareEngines.ts';
import { makeImage, qemuImg, withTempFolder } from '../testing/images.ts';
import { connectNbd } from '../nbd/client.ts';
import { openSource } from './openSource.ts';
import { readAll } from './readAll.ts';

const kib = 1024;
const mib = 1024 * kib;
const signal = new AbortController().signal;
const same = {
  differsAtBytes: null,
  dataOnlyDirectAtBytes: null,
  zeroOnlyDirectAtBytes: null,
  disorder: null,
};

async function openImage(folder: string, name = 'disk.img', format: SourceFormat = 'qcow2') {
  const chain = await openChain({ rootPath: folder, path: name, format });
  return { chain, overlays: [] };
}

async function makeDisk(folder: string, options?: string): Promise<string> {
  const file = path.join(folder, 'disk.img');
  const writes = [
    { offsetBytes: 0, lengthBytes: 2 * mib, fill: 1 },
    { offsetBytes: 5 * mib, lengthBytes: 4 * kib, fill: 2 },
  ];
  const extra = options === undefined ? {} : { options };
  await makeImage({ path: file, format: 'qcow2', sizeBytes: 16 * mib, writes, ...extra });
  return file;
}

const sources: readonly (readonly [SourceFormat, string, string])[] = [
  ['vhd', 'vpc', 'subformat=dynamic,force_size=on'],
  ['vhd', 'vpc', 'subformat=fixed,force_size=on'],
  ['vhdx', 'vhdx', 'subformat=dynamic'],
  ['vhdx', 'vhdx', 'subformat=dynamic,block_size=256M'],
  ['vhdx', 'vhdx', 'subformat=fixed'],
  ['vmdk', 'vmdk', 'subformat=monolithicSparse,zeroed_grain=on'],
  ['vmdk', 'vmdk', 'subformat=monolithicFlat'],
  ['vmdk', 'vmdk', 'subformat=twoGbMaxExtentSparse'],
  ['vmdk', 'vmdk', 'subformat=twoGbMaxExtentFlat'],
  ['vmdk', 'vmdk', 'subformat=streamOptimized'],
  ['qcow2', 'qcow2', 'compat=0.10'],
  ['qcow2', 'qcow2', 'preallocation=metadata'],
  ['qcow2', 'qcow2', 'preallocation=full'],
  ['raw', 'raw', ''],
];

test.each(sources)('a %s image (%s, %s) reads the same by both engines', async (format, driver, options) => {
  await withTempFolder(async (folder) => {
    const original = path.join(folder, 'original.raw');
    const bytes = Buffer.alloc(12 * mib);
    randomBytes(3 * mib).copy(bytes, mib);
    randomBytes(512).copy(bytes, 12 * mib - 512);
    await writeFile(original, bytes);
    const source = path.join(folder, 'disk.img');
    const target = options === '' ? [] : ['-o', options];
    await qemuImg('convert', '-f', 'raw', '-O', driver, ...target, original, source);
    const image = await openImage(folder, 'disk.img', format);
    const found = await compareEngines(image, folder, [
      [mib - 100, 3000],
      [12 * mib - 700, 700],
    ]);
    // The block server tells no holes of VHDX.
    const holes = format === 'vhdx' ? { zeroOnlyDirectAtBytes: found.zeroOnlyDirectAtBytes } : {};
    expect(found).toEqual({ ...same, ...holes });
  });
});

test('a split disk of many extents and a disk above 2 TiB read the same by both engines', async () => {
  await withTempFolder(async (folder) => {
    const far = 3 * 2 ** 40;
    const file = path.join(folder, 'disk.img');
    const writes = [{ offsetBytes: far, lengthBytes: mib, fill: 7 }];
    await makeImage({ path: file, format: 'qcow2', sizeBytes: far + 2 * mib, writes });
    const source = await openSource({ image: await openImage(folder), workDir: folder, signal });
    const target = Buffer.alloc(2 * mib, 9);
    await source.readInto(far, target);
    expect(target.equals(Buffer.concat([Buffer.alloc(mib, 7), Buffer.alloc(mib)]))).toBe(true);
    expect(await collectExtents(source.extents(0, far + 2 * mib))).toEqual([
      { offsetBytes: 0, lengthBytes: far, kind: 'hole' },
      { offsetBytes: far, lengthBytes: mib, kind: 'data' },
      { offsetBytes: far + mib, lengthBytes: mib, kind: 'hole' },
    ]);
    await source.close();
    const split = path.join(folder, 'split.vmdk');
    const more = [4, 1 * kib, 3 * kib].map((at) => ({
      offsetBytes: at * 2 * mib,
      lengthBytes: 70 * kib,
      fill: 3,
    }));
    await makeImage({
      path: split,
      format: 'vmdk',
      sizeBytes: 7 * 2 ** 30,
      options: 'subformat=twoGbMaxExtentSparse',
      writes: more,
    });
    const image = await openImage(folder, 'split.vmdk', 'vmdk');
    const parts = await openSource({ image, workDir: folder, signal, engine: 'direct' });
    expect(
      (await collectExtents(parts.extents(0, parts.sizeBytes))).filter(({ kind }) => kind === 'data'),
    ).toEqual(more.map(({ offsetBytes }) => ({ offsetBytes, lengthBytes: 128 * kib, kind: 'data' })));
    expect(await readAll(parts, { onBytes: (part) => expect([0, 3]).toContain(part[0]) })).toBe(
      3 * 128 * kib,
    );
    await parts.close();
  });
});

test('more tables than the cache holds are read right, many at once', async () => {
  await withTempFolder(async (folder) => {
    const stride = 512 * mib;
    const writes = Array.from({ length: 300 }, (_, index) => ({
      offsetBytes: index * stride,
      lengthBytes: 64 * kib,
      fill: index % 256,
    }));
    const file = path.join(folder, 'disk.img');
    await makeImage({ path: file, format: 'qcow2', sizeBytes: 300 * stride, writes });
    const source = await openSource({ image: await openImage(folder), workDir: folder, signal });
    for (const order of [writes, writes.toReversed()]) {
      await Promise.all(
        order.map(async ({ offsetBytes, fill }) => {
          const target = Buffer.alloc(128 * kib, 0xee);
          await source.readInto(offsetBytes, target);
          expect(target.equals(Buffer.concat([Buffer.alloc(64 * kib, fill), Buffer.alloc(64 * kib)]))).toBe(
            true,
          );
        }),
      );
    }
    expect((await collectExtents(source.extents(0, source.sizeBytes))).length).toBe(600);
    await source.close();
  });
});

test('a raw file of odd size has zeros behind its end', async () => {
  await withTempFolder(async (folder) => {
    await writeFile(path.join(folder, 'disk.img'), randomBytes(mib + 77));
    const image = await openImage(folder, 'disk.img', 'raw');
    expect(image.chain.virtualSizeBytes).toBe(mib + 512);
    const found = await compareEngines(image, folder, [[mib - 10, 522]]);
    expect(found).toMatchObject({ differsAtBytes: null, disorder: null });
  });
});

test('overlays on top of a point are part of what is read', async () => {
  await withTempFolder(async (folder) => {
    await makeDisk(folder);
    const { chain } = await openImage(folder);
    const overlays = [path.join(folder, 'one.qcow2'), path.join(folder, 'two.qcow2')];
    for (const [index, overlay] of overlays.entries()) {
      await createOverlay({ image: { chain, overlays: [] }, path: overlay });
      const image = { chain, overlays: overlays.slice(0, index + 1) };
      const blockdev = imageBlockdev(image, { readOnly: false });
      const server = await serveNbd({ blockdev, writable: true, connections: 1, workDir: folder });
      const client = await connectNbd({ socketPath: server.socketPath, exportName: server.exportName });
      await client.write(index * mib, Buffer.alloc(100 * kib, 0x40 + index));
      await client.writeZeros(4 * mib + index * mib, mib);
      await client.flush();
      await client.close();
      await server.close();
    }
    const image = { chain, overlays };
    expect(await compareEngines(image, folder)).toEqual(same);
    const source = await openSource({ image, workDir: folder, signal });
    const byte = Buffer.alloc(1);
    await source.readInto(mib, byte);
    expect(byte[0]).toBe(0x41);
    await utimes(overlays[0]!, 1, 1);
    await expect(source.assertUnchanged()).rejects.toMatchObject({ code: 'DISK_SOURCE_CHANGED' });
    await source.close();
  });
});

test('plain clusters are read without the block server, compressed ones with it', async () => {
  await withTempFolder(async (folder) => {
    const file = await makeDisk(folder);
    await qemuImg('convert', '-c', '-O', 'qcow2', file, path.join(folder, 'compressed.qcow2'));
    const target = Buffer.alloc(mib);
    const readAfterKill = async (name: string): Promise<void> => {
      const workDir = path.join(folder, 'work');
      const source = await openSource({ image: await openImage(folder, name), workDir, signal });
      try {
        const { stdout } = await runProcess({ program: 'pgrep', args: ['-f', `qemu-nbd.*${workDir}`] });
        process.kill(Number(stdout.split('\n')[0]), 'SIGKILL');
        await source.readInto(0, target);
      } finally {
        await source.close();
        expect(await readdir(workDir)).toEqual([]);
      }
    };
    await readAfterKill('disk.img');
    expect(target.equals(Buffer.alloc(mib, 1))).toBe(true);
    await expect(readAfterKill('compressed.qcow2')).rejects.toMatchObject({ code: 'DISK_NBD_DISCONNECTED' });
  });
});

test('an image that somebody writes to is busy, and a writer cannot start while it is read', async () => {
  await withTempFolder(async (folder) => {
    const file = await makeDisk(folder);
    const image = await openImage(folder);
    const blockdev = fileBlockdev(file, 'qcow2', { readOnly: false });
    const write = () => serveNbd({ blockdev, writable: true, connections: 1, workDir: folder });
    const writer = await write();
    await expect(openSource({ image, workDir: folder, signal })).rejects.toMatchObject({
      code: 'DISK_SOURCE_BUSY',
    });
    await writer.close();
    const now = await openImage(folder);
    const source = await openSource({ image: now, workDir: folder, signal });
    await expect(write()).rejects.toMatchObject({ code: 'DISK_SOURCE_BUSY' });
    await source.assertUnchanged();
    await source.close();
    await (await write()).close();
  });
});

test('a file that was replaced before the opening or while it is open is noticed', async () => {
  await withTempFolder(async (folder) => {
    const file = await makeDisk(folder);
    const image = await openImage(folder);
    const source = await openSource({ image, workDir: folder, signal });
    const { atime, mtime } = await stat(file);
    // Same size, same content, same time, but another file.
    await copyFile(file, `${file}.copy`);
    await utimes(`${file}.copy`, atime, mtime);
    await rename(`${file}.copy`, file);
    await expect(source.assertUnchanged()).rejects.toMatchObject({ code: 'DISK_SOURCE_CHANGED' });
    await source.close();
    const handle = await open(file, 'r+');
    await handle.write(Buffer.of(1), 0, 1, 0x2000);
    await handle.close();
    await utimes(file, atime, mtime);
    await expect(openSource({ image, workDir: folder, signal })).rejects.toMatchObject({
      code: 'DISK_SOURCE_CHANGED',
    });
  });
});

test('a file that was cut behind its tables gives a coded error for the lost part and the rest as it was', async () => {
  await withTempFolder(async (folder) => {
    const file = await makeDisk(folder);
    const { size } = await stat(file);
    const handle = await open(file, 'r+');
    await handle.truncate(size - mib);
    await handle.close();
    const source = await openSource({ image: await openImage(folder), workDir: folder, signal });
    const target = Buffer.alloc(64 * kib);
    await source.readInto(0, target);
    expect(target.equals(Buffer.alloc(64 * kib, 1))).toBe(true);
    await expect(source.readInto(5 * mib, target)).rejects.toMatchObject({ code: 'DISK_IMAGE_TRUNCATED' });
    await expect(collectExtents(source.extents(0, source.sizeBytes))).rejects.toMatchObject({
      code: 'DISK_IMAGE_TRUNCATED',
    });
    await source.close();
  });
});

test('ranges outside the disk are refused, and so is reading after a cancellation', async () => {
  await withTempFolder(async (folder) => {
    await makeDisk(folder);
    const cancel = new AbortController();
    const source = await openSource({
      image: await openImage(folder),
      workDir: folder,
      signal: cancel.signal,
    });
    const target = Buffer.alloc(1024);
    await expect(source.readInto(16 * mib - 512, target)).rejects.toMatchObject({
      code: 'DISK_RANGE_INVALID',
    });
    await expect(source.readInto(-1, target)).rejects.toMatchObject({ code: 'DISK_RANGE_INVALID' });
    expect(() => source.extents(16 * mib, 1)).toThrow(
      expect.objectContaining({ code: 'DISK_RANGE_INVALID' }),
    );
    expect(await collectExtents(source.extents(5 * mib, 65 * kib))).toEqual<Extent[]>([
      { offsetBytes: 5 * mib, lengthBytes: 64 * kib, kind: 'data' },
      { offsetBytes: 5 * mib + 64 * kib, lengthBytes: kib, kind: 'hole' },
    ]);
    cancel.abort();
    await expect(source.readInto(0, target)).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' });
    await source.close();
    await source.close();
  });
});

test('a cancelled opening leaves no server and no folder', async () => {
  await withTempFolder(async (folder) => {
    await makeDisk(folder);
    const image = await openImage(folder);
    const workDir = path.join(folder, 'work');
    const params = { image, workDir, signal: AbortSignal.abort() };
    await expect(openSource(params)).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' });
    expect(await readdir(workDir)).toEqual([]);
  });
});
