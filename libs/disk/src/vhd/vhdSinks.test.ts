import { stat } from 'node:fs/promises';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { declareImageSinkTests, readDisk, sinkParams } from '../testing/imageSinkTests.ts';
import { qemuImg, withTempFolder } from '../testing/images.ts';
import { checkVhd } from './checkVhd.ts';
import { openDynamicVhdSink } from './dynamicSink.ts';
import { openFixedVhdSink } from './fixedSink.ts';
import { maxVhdBytes } from './vhdSize.ts';

const mib = 1024 ** 2;

describe.each([
  { format: 'vhd' as const, open: openDynamicVhdSink },
  { format: 'vhd-fixed' as const, open: openFixedVhdSink },
])('file sink $format', ({ format, open }) => {
  declareImageSinkTests({ format, qemuFormat: 'vpc', open: (params) => open(params), check: checkVhd });

  test('a disk above 2040 GiB is refused, one of exactly that is not', async () => {
    await withTempFolder(async (folder) => {
      await expect(open(sinkParams(folder, maxVhdBytes + 512, false))).rejects.toMatchObject({
        code: 'DISK_FORMAT_LIMIT',
        details: { format: 'vhd', limitBytes: maxVhdBytes, sizeBytes: maxVhdBytes + 512 },
      });
      const params = sinkParams(folder, maxVhdBytes, false);
      const { sink } = await open(params);
      await sink.write(maxVhdBytes - mib, Buffer.alloc(mib, 7));
      await sink.finish();
      expect(await checkVhd(params.finalPath)).toMatchObject({ problems: [], virtualSizeBytes: maxVhdBytes });
      const info: unknown = JSON.parse(await qemuImg('info', '--output=json', '-f', 'vpc', params.finalPath));
      expect(info).toMatchObject({ 'virtual-size': maxVhdBytes });
      // Tables and one block: nothing else has space.
      expect((await stat(params.finalPath)).blocks * 512).toBeLessThan(8 * mib);
    });
  });

  test('reads as what was written in any order, with any zeros between', async () => {
    const sizeBytes = 11 * mib + 3 * 512;
    const sectors = sizeBytes / 512;
    const change = fc.record({
      at: fc.nat(sectors - 1),
      count: fc.integer({ min: 1, max: 5000 }),
      fill: fc.integer({ min: 0, max: 255 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 12 }), async (changes) => {
        await withTempFolder(async (folder) => {
          const params = sinkParams(folder, sizeBytes, false);
          const { sink } = await open(params);
          const expected = Buffer.alloc(sizeBytes);
          for (const { at, count, fill } of changes) {
            const end = Math.min(at + count, sectors) * 512;
            expected.fill(fill, at * 512, end);
            if (fill === 0) await sink.writeZeros(at * 512, end - at * 512);
            else await sink.write(at * 512, expected.subarray(at * 512, end));
          }
          await sink.finish();
          expect((await checkVhd(params.finalPath)).problems).toEqual([]);
          expect((await readDisk(params.finalPath, 'vpc')).equals(expected)).toBe(true);
        });
      }),
      { numRuns: 6 },
    );
  });
});

test('a finished dynamic VHD has no holes, unless asked for', async () => {
  await withTempFolder(async (folder) => {
    const spaceOf = async (sparse: boolean): Promise<number> => {
      const params = sinkParams(folder, 64 * mib, false);
      const { sink } = await openDynamicVhdSink(params, { sparse });
      for (const at of [3, 21, 55]) await sink.write(at * mib, Buffer.alloc(64 * 1024, 1));
      await sink.finish();
      const { size, blocks } = await stat(params.finalPath);
      expect(size).toBeLessThan(7 * mib);
      return blocks * 512 - size;
    };
    expect(await spaceOf(false)).toBeGreaterThanOrEqual(-512);
    expect(await spaceOf(true)).toBeLessThan(-5 * mib);
  });
});

test('a finished fixed VHD keeps its holes, unless asked not to', async () => {
  await withTempFolder(async (folder) => {
    for (const sparse of [true, false]) {
      const params = sinkParams(folder, 16 * mib, false);
      const { sink } = await openFixedVhdSink(params, { sparse });
      await sink.write(0, Buffer.alloc(mib, 1));
      await sink.finish();
      const { blocks } = await stat(params.finalPath);
      expect(blocks * 512 >= 16 * mib).toBe(!sparse);
    }
  });
});
