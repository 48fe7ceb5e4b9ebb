import { randomBytes } from 'node:crypto';
import { inflateSync } from 'node:zlib';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodePng, encodePngWithin, isBlank, looksAlike, readPpm, type ScreenImage } from './screenImage.ts';

const size = { min: 1, max: 40 };
const images = fc
  .tuple(fc.integer(size), fc.integer(size))
  .chain(([width, height]) =>
    fc
      .uint8Array({ minLength: width * height * 3, maxLength: width * height * 3 })
      .map((bytes): ScreenImage => ({ width, height, pixels: Buffer.from(bytes) })),
  );

/** Just enough of a PNG reader: chunks in order, rows without filter. */
function decodePng(png: Buffer): ScreenImage {
  const width = png.readUInt32BE(16);
  const height = png.readUInt32BE(20);
  const dataLength = png.readUInt32BE(33);
  expect(png.toString('latin1', 37, 41)).toBe('IDAT');
  const rows = inflateSync(png.subarray(41, 41 + dataLength));
  const pixels = Buffer.concat(
    Array.from({ length: height }, (_, row) =>
      rows.subarray(row * (width * 3 + 1) + 1, (row + 1) * (width * 3 + 1)),
    ),
  );
  return { width, height, pixels };
}

test('a picture survives the way through PNG', () => {
  fc.assert(
    fc.property(images, (image) => {
      expect(decodePng(encodePng(image))).toEqual(image);
    }),
  );
});

test('PPM pictures are read, broken ones are refused', () => {
  const pixels = Buffer.from([1, 2, 3, 4, 5, 6]);
  const good = Buffer.concat([Buffer.from('P6\n2 1\n255\n'), pixels]);
  expect(readPpm(good)).toEqual({ width: 2, height: 1, pixels });
  expect(readPpm(good.subarray(0, good.length - 1))).toBeNull();
  expect(readPpm(Buffer.from('P5\n2 1\n255\n'))).toBeNull();
  expect(readPpm(Buffer.from('P6\n0 0\n255\n'))).toBeNull();
  expect(readPpm(Buffer.from('P6\n99999 99999\n255\n'))).toBeNull();
});

test('a picture is made to fit the allowance', () => {
  const width = 400;
  const pixels = randomBytes(width * width * 3);
  const png = encodePngWithin({ width, height: width, pixels }, 50_000);
  expect(png.length).toBeLessThanOrEqual(50_000);
  expect(decodePng(png).width).toBeLessThan(width);
});

test('a blank screen is told from one that shows something, a blinking cursor from news', () => {
  const dark = { width: 100, height: 100, pixels: Buffer.alloc(30_000, 7) };
  const cursor = { ...dark, pixels: Buffer.from(dark.pixels) };
  cursor.pixels.fill(255, 3_000, 3_030);
  const text = { ...dark, pixels: Buffer.from(dark.pixels) };
  text.pixels.fill(255, 3_000, 4_000);
  expect([isBlank(dark), isBlank(cursor)]).toEqual([true, false]);
  expect(looksAlike(dark, cursor)).toBe(true);
  expect(looksAlike(dark, text)).toBe(false);
  expect(looksAlike(dark, { ...dark, width: 50, height: 200 })).toBe(false);
});
