import { crc32, deflateSync } from 'node:zlib';

/** A picture of a machine's screen: 3 bytes per pixel, red first, rows from the top. */
export interface ScreenImage {
  readonly width: number;
  readonly height: number;
  readonly pixels: Buffer;
}

// The guest chooses the resolution.
const maxPixels = 64 * 1024 * 1024;

/** Reads a binary PPM picture (P6, 8 bits per channel); null for all else. */
export function readPpm(data: Buffer): ScreenImage | null {
  const head = /^P6\s+(\d{1,5})\s+(\d{1,5})\s+255\s/.exec(data.toString('latin1', 0, 64));
  if (head === null) return null;
  const [width, height] = [Number(head[1]), Number(head[2])];
  const pixels = data.subarray(head[0].length);
  if (width * height === 0 || width * height > maxPixels) return null;
  return pixels.length === width * height * 3 ? { width, height, pixels } : null;
}

/** True when the whole screen has one colour. */
export function isBlank(image: ScreenImage): boolean {
  const { pixels } = image;
  return pixels.subarray(3).equals(pixels.subarray(0, pixels.length - 3));
}

/** Share of the picture that a blinking cursor or a clock may change. */
const restlessShare = 0.002;

/** True when two pictures show the same but for a blinking cursor. */
export function looksAlike(one: ScreenImage, other: ScreenImage): boolean {
  if (one.width !== other.width || one.height !== other.height) return false;
  let different = 0;
  for (let at = 0; at < one.pixels.length; at += 3) {
    if (one.pixels.compare(other.pixels, at, at + 3, at, at + 3) !== 0) different += 1;
  }
  return different <= one.width * one.height * restlessShare;
}

function chunk(type: string, body: Buffer): Buffer {
  const typed = Buffer.concat([Buffer.from(type, 'latin1'), body]);
  const framed = Buffer.alloc(typed.length + 8);
  framed.writeUInt32BE(body.length, 0);
  typed.copy(framed, 4);
  framed.writeUInt32BE(crc32(typed), typed.length + 4);
  return framed;
}

/** The picture as a PNG file. Made here because QEMU before 7.1 writes only PPM. */
export function encodePng(image: ScreenImage): Buffer {
  const rowBytes = image.width * 3;
  const rows = Buffer.alloc((rowBytes + 1) * image.height);
  for (let row = 0; row < image.height; row += 1) {
    image.pixels.copy(rows, row * (rowBytes + 1) + 1, row * rowBytes, (row + 1) * rowBytes);
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(image.width, 0);
  header.writeUInt32BE(image.height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const parts = [
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ];
  return Buffer.concat(parts);
}

/** The picture at half its width and height (every other pixel). */
function halve(image: ScreenImage): ScreenImage {
  const [width, height] = [Math.max(1, image.width >> 1), Math.max(1, image.height >> 1)];
  const pixels = Buffer.alloc(width * height * 3);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const from = (y * 2 * image.width + x * 2) * 3;
      image.pixels.copy(pixels, (y * width + x) * 3, from, from + 3);
    }
  }
  return { width, height, pixels };
}

/** The picture as a PNG of at most `maxBytes`, halved as often as that takes. */
export function encodePngWithin(image: ScreenImage, maxBytes: number): Buffer {
  let current = image;
  let png = encodePng(current);
  while (png.length > maxBytes && current.width * current.height > 1) {
    current = halve(current);
    png = encodePng(current);
  }
  return png;
}
