import { inflateSync, deflateSync } from 'node:zlib';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { noise } from '../testing/encoderContract.ts';
import { grainBytes } from './sparseExtent.ts';
import { adler32, storedStream, storedStreamBytes } from './storedStream.ts';

test('the checksum is the one of zlib', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 5000 }), (bytes) => {
      const stream = deflateSync(bytes);
      expect(adler32(bytes)).toBe(stream.readUInt32BE(stream.length - 4));
    }),
    { numRuns: 50 },
  );
});

test.each([
  { name: 'noise', grain: noise(grainBytes, 1) },
  { name: 'the largest sums', grain: Buffer.alloc(grainBytes, 255) },
])('a stored grain of $name is what zlib writes at level 0', ({ grain }) => {
  const stream = Buffer.concat(storedStream(grain));
  expect(stream.length).toBe(storedStreamBytes);
  expect(stream.equals(deflateSync(grain, { level: 0, chunkSize: 2 * grainBytes }))).toBe(true);
  expect(inflateSync(stream).equals(grain)).toBe(true);
});
