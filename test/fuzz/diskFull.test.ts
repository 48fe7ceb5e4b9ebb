import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { copyDisk, exportDisk, fileFormats, openFileSink, planExport, type FileFormat } from '@ascend/disk';
import { withTempFolder } from '@ascend/disk/testing';
import { runProcess } from '@ascend/runtime';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { randomSource, sourceBytes, sourceContent } from './randomSource.ts';

const mib = 1024 * 1024;
const numRuns = Number(process.env['ASCEND_FUZZ_RUNS'] ?? 3);
const property = { numRuns, ...(process.env['ASCEND_FUZZ_RUNS'] === undefined ? { seed: 20_261_103 } : {}) };
const isRoot = process.getuid?.() === 0;

/** A storage of some bytes, as a folder. */
async function withSmallStorage(
  sizeBytes: number,
  run: (folder: string, base: string) => Promise<void>,
): Promise<void> {
  await withTempFolder(async (base) => {
    const folder = path.join(base, 'small');
    await mkdir(folder);
    await runProcess({ program: 'mount', args: ['-t', 'tmpfs', '-o', `size=${sizeBytes}`, 'tmpfs', folder] });
    try {
      await run(folder, base);
    } finally {
      await runProcess({ program: 'umount', args: [folder] });
    }
  });
}

// Making a storage of its own needs root.
describe.skipIf(!isRoot)('a storage that fills up', () => {
  test.each(fileFormats)(
    'while a %s file is written is a coded error and leaves nothing',
    async (format: FileFormat) => {
      await fc.assert(
        fc.asyncProperty(fc.integer({ min: 4096, max: 10 * mib }), async (storageBytes) => {
          await withSmallStorage(storageBytes, async (folder, base) => {
            const signal = AbortSignal.timeout(60_000);
            const work = async (): Promise<void> => {
              const { sink } = await openFileSink({
                finalPath: path.join(folder, 'disk'),
                format,
                sizeBytes: sourceBytes,
                resume: false,
                workDir: base,
                signal,
              });
              try {
                await copyDisk({
                  source: randomSource(),
                  sink,
                  targetSizeBytes: sourceBytes,
                  workDir: base,
                  signal,
                  bandwidthBytesPerSecond: null,
                  resumeFromBytes: 0,
                  onProgress: () => undefined,
                  onConfirmed: () => Promise.resolve(),
                });
                await sink.finish();
              } catch (cause) {
                await sink.abort();
                throw cause;
              }
            };
            await expect(work()).rejects.toMatchObject({
              code: 'DISK_SPACE_EXHAUSTED',
              message: expect.stringContaining('disk'),
            });
            expect(await readdir(folder)).toEqual([]);
          });
        }),
        property,
      );
    },
  );

  test.each(fileFormats)('is seen before a %s export begins', async (format: FileFormat) => {
    await withSmallStorage(6 * mib, async (folder, base) => {
      const file = path.join(base, 'source.raw');
      await writeFile(file, sourceContent);
      const signal = AbortSignal.timeout(60_000);
      const plan = await planExport({
        file,
        repositoryRoot: null,
        sourceFormat: null,
        format,
        engine: 'auto',
        finalPath: path.join(folder, 'disk'),
        makeFolder: false,
        verify: 'none',
        bandwidthBytesPerSecond: null,
        resume: false,
        workDir: path.join(base, 'work'),
        signal,
      });
      const run = exportDisk(plan, { signal, onProgress: () => undefined, onRemark: () => undefined });
      await expect(run).rejects.toMatchObject({ code: 'DISK_SPACE_EXHAUSTED' });
      expect(await readdir(folder)).toEqual([]);
    });
  });
});
