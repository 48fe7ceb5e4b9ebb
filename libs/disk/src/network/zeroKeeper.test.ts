import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createNamedRanges } from './namedRanges.ts';
import { createZeroKeeper } from './zeroKeeper.ts';

const mib = 1024 * 1024;

test('named ranges know exactly what was never named, whatever the order', () => {
  const range = fc.record({ from: fc.nat(60), length: fc.nat(20) });
  fc.assert(
    fc.property(fc.array(range, { maxLength: 30 }), fc.integer({ min: 1, max: 80 }), (added, end) => {
      const named = createNamedRanges();
      const model = new Set<number>();
      for (const { from, length } of added) {
        named.add(from, length);
        for (let at = from; at < from + length; at += 1) model.add(at);
      }
      const missing = named.missing(end);
      const found = missing.flatMap(({ offsetBytes, lengthBytes }) =>
        Array.from({ length: lengthBytes }, (_, index) => offsetBytes + index),
      );
      const expected = Array.from({ length: end }, (_, at) => at).filter((at) => !model.has(at));
      expect(found).toEqual(expected);
      expect(missing.every(({ lengthBytes }) => lengthBytes > 0)).toBe(true);
    }),
  );
});

describe('zeros on a target that is not ours', () => {
  const zero = { offsetBytes: 0, lengthBytes: 2 * mib };

  test('are all written when it may hold something old, and what nobody named is too', () => {
    const keeper = createZeroKeeper({ sizeBytes: 4 * mib, fresh: false, kept: false });
    keeper.wrote(2 * mib, mib);
    expect(keeper.toZero(0, 2 * mib)).toEqual([zero]);
    expect(keeper.neverNamed()).toEqual([{ offsetBytes: 3 * mib, lengthBytes: mib }]);
  });

  test('are left out on a fresh one, except over written data', () => {
    const keeper = createZeroKeeper({ sizeBytes: 4 * mib, fresh: true, kept: false });
    keeper.wrote(mib, mib);
    expect(keeper.toZero(0, 4 * mib)).toEqual([{ offsetBytes: mib, lengthBytes: mib }]);
    expect(keeper.neverNamed()).toEqual([]);
  });

  test('are all written on a resume, fresh or not, but what was not named stays', () => {
    for (const fresh of [true, false]) {
      const keeper = createZeroKeeper({ sizeBytes: 4 * mib, fresh, kept: true });
      expect(keeper.toZero(0, 2 * mib)).toEqual([zero]);
      expect(keeper.neverNamed()).toEqual([]);
    }
  });
});
