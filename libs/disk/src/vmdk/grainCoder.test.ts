import { inflateSync } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { noise } from '../testing/encoderContract.ts';
import { createGrainCoder, isIncompressible, isZeroGrain } from './grainCoder.ts';
import { grainBytes } from './sparseExtent.ts';

const text = Buffer.alloc(grainBytes, 'a line of a log, with a number: 4711\n');

/** Looks like text where the sample is taken, and is noise elsewhere. */
function misleading(): Buffer {
  const grain = noise(grainBytes, 7);
  for (let at = 0; at < grainBytes; at += 4096) {
    for (let byte = at; byte < at + 256; byte += 1) grain[byte] = grain[byte]! & 0x7f;
  }
  return grain;
}

describe('a grain', () => {
  test.each([
    { name: 'noise', grain: noise(grainBytes, 1), expected: true },
    { name: 'text', grain: text, expected: false },
    {
      name: 'noise in its first half only',
      grain: Buffer.concat([noise(32_768, 2), text]).subarray(0, grainBytes),
      expected: false,
    },
    {
      name: 'base64 of noise',
      grain: Buffer.from(noise(grainBytes, 3).toString('base64')).subarray(0, grainBytes),
      expected: false,
    },
    { name: 'noise shorter than a grain', grain: noise(4096, 4), expected: false },
    { name: 'zeros', grain: Buffer.alloc(grainBytes), expected: false },
  ])('of $name is taken for incompressible: $expected', ({ grain, expected }) => {
    expect(isIncompressible(grain)).toBe(expected);
  });

  test('is zeros only when every byte is', () => {
    expect(isZeroGrain(Buffer.alloc(grainBytes))).toBe(true);
    expect(isZeroGrain(Buffer.alloc(512))).toBe(true);
    fc.assert(
      fc.property(fc.nat(grainBytes - 1), (at) => {
        const grain = Buffer.alloc(grainBytes);
        grain[at] = 1;
        return !isZeroGrain(grain);
      }),
      { numRuns: 50 },
    );
  });
});

describe('the grain coder', () => {
  test('gives for every grain a zlib stream of the whole grain that is at most 16 bytes longer', async () => {
    const grains = [text, noise(grainBytes, 5), misleading(), noise(512, 6), Buffer.alloc(grainBytes, 1)];
    const coder = createGrainCoder(1);
    // Four rounds at once: states are used again, and by several at a time.
    const rounds = Array.from({ length: 4 }, () => grains).flat();
    const coded = await Promise.all(rounds.map((grain) => coder.encode(grain)));
    coder.close();
    for (const [index, parts] of coded.entries()) {
      const whole = Buffer.alloc(grainBytes);
      whole.set(rounds[index]!);
      const bytes = Buffer.concat(parts);
      expect(inflateSync(bytes).equals(whole)).toBe(true);
      expect(bytes.length).toBeLessThanOrEqual(grainBytes + 16);
    }
    expect(Buffer.concat(coded[0]!).length).toBeLessThan(1000);
  });

  test('makes smaller streams at a higher level', async () => {
    const grain = Buffer.from(
      Array.from({ length: 9000 }, (_, at) => `${(at * at) % 8191},`).join(''),
    ).subarray(0, grainBytes);
    const lengths = await Promise.all(
      [1, 9].map(async (level) => {
        const coder = createGrainCoder(level);
        const parts = await coder.encode(grain);
        coder.close();
        return Buffer.concat(parts).length;
      }),
    );
    expect(lengths[1]).toBeLessThan(lengths[0]!);
  });
});
