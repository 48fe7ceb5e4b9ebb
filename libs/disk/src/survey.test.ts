import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { dataBytesOf, planBlocks } from './copy/blockPlan.ts';
import type { Extent } from './extent.ts';
import { surveyDisk } from './survey.ts';
import { extentsOf, mapOnlySource } from './testing/memorySource.ts';

const mib = 1024 * 1024;

test('a survey of any layout agrees with the blocks that a copy plans', async () => {
  const part = fc.tuple(
    fc.constantFrom<Extent['kind']>('data', 'zero', 'hole'),
    fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 90_000 })),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(part, { minLength: 1, maxLength: 30 }),
      fc.constantFrom(64, 256, 1024),
      async (parts, unitKib) => {
        const extents = extentsOf(parts);
        const sizeBytes = extents.reduce((sum, extent) => sum + extent.lengthBytes, 0);
        const source = mapOnlySource(sizeBytes, extents);
        const survey = await surveyDisk(source, unitKib * 1024);
        let planned = 0;
        const touched = new Map([1, 2, 4, 8, 16, 32].map((size) => [size, new Set<number>()]));
        for await (const run of planBlocks(source.extents(0, sizeBytes), sizeBytes, unitKib * 1024)) {
          planned += dataBytesOf(run, unitKib * 1024);
          if (run.kind === 'zeros') continue;
          for (const [size, blocks] of touched) blocks.add(Math.floor(run.offsetBytes / (size * mib)));
        }
        expect(survey.dataBytes).toBe(planned);
        expect(survey.touchedBlocks).toEqual(
          Object.fromEntries([...touched].map(([size, blocks]) => [size, blocks.size])),
        );
      },
    ),
    { numRuns: 100 },
  );
});

test('a full disk of 64 TiB and an empty one are surveyed in one step per extent', async () => {
  const sizeBytes = 64 * 1024 ** 4;
  const full: Extent = { offsetBytes: 0, lengthBytes: sizeBytes, kind: 'data' };
  expect(await surveyDisk(mapOnlySource(sizeBytes, [full]), 65_536)).toMatchObject({
    dataBytes: sizeBytes,
    touchedBlocks: { 1: 64 * 1024 * 1024, 32: 2 * 1024 * 1024 },
  });
  expect(await surveyDisk(mapOnlySource(sizeBytes, []), 65_536)).toMatchObject({
    dataBytes: 0,
    touchedBlocks: { 1: 0, 32: 0 },
  });
});

test.each([0, 100, 3 * 65_536, 2 * mib, Number.NaN])('a unit of %d bytes is refused', async (unitBytes) => {
  await expect(surveyDisk(mapOnlySource(mib, []), unitBytes)).rejects.toMatchObject({
    code: 'DISK_RANGE_INVALID',
  });
});
