import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { runProcess } from '@ascend/runtime';
import { describe, expect, test } from 'vitest';
import { openFileSink, type FileFormat } from '../sinks/fileSink.ts';
import { noise } from '../testing/encoderContract.ts';
import { makeImage, qemuImg, withTempFolder } from '../testing/images.ts';
import { declareSinkContract } from '../testing/sinkContract.ts';

const mib = 1024 * 1024;
const tib = 1024 * 1024 * mib;

const finalOf = (folder: string): string => path.join(folder, 'out', 'disk.vmdk');
const openOf = (format: FileFormat) => (folder: string, params: { sizeBytes: number; resume: boolean }) =>
  openFileSink({ ...params, finalPath: finalOf(folder), format, workDir: folder });

const read = async (folder: string): Promise<Buffer | null> => {
  if (!existsSync(finalOf(folder))) return null;
  const rawPath = path.join(folder, 'read.raw');
  await qemuImg('check', '-q', '-f', 'vmdk', finalOf(folder));
  await qemuImg('convert', '-f', 'vmdk', '-O', 'raw', finalOf(folder), rawPath);
  return await readFile(rawPath);
};

describe.each([
  { format: 'vmdk', ordered: false, createType: 'monolithicSparse', other: 'streamOptimized' },
  { format: 'vmdk-stream', ordered: true, createType: 'streamOptimized', other: 'monolithicSparse' },
] as const)('file sink $format', ({ format, ordered, createType, other }) => {
  const open = openOf(format);
  declareSinkContract({
    name: format,
    ordered,
    open: async (folder, params) => (await open(folder, params)).sink,
    read,
  });

  test('a finished disk is adopted by the next open and left alone', async () => {
    await withTempFolder(async (folder) => {
      const { sink } = await open(folder, { sizeBytes: mib, resume: false });
      await sink.write(0, Buffer.alloc(mib, 5));
      await sink.finish();
      const again = await open(folder, { sizeBytes: mib, resume: false });
      expect(again).toMatchObject({ alreadyFinished: true, kept: true });
      await again.sink.write(0, Buffer.alloc(mib, 6));
      await again.sink.abort();
      expect((await read(folder))?.every((byte) => byte === 5)).toBe(true);
    });
  });

  test('a disk of another size or kind, a delta or any other file under the final name is refused and kept', async () => {
    await withTempFolder(async (folder) => {
      await mkdir(path.dirname(finalOf(folder)));
      const refused = async (): Promise<void> => {
        const before = await readFile(finalOf(folder));
        const code = 'DISK_TARGET_EXISTS';
        await expect(open(folder, { sizeBytes: mib, resume: true })).rejects.toMatchObject({ code });
        expect((await readFile(finalOf(folder))).equals(before)).toBe(true);
      };
      await makeImage({
        path: finalOf(folder),
        format: 'vmdk',
        sizeBytes: 2 * mib,
        options: `subformat=${createType}`,
      });
      await refused();
      await makeImage({
        path: finalOf(folder),
        format: 'vmdk',
        sizeBytes: mib,
        options: `subformat=${other}`,
      });
      await refused();
      await makeImage({ path: path.join(folder, 'parent.vmdk'), format: 'vmdk', sizeBytes: mib });
      await qemuImg(
        'create',
        '-q',
        '-f',
        'vmdk',
        '-b',
        path.join(folder, 'parent.vmdk'),
        '-F',
        'vmdk',
        finalOf(folder),
      );
      await refused();
      await writeFile(finalOf(folder), 'precious');
      await refused();
    });
  });

  test('a disk above 62 TiB is refused and nothing is left; one of 62 TiB is opened by QEMU', async () => {
    await withTempFolder(async (folder) => {
      const code = 'DISK_FORMAT_LIMIT';
      await expect(open(folder, { sizeBytes: 62 * tib + 512, resume: false })).rejects.toMatchObject({
        code,
      });
      expect(await readdir(path.dirname(finalOf(folder)))).toEqual([]);
      const { sink } = await open(folder, { sizeBytes: 62 * tib, resume: false });
      await sink.write(62 * tib - mib, noise(mib, 1));
      await sink.finish();
      const info: unknown = JSON.parse(await qemuImg('info', '-f', 'vmdk', '--output=json', finalOf(folder)));
      expect(info).toMatchObject({ 'virtual-size': 62 * tib });
    });
  });

  test.skipIf(process.getuid?.() !== 0)('a full disk is a coded error and nothing is left', async () => {
    await withTempFolder(async (folder) => {
      const small = path.join(folder, 'out');
      await mkdir(small);
      await runProcess({ program: 'mount', args: ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', small] });
      try {
        const { sink } = await open(folder, { sizeBytes: 8 * mib, resume: false });
        const write = sink.write(0, noise(6 * mib, 1)).then(() => sink.finish());
        await expect(write).rejects.toMatchObject({ code: 'DISK_SPACE_EXHAUSTED' });
        await sink.abort();
        expect(await readdir(small)).toEqual([]);
      } finally {
        await runProcess({ program: 'umount', args: [small] });
      }
    });
  });
});
