import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { runProcess } from '@ascend/runtime';
import { describe, expect, test } from 'vitest';
import { qemuImg, withTempFolder } from '../testing/images.ts';
import { declareSinkContract } from '../testing/sinkContract.ts';
import { openFileSink } from './fileSink.ts';

const mib = 1024 * 1024;

describe.each(['raw', 'qcow2', 'qcow2-zstd'] as const)('file sink %s', (format) => {
  const driver = format === 'raw' ? 'raw' : 'qcow2';
  const finalOf = (folder: string): string => path.join(folder, 'out', `disk.${format}`);
  const open = async (folder: string, params: { sizeBytes: number; resume: boolean }) =>
    await openFileSink({ ...params, finalPath: finalOf(folder), format, workDir: path.join(folder, 'work') });

  declareSinkContract({
    name: format,
    open: async (folder, params) => (await open(folder, params)).sink,
    read: async (folder) => {
      if (!existsSync(finalOf(folder))) return null;
      const rawPath = path.join(folder, 'read.raw');
      await qemuImg('convert', '-f', driver, '-O', 'raw', finalOf(folder), rawPath);
      return await readFile(rawPath);
    },
  });

  test('a finished disk is adopted by the next open and left alone', async () => {
    await withTempFolder(async (folder) => {
      const { sink } = await open(folder, { sizeBytes: mib, resume: false });
      await sink.write(0, Buffer.alloc(mib, 5));
      await sink.finish();
      const again = await open(folder, { sizeBytes: mib, resume: false });
      expect(again.alreadyFinished).toBe(true);
      await again.sink.write(0, Buffer.alloc(mib, 6));
      await again.sink.abort();
      await qemuImg('convert', '-f', driver, '-O', 'raw', finalOf(folder), path.join(folder, 'r'));
      expect((await readFile(path.join(folder, 'r'))).every((byte) => byte === 5)).toBe(true);
    });
  });

  test('what an earlier attempt left is kept only on resume, and not when it is unusable', async () => {
    await withTempFolder(async (folder) => {
      const partial = `${finalOf(folder)}.partial`;
      const opened = async (resume: boolean): Promise<boolean> => {
        const { sink, kept } = await open(folder, { sizeBytes: mib, resume });
        await sink.suspend();
        return kept;
      };
      expect(await opened(true)).toBe(false);
      expect(await opened(true)).toBe(true);
      expect(await opened(false)).toBe(false);
      await writeFile(partial, Buffer.alloc(2 * mib, 1));
      expect(await opened(true)).toBe(false);
      await rm(partial);
      expect(await opened(true)).toBe(false);
    });
  });

  test('a foreign file under the final name is refused and kept', async () => {
    await withTempFolder(async (folder) => {
      await mkdir(path.dirname(finalOf(folder)));
      await writeFile(finalOf(folder), 'precious');
      await expect(open(folder, { sizeBytes: mib, resume: true })).rejects.toMatchObject({
        code: 'DISK_TARGET_EXISTS',
      });
      expect(await readFile(finalOf(folder), 'utf8')).toBe('precious');
    });
  });

  test('sizes that no disk can have are refused', async () => {
    await withTempFolder(async (folder) => {
      for (const sizeBytes of [0, -512, 1000, Number.NaN, 2 ** 60]) {
        await expect(open(folder, { sizeBytes, resume: false })).rejects.toMatchObject({
          code: 'DISK_RANGE_INVALID',
        });
      }
    });
  });

  test('zeros on a fresh disk take no space and a suspended one keeps its holes', async () => {
    await withTempFolder(async (folder) => {
      const sizeBytes = 1024 * 1024 * mib;
      const { sink } = await open(folder, { sizeBytes, resume: false });
      await sink.write(sizeBytes / 2, Buffer.alloc(mib, 1));
      await sink.writeZeros(0, sizeBytes / 2);
      await sink.suspend();
      const again = await open(folder, { sizeBytes, resume: true });
      await again.sink.writeZeros(0, sizeBytes);
      await again.sink.finish();
      const { blocks } = await stat(finalOf(folder));
      expect(blocks * 512).toBeLessThan(4 * mib);
    });
  });

  test.skipIf(process.getuid?.() !== 0)('a full disk is a coded error', async () => {
    await withTempFolder(async (folder) => {
      const small = path.join(folder, 'out');
      await mkdir(small);
      await runProcess({ program: 'mount', args: ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', small] });
      try {
        const { sink } = await open(folder, { sizeBytes: 8 * mib, resume: false });
        await expect(sink.write(0, randomBytes(4 * mib))).rejects.toMatchObject({
          code: 'DISK_SPACE_EXHAUSTED',
        });
        await sink.abort();
        expect(await readdir(small)).toEqual([]);
      } finally {
        await runProcess({ program: 'umount', args: [small] });
      }
    });
  });
});
