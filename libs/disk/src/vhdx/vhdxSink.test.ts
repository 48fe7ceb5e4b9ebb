import { open, stat } from 'node:fs/promises';
import { runProcess } from '@ascend/runtime';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { declareImageSinkTests, readDisk, sinkParams } from '../testing/imageSinkTests.ts';
import { qemuImg, withTempFolder } from '../testing/images.ts';
import { checkVhdx } from './checkVhdx.ts';
import { openVhdxSink, type VhdxOptions } from './vhdxSink.ts';

const mib = 1024 ** 2;
const tib = 1024 ** 4;

async function qemuCheck(filePath: string): Promise<string> {
  return await qemuImg('check', '-f', 'vhdx', filePath);
}

/** Reads one range of an image with qemu-io; true when all of it is this byte. */
async function holds(filePath: string, at: number, length: number, fill: number): Promise<boolean> {
  const { stdout } = await runProcess({
    program: 'qemu-io',
    args: ['-r', '-f', 'vhdx', '-c', `read -P ${fill} ${at} ${length}`, filePath],
    okExitCodes: [0, 1],
  });
  return stdout.includes(`read ${length}/${length}`) && !stdout.includes('verification failed');
}

describe('file sink vhdx', () => {
  declareImageSinkTests({
    format: 'vhdx',
    qemuFormat: 'vhdx',
    open: (params) => openVhdxSink(params),
    check: checkVhdx,
  });

  test.each<VhdxOptions>([{ blockBytes: mib }, { blockBytes: 4 * mib, sectors: '512n' }])(
    'reads as what was written in any order, with any zeros between: %o',
    async (options) => {
      const sizeBytes = 11 * mib + 3 * 512;
      const sectors = sizeBytes / 512;
      const change = fc.record({
        at: fc.nat(sectors - 1),
        count: fc.integer({ min: 1, max: 5000 }),
        fill: fc.integer({ min: 0, max: 255 }),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(change, { maxLength: 12 }), fc.nat(11), async (changes, cutAfter) => {
          await withTempFolder(async (folder) => {
            const params = sinkParams(folder, sizeBytes, false);
            let { sink } = await openVhdxSink(params, options);
            const expected = Buffer.alloc(sizeBytes);
            for (const [index, { at, count, fill }] of changes.entries()) {
              const end = Math.min(at + count, sectors) * 512;
              expected.fill(fill, at * 512, end);
              if (fill === 0) await sink.writeZeros(at * 512, end - at * 512);
              else await sink.write(at * 512, expected.subarray(at * 512, end));
              if (index !== cutAfter) continue;
              await sink.suspend();
              ({ sink } = await openVhdxSink({ ...params, resume: true }, options));
            }
            await sink.finish();
            expect((await checkVhdx(params.finalPath)).problems).toEqual([]);
            expect(await qemuCheck(params.finalPath)).toContain('No errors');
            expect((await readDisk(params.finalPath, 'vhdx')).equals(expected)).toBe(true);
          });
        }),
        { numRuns: 5 },
      );
    },
  );

  test('beyond 2 TiB, and across the sector bitmap entries of the table, data lies where it was written', async () => {
    await withTempFolder(async (folder) => {
      const sizeBytes = 3 * tib + 512;
      const params = sinkParams(folder, sizeBytes, false);
      // Blocks of 2 MiB: an entry for a sector bitmap after each 2048 blocks, which are 4 GiB.
      const { sink } = await openVhdxSink(params, { blockBytes: 2 * mib });
      const places = [0, 4096 * mib - mib, 4096 * mib, 2 * tib - mib, 2 * tib, sizeBytes - mib - 512];
      for (const [index, at] of places.entries()) await sink.write(at, Buffer.alloc(mib, index + 1));
      await sink.write(sizeBytes - 512, Buffer.alloc(512, 99));
      await sink.finish();
      expect(await checkVhdx(params.finalPath)).toMatchObject({
        problems: [],
        virtualSizeBytes: sizeBytes,
        allocatedBlocks: 7,
      });
      expect(await qemuCheck(params.finalPath)).toContain('No errors');
      for (const [index, at] of places.entries()) {
        expect(await holds(params.finalPath, at, mib, index + 1)).toBe(true);
      }
      expect(await holds(params.finalPath, sizeBytes - 512, 512, 99)).toBe(true);
      expect(await holds(params.finalPath, tib, 64 * mib, 0)).toBe(true);
      expect(await holds(params.finalPath, 4096 * mib + mib, mib, 0)).toBe(true);
    });
  });

  test('a disk of 64 TiB has a table of 17 MiB and is written at both ends; one sector more is refused', async () => {
    await withTempFolder(async (folder) => {
      const sizeBytes = 64 * tib;
      const params = sinkParams(folder, sizeBytes, false);
      const { sink } = await openVhdxSink(params);
      await sink.write(sizeBytes - mib, Buffer.alloc(mib, 8));
      await sink.suspend();
      const again = await openVhdxSink({ ...params, resume: true });
      expect(again.kept).toBe(true);
      await again.sink.finish();
      const report = await checkVhdx(params.finalPath);
      expect(report).toMatchObject({ problems: [], blockBytes: 32 * mib, allocatedBlocks: 1 });
      // Header section, log, metadata, table, one block.
      expect((await stat(params.finalPath)).size).toBe((3 + 17 + 32) * mib);
      expect(await holds(params.finalPath, sizeBytes - mib, mib, 8)).toBe(true);
      await expect(openVhdxSink(sinkParams(folder, sizeBytes + 512, false))).rejects.toMatchObject({
        code: 'DISK_FORMAT_LIMIT',
      });
    });
  });

  test('a file has no holes when it is finished, unless asked for', async () => {
    await withTempFolder(async (folder) => {
      for (const sparse of [false, true]) {
        const params = sinkParams(folder, 256 * mib, false);
        const { sink } = await openVhdxSink(params, { sparse, blockBytes: 8 * mib });
        await sink.write(100 * mib, Buffer.alloc(64 * 1024, 1));
        await sink.finish();
        const { size, blocks } = await stat(params.finalPath);
        expect(size).toBe((3 + 1 + 8) * mib);
        expect(blocks * 512 >= size).toBe(!sparse);
      }
    });
  });

  test('a partial file keeps its block size, whatever would be chosen on resume', async () => {
    await withTempFolder(async (folder) => {
      const params = sinkParams(folder, 64 * mib, false);
      const { sink } = await openVhdxSink(params, { blockBytes: 4 * mib });
      await sink.write(0, Buffer.alloc(512, 1));
      await sink.suspend();
      const again = await openVhdxSink({ ...params, resume: true }, { blockBytes: 32 * mib });
      expect(again.kept).toBe(true);
      await again.sink.finish();
      expect((await checkVhdx(params.finalPath)).blockBytes).toBe(4 * mib);
    });
  });
});

