import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Extent } from '../extent.ts';
import { blockBytes, dataBytesOf, planBlocks, type PlannedRun } from './blockPlan.ts';

const kib = 1024;

async function* fromArray(extents: readonly Extent[]): AsyncGenerator<Extent> {
  for (const extent of extents) {
    await Promise.resolve();
    yield extent;
  }
}

async function plan(extents: readonly Extent[], sizeBytes: number, unitBytes: number): Promise<PlannedRun[]> {
  const runs: PlannedRun[] = [];
  for await (const run of planBlocks(fromArray(extents), sizeBytes, unitBytes)) runs.push(run);
  return runs;
}

test('a disk without data is one run of zeros', async () => {
  const hole: Extent = { offsetBytes: 0, lengthBytes: 5 * blockBytes + 512, kind: 'hole' };
  expect(await plan([hole], hole.lengthBytes, 64 * kib)).toEqual([
    { kind: 'zeros', offsetBytes: 0, lengthBytes: hole.lengthBytes },
  ]);
});

test('long zeros come in pieces of 1 TiB, so that none holds up the event loop', async () => {
  const tib = 1024 ** 4;
  const hole: Extent = { offsetBytes: 0, lengthBytes: 2 * tib + 512, kind: 'hole' };
  const runs = await plan([hole], hole.lengthBytes, 64 * kib);
  expect(runs.map(({ lengthBytes }) => lengthBytes)).toEqual([tib, tib, 512]);
});

test('data marks the units it touches and nothing else', async () => {
  const data: Extent = { offsetBytes: 3 * blockBytes + 70 * kib, lengthBytes: 512, kind: 'data' };
  expect(await plan([data], 8 * blockBytes, 64 * kib)).toEqual([
    { kind: 'zeros', offsetBytes: 0, lengthBytes: 3 * blockBytes },
    { kind: 'data', offsetBytes: 3 * blockBytes, lengthBytes: blockBytes, units: 0b10 },
    { kind: 'zeros', offsetBytes: 4 * blockBytes, lengthBytes: 4 * blockBytes },
  ]);
});

test('any layout is covered once, in order, and every byte of data lies in a marked unit', async () => {
  const lengths = fc.array(
    fc.tuple(fc.constantFrom<Extent['kind']>('data', 'zero', 'hole'), fc.integer({ min: 1, max: 6000 })),
    { minLength: 1, maxLength: 30 },
  );
  await fc.assert(
    fc.asyncProperty(lengths, fc.constantFrom(64, 128, 512, 1024), async (parts, unitKib) => {
      const unitBytes = unitKib * kib;
      let at = 0;
      const extents = parts.map(([kind, sectors]): Extent => {
        const extent = { offsetBytes: at, lengthBytes: sectors * 512, kind };
        at += sectors * 512;
        return extent;
      });
      const runs = await plan(extents, at, unitBytes);
      let next = 0;
      for (const run of runs) {
        expect(run.offsetBytes).toBe(next);
        expect(run.lengthBytes).toBeGreaterThan(0);
        next += run.lengthBytes;
      }
      expect(next).toBe(at);
      const isMarked = (byte: number): boolean =>
        runs.some(
          (run) =>
            run.kind === 'data' &&
            byte >= run.offsetBytes &&
            byte < run.offsetBytes + run.lengthBytes &&
            (run.units & (1 << Math.floor((byte - run.offsetBytes) / unitBytes))) !== 0,
        );
      const data = extents.filter((extent) => extent.kind === 'data');
      for (const extent of data) {
        expect(isMarked(extent.offsetBytes)).toBe(true);
        expect(isMarked(extent.offsetBytes + extent.lengthBytes - 1)).toBe(true);
      }
      const planned = runs.reduce((sum, run) => sum + dataBytesOf(run, unitBytes), 0);
      const exact = data.reduce((sum, extent) => sum + extent.lengthBytes, 0);
      expect(planned).toBeGreaterThanOrEqual(exact);
      expect(planned).toBeLessThanOrEqual(exact + data.length * 2 * unitBytes);
    }),
    { numRuns: 200 },
  );
});
