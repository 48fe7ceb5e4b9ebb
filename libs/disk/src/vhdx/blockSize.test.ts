import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chooseBlockBytes } from './blockSize.ts';

const mib = 1024 ** 2;
const gib = 1024 * mib;
const tib = 1024 * gib;

function survey(sizeBytes: number, touchedBlocks: Record<number, number>) {
  return { sizeBytes, dataBytes: (touchedBlocks[1] ?? 0) * mib, touchedBlocks };
}

describe('block size of a VHDX', () => {
  test.each([
    { name: 'no survey', size: 100 * gib, touched: undefined, chosen: 32 },
    { name: 'no survey, a disk smaller than a block', size: 9 * mib, touched: undefined, chosen: 16 },
    { name: 'no survey, a tiny disk', size: 512, touched: undefined, chosen: 1 },
    {
      name: 'dense data',
      size: 100 * gib,
      touched: { 1: 32_000, 2: 16_050, 4: 8_060, 8: 4_070, 16: 2_080, 32: 1_060 },
      chosen: 32,
    },
    {
      name: '200 MB in scattered single MiB',
      size: 10 * gib,
      touched: { 1: 200, 2: 200, 4: 200, 8: 199, 16: 190, 32: 150 },
      chosen: 1,
    },
    {
      name: 'data in pieces of some MiB',
      size: 100 * gib,
      touched: { 1: 8_000, 2: 4_100, 4: 2_200, 8: 1_300, 16: 900, 32: 700 },
      chosen: 4,
    },
    {
      name: 'little data: 32 MiB of waste do not matter',
      size: 10 * gib,
      touched: { 1: 3, 2: 3, 4: 3, 8: 3, 16: 2, 32: 2 },
      chosen: 16,
    },
    {
      name: 'scattered, but so large that the table decides',
      size: 64 * tib,
      touched: { 1: 1_000, 2: 1_000, 4: 1_000, 8: 1_000, 16: 1_000, 32: 1_000 },
      chosen: 32,
    },
    {
      name: 'a survey without small blocks is not used',
      size: 10 * gib,
      touched: { 32: 100 },
      chosen: 32,
    },
  ])('$name: $chosen MiB', ({ size, touched, chosen }) => {
    const found = chooseBlockBytes(size, touched === undefined ? undefined : survey(size, touched));
    expect(found / mib).toBe(chosen);
  });

  test('never needs more than 2^21 blocks nor wastes more than an eighth or 32 MiB where the table allows less', () => {
    const counts = fc.array(fc.integer({ min: 0, max: 1 }), { minLength: 1, maxLength: 64 });
    fc.assert(
      fc.property(counts, (bits) => {
        const touched: Record<number, number> = {};
        for (const size of [1, 2, 4, 8, 16, 32]) {
          touched[size] = new Set(bits.flatMap((bit, at) => (bit === 1 ? [Math.floor(at / size)] : []))).size;
        }
        const size = bits.length * mib;
        const chosen = chooseBlockBytes(size, survey(size, touched));
        const waste = (touched[chosen / mib] ?? 0) * chosen - (touched[1] ?? 0) * mib;
        expect(waste).toBeLessThanOrEqual(Math.max(((touched[1] ?? 0) * mib) / 8, 32 * mib));
      }),
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 37 }), (sectors) => {
        const none = survey(sectors * 512, { 1: 0, 2: 0, 4: 0, 8: 0, 16: 0, 32: 0 });
        for (const known of [undefined, none]) {
          expect(Math.ceil((sectors * 512) / chooseBlockBytes(sectors * 512, known))).toBeLessThanOrEqual(
            2 ** 21,
          );
        }
      }),
    );
  });
});
