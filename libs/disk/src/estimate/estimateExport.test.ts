import { stat } from 'node:fs/promises';
import path from 'node:path';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Extent } from '../extent.ts';
import { surveyDisk } from '../survey.ts';
import { extentsOf, mapOnlySource } from '../testing/memorySource.ts';
import { makeImage, qemuImg, withTempFolder } from '../testing/images.ts';
import { estimateExport, type EstimateExportParams } from './estimateExport.ts';
import { fileFacts } from './fileFacts.ts';

const mib = 1024 * 1024;
const survey = { sizeBytes: 1024 * mib, dataBytes: 400 * mib, touchedBlocks: { 1: 410, 2: 220, 32: 20 } };
const base: EstimateExportParams = {
  survey,
  format: 'raw',
  bound: fileFacts.raw.bound(survey),
  verify: 'none',
  bandwidthBytesPerSecond: null,
};

test('what is read is exact, and a raw file takes at most that', () => {
  expect(estimateExport(base)).toMatchObject({
    bytesToRead: 400 * mib,
    bytesToWrite: { atLeastBytes: 0, atMostBytes: 400 * mib },
    scratchBytes: 0,
  });
});

test('a cap, a measured rate and a read-back change the time and are named', () => {
  const plain = estimateExport(base);
  const capped = estimateExport({ ...base, bandwidthBytesPerSecond: 10 * mib });
  expect(capped.durationP50Ms).toBe(41_000);
  expect(capped.assumptions.join()).toContain('cap of 10485760');
  const measured = estimateExport({ ...base, measuredBytesPerSecond: 40 * mib });
  expect([measured.durationP50Ms, measured.durationP90Ms]).toEqual([11_000, 20_000]);
  expect(estimateExport({ ...base, verify: 'read-back' }).durationP50Ms).toBeGreaterThan(plain.durationP50Ms);
});

test('the range is never upside down, for any format, known or not', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('raw', 'qcow2', 'vmdk-stream', 'ova', 'other', 'toString'),
      fc.nat(2 ** 50),
      fc.option(fc.integer({ min: 1, max: 2 ** 40 })),
      (format, dataBytes, bandwidthBytesPerSecond) => {
        const found = estimateExport({
          ...base,
          survey: { ...survey, dataBytes },
          format,
          bandwidthBytesPerSecond,
        });
        expect(found.durationP50Ms).toBeLessThanOrEqual(found.durationP90Ms);
        expect(found.durationP50Ms).toBeGreaterThan(0);
      },
    ),
  );
});

test('bounds of every kind are in order and grow with the data', async () => {
  const part = fc.tuple(
    fc.constantFrom<Extent['kind']>('data', 'hole'),
    fc.integer({ min: 1, max: 200_000 }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 12 }), async (parts) => {
      const extents = extentsOf(parts);
      const sizeBytes = extents.reduce((sum, extent) => sum + extent.lengthBytes, 0);
      const found = await surveyDisk(mapOnlySource(sizeBytes, extents), 65_536);
      for (const { bound } of Object.values(fileFacts)) {
        const { atLeastBytes, likelyBytes, atMostBytes } = bound(found);
        expect(atLeastBytes).toBeLessThanOrEqual(likelyBytes);
        expect(likelyBytes).toBeLessThanOrEqual(atMostBytes);
        expect(atMostBytes).toBeGreaterThanOrEqual(found.dataBytes);
      }
    }),
    { numRuns: 50 },
  );
});

// What qemu-img makes of the same data is another writer's answer to the same question.
test.each([
  ['raw', 'raw', [], 12],
  ['qcow2', 'qcow2', [], 12],
  ['vmdk', 'vmdk', [], 12],
  ['vmdk-stream', 'vmdk', ['-o', 'subformat=streamOptimized'], 12],
  ['vhd', 'vpc', ['-o', 'force_size=on'], 12],
  ['vhd-fixed', 'vpc', ['-o', 'subformat=fixed,force_size=on'], 601],
] as const)(
  'a real file of kind %s fits into its bound, and the bound is not far off',
  async (kind, driver, options, maxMib) => {
    await withTempFolder(async (folder) => {
      const file = path.join(folder, 'disk.qcow2');
      const out = path.join(folder, 'out');
      const data = [0, 40, 41, 300].map((at) => [at * mib, mib] as const);
      const writes = data.map(([offsetBytes, lengthBytes]) => ({ offsetBytes, lengthBytes, fill: 7 }));
      await makeImage({ path: file, format: 'qcow2', sizeBytes: 600 * mib, writes });
      await qemuImg('convert', '-f', 'qcow2', '-O', driver, ...options, file, out);
      const extents: Extent[] = data.map(([offsetBytes, lengthBytes]) => ({
        offsetBytes,
        lengthBytes,
        kind: 'data',
      }));
      const { atLeastBytes, atMostBytes } = fileFacts[kind].bound(
        await surveyDisk(mapOnlySource(600 * mib, extents), 65_536),
      );
      const { size, blocks } = await stat(out);
      const taken = Math.min(size, blocks * 512);
      expect(taken).toBeLessThanOrEqual(atMostBytes);
      expect(atMostBytes).toBeLessThan(maxMib * mib);
      expect(atLeastBytes).toBeLessThanOrEqual(size);
    });
  },
);
