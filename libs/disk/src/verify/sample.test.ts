import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { dataBlocks, unionOf, type BlockRange } from './blockRanges.ts';
import { chooseRanks, createReservoir, createSeededRandom, detectionProbability } from './sample.ts';
import { extentsOf, mapOnlySource } from '../testing/memorySource.ts';

const mib = 1024 * 1024;

function draw(seed: string): number[] {
  return chooseRanks(1e9, 20, createSeededRandom(seed));
}

test('one seed draws one sample, another seed another', () => {
  expect(draw('a')).toEqual(draw('a'));
  expect(draw('a')).not.toEqual(draw('b'));
});

test('ranks are different, in order, below the limit and as many as asked for', () => {
  fc.assert(
    fc.property(fc.nat(2000), fc.nat(300), fc.string(), (limit, count, seed) => {
      const ranks = chooseRanks(limit, count, createSeededRandom(seed));
      expect(ranks).toHaveLength(Math.min(limit, count));
      expect(new Set(ranks).size).toBe(ranks.length);
      expect(ranks).toEqual(ranks.toSorted((a, b) => a - b));
      expect(ranks.every((rank) => rank >= 0 && rank < limit)).toBe(true);
    }),
  );
});

test('every tenth of the range is drawn about equally often', () => {
  const random = createSeededRandom('spread');
  const tenths = Array.from({ length: 10 }, () => 0);
  for (let draw = 0; draw < 20_000; draw += 1) {
    const tenth = random.below(10);
    tenths[tenth] = (tenths[tenth] ?? 0) + 1;
  }
  for (const count of tenths) expect(Math.abs(count - 2000)).toBeLessThan(250);
});

test('a reservoir keeps all of few values and a bounded, even choice of many', () => {
  const small = createReservoir(10, createSeededRandom('s'));
  for (const value of [1, 1, 2, 2, 3]) small.add(value);
  expect(small.values).toEqual([1, 2, 3]);
  const large = createReservoir(100, createSeededRandom('s'));
  for (let value = 0; value < 100_000; value += 1) large.add(value);
  expect(large.values).toHaveLength(100);
  expect(large.values.filter((value) => value >= 50_000).length).toBeGreaterThan(25);
  expect(large.seen).toBe(100_000);
});

test('the probability of a sample is exact where it can be counted by hand', () => {
  expect(detectionProbability(1, 2, 0.5)).toBeCloseTo(0.5);
  expect(detectionProbability(2, 4, 0.25)).toBeCloseTo(0.5);
  expect(detectionProbability(100, 100, 0.01)).toBe(1);
  expect(detectionProbability(0, 100, 0.01)).toBe(0);
  expect(detectionProbability(256, 1_000_000, 0.01)).toBeCloseTo(1 - 0.99 ** 256, 3);
});

function members(ranges: readonly BlockRange[]): number[] {
  return ranges.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, index) => from + index));
}

async function* listed(ranges: readonly BlockRange[]): AsyncGenerator<BlockRange> {
  for (const range of ranges) {
    await Promise.resolve();
    yield range;
  }
}

test('the union of two maps holds each block that either holds, once and in order', async () => {
  const side = fc
    .array(fc.tuple(fc.nat(5), fc.integer({ min: 1, max: 5 })), { maxLength: 12 })
    .map((parts) => {
      let at = 0;
      return parts.map(([gap, length]) => {
        const from = at + gap + 1;
        at = from + length;
        return { from, to: at };
      });
    });
  await fc.assert(
    fc.asyncProperty(side, side, async (first, second) => {
      const union: BlockRange[] = [];
      for await (const range of unionOf(listed(first), listed(second))) union.push(range);
      const expected = [...new Set([...members(first), ...members(second)])].sort((a, b) => a - b);
      expect(members(union)).toEqual(expected);
      expect(union.every((range, index) => index === 0 || range.from > (union[index - 1]?.to ?? 0))).toBe(
        true,
      );
    }),
  );
});

test('a data block is any block that data touches, and both sides of a border are edges', async () => {
  const extents = extentsOf([
    ['hole', 2048 * 3],
    ['data', 1],
    ['hole', 2048 * 4],
    ['data', 2048 * 2],
  ]);
  const source = mapOnlySource(
    extents.reduce((sum, one) => sum + one.lengthBytes, 0),
    extents,
  );
  const edges = new Set<number>();
  const ranges: BlockRange[] = [];
  for await (const range of dataBlocks(source.extents(0, source.sizeBytes), (block) => edges.add(block)))
    ranges.push(range);
  expect(ranges).toEqual([
    { from: 3, to: 4 },
    { from: 7, to: 10 },
  ]);
  expect([...edges]).toEqual([0, 2, 3, 7, 9]);
  expect(source.sizeBytes).toBe(9 * mib + 512);
});
