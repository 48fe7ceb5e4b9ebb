import { existsSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { runProcess } from '@ascend/runtime';
import { expect, test } from 'vitest';
import type { StructureReport } from '../blocks/structureReport.ts';
import type { FileSinkParams, PartialFileSink } from '../sinks/partialSink.ts';
import { openFileSink, type FileFormat } from '../sinks/fileSink.ts';
import { qemuImg, withTempFolder } from './images.ts';
import { declareSinkContract } from './sinkContract.ts';

const mib = 1024 ** 2;

/** An image format of our own writer under test. */
export interface ImageSinkTestParams {
  readonly format: FileFormat;
  /** What QEMU calls it. */
  readonly qemuFormat: string;
  readonly open: (params: FileSinkParams) => Promise<PartialFileSink>;
  readonly check: (filePath: string) => Promise<StructureReport>;
}

/** Places below a test's folder. */
export function sinkParams(folder: string, sizeBytes: number, resume: boolean): FileSinkParams {
  const finalPath = path.join(folder, 'disk.img');
  return { finalPath, partialPath: `${finalPath}.partial`, sizeBytes, resume, workDir: folder };
}

/** The disk in an image as QEMU reads it. */
export async function readDisk(imagePath: string, qemuFormat: string): Promise<Buffer> {
  const rawPath = `${imagePath}.read`;
  await qemuImg('convert', '-f', qemuFormat, '-O', 'raw', imagePath, rawPath);
  const bytes = await readFile(rawPath);
  await rm(rawPath);
  return bytes;
}

function declareCutTests({ qemuFormat, open, check }: ImageSinkTestParams): void {
  test('a file cut while it was written is no image for any reader, and goes on from the last flush', async () => {
    await withTempFolder(async (folder) => {
      const params = sinkParams(folder, 40 * mib, false);
      const { sink } = await open(params);
      await sink.write(33 * mib, Buffer.alloc(mib, 1));
      await sink.write(0, Buffer.alloc(mib, 2));
      await sink.flush();
      await sink.write(20 * mib, Buffer.alloc(mib, 3));
      // What a killed process leaves: the bytes as they are now.
      const cut = path.join(folder, 'cut');
      await copyFile(params.partialPath, cut);
      await sink.abort();
      expect((await check(cut)).problems).not.toEqual([]);
      await expect(qemuImg('info', '-f', qemuFormat, cut)).rejects.toMatchObject({ code: 'PROCESS_FAILED' });
      await rename(cut, params.partialPath);
      const again = await open({ ...params, resume: true });
      expect(again.kept).toBe(true);
      await again.sink.write(21 * mib, Buffer.alloc(mib, 4));
      await again.sink.writeZeros(20 * mib, mib);
      await again.sink.finish();
      expect((await check(params.finalPath)).problems).toEqual([]);
      const expected = Buffer.alloc(40 * mib);
      expected
        .fill(1, 33 * mib, 34 * mib)
        .fill(2, 0, mib)
        .fill(4, 21 * mib, 22 * mib);
      expect((await readDisk(params.finalPath, qemuFormat)).equals(expected)).toBe(true);
    });
  });

  test('a file that was complete but for its name goes on too, and is no image meanwhile', async () => {
    await withTempFolder(async (folder) => {
      const params = sinkParams(folder, 8 * mib, false);
      const { sink } = await open(params);
      await sink.write(0, Buffer.alloc(mib, 1));
      await sink.finish();
      await rename(params.finalPath, params.partialPath);
      const again = await open({ ...params, resume: true });
      expect(again.kept).toBe(true);
      await again.sink.write(5 * mib, Buffer.alloc(mib, 2));
      await again.sink.suspend();
      expect((await check(params.partialPath)).problems).not.toEqual([]);
      const last = await open({ ...params, resume: true });
      await last.sink.finish();
      expect((await check(params.finalPath)).problems).toEqual([]);
      const expected = Buffer.alloc(8 * mib)
        .fill(1, 0, mib)
        .fill(2, 5 * mib, 6 * mib);
      expect((await readDisk(params.finalPath, qemuFormat)).equals(expected)).toBe(true);
    });
  });

  test('what is not a partial file of this disk is written anew', async () => {
    await withTempFolder(async (folder) => {
      const params = sinkParams(folder, 8 * mib, true);
      const keptAfter = async (sizeBytes: number): Promise<boolean> => {
        const { sink, kept } = await open({ ...params, sizeBytes });
        await sink.suspend();
        return kept;
      };
      expect(await keptAfter(8 * mib)).toBe(false);
      expect(await keptAfter(8 * mib)).toBe(true);
      await writeFile(params.partialPath, Buffer.alloc(10 * mib, 1));
      expect(await keptAfter(8 * mib)).toBe(false);
      await writeFile(params.partialPath, Buffer.alloc(64 * mib));
      expect(await keptAfter(8 * mib)).toBe(false);
    });
  });
}

function declareSpaceTests({ open }: ImageSinkTestParams): void {
  test.skipIf(process.getuid?.() !== 0)(
    'a full disk is a coded error, and abort leaves nothing',
    async () => {
      await withTempFolder(async (folder) => {
        const small = path.join(folder, 'small');
        await mkdir(small);
        await runProcess({ program: 'mount', args: ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', small] });
        try {
          const { sink } = await open(sinkParams(small, 8 * mib, false));
          const filled = async (): Promise<void> => {
            for (let at = 0; at < 8; at += 1) await sink.write(at * mib, Buffer.alloc(mib, 1));
          };
          await expect(filled()).rejects.toMatchObject({ code: 'DISK_SPACE_EXHAUSTED' });
          await sink.abort();
          expect(await readdir(small)).toEqual([]);
        } finally {
          await runProcess({ program: 'umount', args: [small] });
        }
      });
    },
  );
}

function declareNameTests({ format, qemuFormat, check }: ImageSinkTestParams): void {
  test('a finished image is adopted by the next open; one of another size or kind is refused and kept', async () => {
    await withTempFolder(async (folder) => {
      const finalPath = path.join(folder, 'out', 'disk');
      const openNamed = async (sizeBytes: number) =>
        await openFileSink({ finalPath, format, sizeBytes, resume: false, workDir: folder });
      const { sink } = await openNamed(5 * mib);
      await sink.write(0, Buffer.alloc(mib, 5));
      await sink.finish();
      expect((await openNamed(5 * mib)).alreadyFinished).toBe(true);
      const code = 'DISK_TARGET_EXISTS';
      await expect(openNamed(6 * mib)).rejects.toMatchObject({ code });
      const { size } = await stat(finalPath);
      await truncate(finalPath, size - 512);
      await expect(openNamed(5 * mib)).rejects.toMatchObject({ code });
      expect(existsSync(finalPath)).toBe(true);
    });
  });

  test('the size is exact to the sector, whatever a geometry would make of it', async () => {
    await withTempFolder(async (folder) => {
      await mkdir(path.join(folder, 'out'));
      for (const sizeBytes of [512, 41_994_240, 3 * mib + 1024]) {
        const finalPath = path.join(folder, 'out', `disk-${sizeBytes}`);
        const { sink } = await openFileSink({ finalPath, format, sizeBytes, resume: false, workDir: folder });
        await sink.finish();
        const info: unknown = JSON.parse(await qemuImg('info', '--output=json', '-f', qemuFormat, finalPath));
        expect(info).toMatchObject({ 'virtual-size': sizeBytes });
        expect(await check(finalPath)).toMatchObject({ problems: [], virtualSizeBytes: sizeBytes });
      }
    });
  });
}

/** Declares what every image format of ours must do: the contract of sinks, cuts, adoption, sizes. */
export function declareImageSinkTests(params: ImageSinkTestParams): void {
  declareSinkContract({
    name: params.format,
    open: async (folder, { sizeBytes, resume }) =>
      (await params.open(sinkParams(folder, sizeBytes, resume))).sink,
    read: async (folder) => {
      const { finalPath } = sinkParams(folder, 0, false);
      if (!existsSync(finalPath)) return null;
      expect((await params.check(finalPath)).problems).toEqual([]);
      return await readDisk(finalPath, params.qemuFormat);
    },
  });
  declareCutTests(params);
  declareNameTests(params);
  declareSpaceTests(params);
}