describe('vhdx with sectors of 4 KiB', () => {
  test('keeps the rules of the format; QEMU 7.2 does not open it, but reads it when its sectors are called 512', async () => {
    await withTempFolder(async (folder) => {
      const params = sinkParams(folder, 64 * mib, false);
      const { sink } = await openVhdxSink(params, { sectors: '4kn', blockBytes: 2 * mib });
      expect(sink.alignmentBytes).toBe(4096);
      await expect(sink.write(512, Buffer.alloc(512))).rejects.toMatchObject({ code: 'DISK_RANGE_INVALID' });
      await sink.write(4 * mib, Buffer.alloc(mib, 5));
      await sink.write(60 * mib, Buffer.alloc(mib, 6));
      await sink.finish();
      expect(await checkVhdx(params.finalPath)).toMatchObject({ problems: [], virtualSizeBytes: 64 * mib });
      await expect(qemuImg('info', '-f', 'vhdx', params.finalPath)).rejects.toThrow(/not supported/);
      // Below 32 GiB such a disk has no sector bitmap entries, so that only this number differs.
      const handle = await open(params.finalPath, 'r+');
      await handle.write(Buffer.from([0, 2, 0, 0]), 0, 4, 2 * mib + 64 * 1024 + 32);
      await handle.close();
      const expected = Buffer.alloc(64 * mib)
        .fill(5, 4 * mib, 5 * mib)
        .fill(6, 60 * mib, 61 * mib);
      expect((await readDisk(params.finalPath, 'vhdx')).equals(expected)).toBe(true);
    });
  });

  test('is refused for a size that is no multiple of them', async () => {
    await withTempFolder(async (folder) => {
      const opened = openVhdxSink(sinkParams(folder, mib + 512, false), { sectors: '4kn' });
      await expect(opened).rejects.toMatchObject({ code: 'DISK_RANGE_INVALID' });
    });
  });
});
