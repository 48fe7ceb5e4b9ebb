import { mkdir, open, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { runProcess } from '@ascend/runtime';
import { describe, expect, test } from 'vitest';
import { fileBlockdev, type DiskImage } from '../blockdev.ts';
import { openChain } from '../chain/chain.ts';
import { makeImage, qemuImg, withTempFolder } from '../testing/images.ts';
import { convertWithQemuImg, type ConvertParams } from './convert.ts';
import { convertArguments, convertFormats, parseConvertProgress } from './convertFormats.ts';
import { serveNbd } from './nbdServer.ts';

const mib = 1024 * 1024;
const sizeBytes = 40 * mib + 512;
const drivers = { vhd: 'vpc', 'vhd-fixed': 'vpc', 'vmdk-stream': 'vmdk', 'qcow2-zstd': 'qcow2' } as const;

const filled = (offsetBytes: number, lengthBytes: number, fill: number | 'zero') => ({
  offsetBytes,
  lengthBytes,
  fill,
});

async function makeChain(folder: string): Promise<{ top: string; image: DiskImage }> {
  const full = path.join(folder, 'full.qcow2');
  const top = path.join(folder, 'inc.qcow2');
  await makeImage({
    path: full,
    format: 'qcow2',
    sizeBytes,
    writes: [filled(0, 20 * mib, 0x11), filled(40 * mib, 512, 0x22)],
  });
  const writes = [filled(mib, mib, 0x33), filled(4 * mib, 2 * mib, 'zero')];
  await makeImage({ path: top, format: 'qcow2', sizeBytes, backing: full, writes });
  return { top, image: await imageOf(folder, 'inc.qcow2') };
}

async function imageOf(folder: string, name: string): Promise<DiskImage> {
  return { chain: await openChain({ rootPath: folder, path: name, format: 'qcow2' }), overlays: [] };
}

const convert = (params: Pick<ConvertParams, 'image' | 'finalPath' | 'format'> & Partial<ConvertParams>) =>
  convertWithQemuImg({ onProgress: () => undefined, signal: new AbortController().signal, ...params });

test.each([
  ['    (0.00/100%)', 0],
  ['(12.50/100%)', 12.5],
  ['    (100.00/100%)  ', 100],
  ['', null],
  ['(nan/100%)', null],
  ['qemu-img: (1.00/100%)', null],
])('the line %j tells %s percent', (line, percent) => {
  expect(parseConvertProgress(line)).toBe(percent);
});

test('only what may be written out of order is', () => {
  for (const format of convertFormats) {
    const args = convertArguments({
      source: 'json:{}',
      targetPath: '/t',
      format,
      bandwidthBytesPerSecond: 1.5,
    });
    expect(args.includes('-W')).toBe(!args.includes('-c'));
    expect(args.slice(-2)).toEqual(['json:{}', '/t']);
    expect(args[args.indexOf('-r') + 1]).toBe('1');
  }
});

describe.each(convertFormats)('qemu-img to %s', (format) => {
  const driver = Object.entries(drivers).find(([name]) => name === format)?.[1] ?? format;

  test('the file is the same disk, private, and stands alone under its name', async () => {
    await withTempFolder(async (folder) => {
      const { top, image } = await makeChain(folder);
      // Characters that option strings and protocol names give a meaning.
      const out = path.join(folder, 'out: a,b="c" %d');
      const finalPath = path.join(out, 'disk');
      const seen: number[] = [];
      await convert({
        image,
        finalPath,
        format,
        onProgress: (progress) => void seen.push(progress.bytesDone),
      });
      expect(await readdir(out)).toEqual(['disk']);
      expect(await qemuImg('compare', '-f', 'qcow2', '-F', driver, top, finalPath)).toContain('identical');
      const info: unknown = JSON.parse(await qemuImg('info', '--output=json', '-f', driver, finalPath));
      expect(info).toMatchObject({ 'virtual-size': sizeBytes });
      expect((await stat(finalPath)).mode & 0o777).toBe(0o600);
      expect(seen[0]).toBe(0);
      expect(seen.at(-1)).toBe(sizeBytes);
      expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    });
  });

  test('cancelled, it leaves nothing', async () => {
    await withTempFolder(async (folder) => {
      const { image } = await makeChain(folder);
      const stop = new AbortController();
      const out = path.join(folder, 'out');
      const converting = convert({
        image,
        finalPath: path.join(out, 'disk'),
        format,
        signal: stop.signal,
        bandwidthBytesPerSecond: mib,
        onProgress: () => stop.abort(),
      });
      await expect(converting).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' });
      expect(await readdir(out)).toEqual([]);
      const { stdout } = await runProcess({ program: 'pgrep', args: ['-f', out], okExitCodes: [0, 1] });
      expect(stdout).toBe('');
    });
  });
});

test('a VMDK tells its final name', async () => {
  await withTempFolder(async (folder) => {
    const { image } = await makeChain(folder);
    const finalPath = path.join(folder, 'disk.vmdk');
    await convert({ image, finalPath, format: 'vmdk' });
    const head = (await readFile(finalPath)).toString('latin1', 0, 64 * 1024);
    expect(head).toContain('SPARSE "disk.vmdk"\n');
    expect(head).not.toContain('partial');
  });
});

test('a file under the final name is refused and kept', async () => {
  await withTempFolder(async (folder) => {
    const { image } = await makeChain(folder);
    const finalPath = path.join(folder, 'disk');
    await writeFile(finalPath, 'precious');
    await expect(convert({ image, finalPath, format: 'raw' })).rejects.toMatchObject({
      code: 'DISK_TARGET_EXISTS',
    });
    expect(await readFile(finalPath, 'utf8')).toBe('precious');
  });
});

test('a signal that has already fired starts nothing', async () => {
  await withTempFolder(async (folder) => {
    const { image } = await makeChain(folder);
    const finalPath = path.join(folder, 'out', 'disk');
    const converting = convert({ image, finalPath, format: 'raw', signal: AbortSignal.abort() });
    await expect(converting).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' });
    expect(await readdir(folder)).not.toContain('out');
  });
});

test.each([
  [
    'an L1 table that names the header',
    3 * 65_536,
    0x8000_0000_0000_0200n,
    /^DISK_(IO_FAILED|IMAGE_CORRUPT)$/,
  ],
  ['no magic number', 0, 0n, /^DISK_OPEN_FAILED$/],
])('a source with %s is a coded error and nothing is left', async (_name, place, value, code) => {
  await withTempFolder(async (folder) => {
    const { image } = await makeChain(folder);
    const handle = await open(path.join(folder, 'full.qcow2'), 'r+');
    const entry = Buffer.alloc(8);
    entry.writeBigUInt64BE(value);
    await handle.write(entry, 0, 8, place);
    await handle.close();
    const out = path.join(folder, 'out');
    const converting = convert({ image, finalPath: path.join(out, 'disk'), format: 'qcow2' });
    await expect(converting).rejects.toMatchObject({ code: expect.stringMatching(code) });
    expect(await readdir(out)).toEqual([]);
  });
});

test('a source that changes meanwhile is noticed', async () => {
  await withTempFolder(async (folder) => {
    const { image, top } = await makeChain(folder);
    const out = path.join(folder, 'out');
    let touched: Promise<void> | null = null;
    const onProgress = (): void => {
      touched ??= utimes(top, 1, 1);
    };
    const converting = convert({ image, finalPath: path.join(out, 'disk'), format: 'raw', onProgress });
    await expect(converting).rejects.toMatchObject({ code: 'DISK_SOURCE_CHANGED' });
    expect(await readdir(out)).toEqual([]);
  });
});

test('a source that somebody writes to is busy', async () => {
  await withTempFolder(async (folder) => {
    const { image, top } = await makeChain(folder);
    const blockdev = fileBlockdev(top, 'qcow2', { readOnly: false });
    const server = await serveNbd({
      blockdev,
      writable: true,
      connections: 1,
      workDir: path.join(folder, 'work'),
    });
    try {
      const converting = convert({ image, finalPath: path.join(folder, 'disk'), format: 'raw' });
      await expect(converting).rejects.toMatchObject({ code: 'DISK_SOURCE_BUSY' });
    } finally {
      await server.close();
    }
  });
});

test.each(['vhd', 'vhd-fixed'] as const)('a disk of 3 TiB is more than %s can hold', async (format) => {
  await withTempFolder(async (folder) => {
    await makeImage({ path: path.join(folder, 'big.qcow2'), format: 'qcow2', sizeBytes: 3 * 1024 ** 4 });
    const image = await imageOf(folder, 'big.qcow2');
    const out = path.join(folder, 'out');
    const converting = convert({ image, finalPath: path.join(out, 'disk'), format });
    await expect(converting).rejects.toMatchObject({ code: 'DISK_FORMAT_LIMIT' });
    expect(await readdir(out)).toEqual([]);
  });
});

test
  .skipIf(process.getuid?.() !== 0)
  .each(convertFormats.filter((format) => format !== 'qcow2-zstd' && format !== 'vmdk-stream'))(
  'a full disk under %s is a coded error and nothing is left',
  async (format) => {
    await withTempFolder(async (folder) => {
      const { image } = await makeChain(folder);
      const small = path.join(folder, 'small');
      await mkdir(small);
      await runProcess({ program: 'mount', args: ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', small] });
      try {
        const converting = convert({ image, finalPath: path.join(small, 'disk'), format });
        await expect(converting).rejects.toMatchObject({ code: 'DISK_SPACE_EXHAUSTED' });
        expect(await readdir(small)).toEqual([]);
      } finally {
        await runProcess({ program: 'umount', args: [small] });
      }
    });
  },
);
