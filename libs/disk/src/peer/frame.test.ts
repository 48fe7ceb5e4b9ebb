import { crc32 } from 'node:zlib';
import * as fc from 'fast-check';
import { AppError, isAppError } from '@ascend/errors';
import { describe, expect, test } from 'vitest';
import { Target } from '../nbd/channel.ts';
import { decodeExportName, decodeExtents, decodeFacts } from './answers.ts';
import { compressBlock, decompressBlock, zstdPays } from './compress.ts';
import {
  encodeFrameHead,
  endFrame,
  errorFrame,
  frameHeadBytes,
  maxFrameBytes,
  zeroFrame,
  type FrameHead,
} from './frame.ts';
import { decodeRanges } from './lendServer.ts';
import { piecesOf } from './rangeFetcher.ts';
import { readFrames, type Piece } from './readFrames.ts';

function pieceAt(offsetBytes: number, lengthBytes: number): Piece {
  return { offsetBytes, lengthBytes, target: Buffer.alloc(lengthBytes, 0xee) };
}

function dataFrame(offsetBytes: number, bytes: Buffer): Buffer {
  const range = { offsetBytes, lengthBytes: bytes.length };
  return Buffer.concat([
    encodeFrameHead({ ...range, kind: 'data', wireBytes: bytes.length, crc: crc32(bytes) }),
    bytes,
  ]);
}

async function zstdFrame(offsetBytes: number, bytes: Buffer): Promise<Buffer> {
  const packed = await compressBlock(bytes);
  if (packed === null) throw new Error('the bytes do not shrink');
  const range = { offsetBytes, lengthBytes: bytes.length };
  return Buffer.concat([
    encodeFrameHead({ ...range, kind: 'zstd', wireBytes: packed.length, crc: crc32(bytes) }),
    packed,
  ]);
}

/** Feeds a stream in chunks of the given size. Returns the pieces that were settled, in their order. */
async function feed(pieces: readonly Piece[], stream: Buffer, chunkBytes: number) {
  const settled: Piece[] = [];
  const work: Promise<void>[] = [];
  const state = { ended: false };
  const target = new Target(
    readFrames(pieces, {
      onPiece: (piece) => settled.push(piece),
      onWork: (unpacking) => {
        unpacking.catch(() => undefined);
        work.push(unpacking);
      },
      onEnd: () => (state.ended = true),
    }),
  );
  target.next();
  for (let at = 0; at < stream.length; at += chunkBytes) target.take(stream.subarray(at, at + chunkBytes));
  await Promise.all(work);
  return { settled, ended: state.ended };
}

/** `ok`, the code of what was thrown, or the thing itself. */
function codeOf(run: () => unknown): unknown {
  try {
    run();
    return 'ok';
  } catch (cause) {
    return isAppError(cause) ? cause.code : cause;
  }
}

const text = Buffer.alloc(20_000, 'what repeats itself gets small. ');
const noise = Buffer.from(Array.from({ length: 700 }, (_, index) => (index * 7919) % 251));

// Where its second frame begins.
const zstdAt = frameHeadBytes + noise.length;

async function goodStream(): Promise<{ pieces: Piece[]; stream: Buffer; plain: Buffer[] }> {
  const pieces = [pieceAt(0, 700), pieceAt(4096, text.length), pieceAt(100_000, 333)];
  const stream = Buffer.concat([
    dataFrame(0, noise),
    await zstdFrame(4096, text),
    zeroFrame({ offsetBytes: 100_000, lengthBytes: 333 }),
    endFrame(),
  ]);
  return { pieces, stream, plain: [noise, text, Buffer.alloc(333)] };
}

describe('a stream of frames', () => {
  test.each([1, 7, frameHeadBytes, 1000, 1_000_000])(
    'fills the pieces in chunks of %i bytes',
    async (chunkBytes) => {
      const { pieces, stream, plain } = await goodStream();
      const { settled, ended } = await feed(pieces, stream, chunkBytes);
      expect(ended).toBe(true);
      expect(new Set(settled)).toEqual(new Set(pieces));
      expect(pieces.map((piece) => Buffer.from(piece.target).toString('hex'))).toEqual(
        plain.map((bytes) => bytes.toString('hex')),
      );
    },
  );

  test.each([
    ['a flipped byte of data', (stream: Buffer) => stream.fill((stream[60] ?? 0) ^ 1, 60, 61)],
    ['another offset', (stream: Buffer) => stream.fill(9, 8, 9)],
    ['another length', (stream: Buffer) => stream.fill(9, 19, 20)],
    ['a wire length of 4 GiB', (stream: Buffer) => stream.fill(0xff, 20, 24)],
    ['an unknown kind', (stream: Buffer) => stream.fill(17, 4, 5)],
    ['the end too early', () => endFrame()],
    [
      'a frame after the last piece',
      (stream: Buffer) => Buffer.concat([stream.subarray(0, -frameHeadBytes), dataFrame(0, noise)]),
    ],
    [
      'a damaged zstd frame',
      (stream: Buffer) => stream.fill(0, zstdAt + frameHeadBytes + 4, zstdAt + frameHeadBytes + 12),
    ],
    [
      'a zstd frame that unpacks to more',
      (stream: Buffer, packedTwice: Buffer) => {
        const head: FrameHead = {
          kind: 'zstd',
          offsetBytes: 4096,
          lengthBytes: text.length,
          wireBytes: packedTwice.length,
          crc: crc32(text),
        };
        return Buffer.concat([
          stream.subarray(0, zstdAt),
          encodeFrameHead(head),
          packedTwice,
          stream.subarray(-2 * frameHeadBytes),
        ]);
      },
    ],
  ])('with %s is refused', async (_, change) => {
    const { pieces, stream } = await goodStream();
    const packedTwice = await compressBlock(Buffer.concat([text, text]));
    await expect(feed(pieces, change(stream, packedTwice!), 1000)).rejects.toMatchObject({
      code: 'DISK_PEER_PROTOCOL',
    });
  });

  test('brings an error of the other side with its code and numbers', async () => {
    const error = new AppError({
      code: 'DISK_IO_FAILED',
      message: 'read 7 bytes at 9: it failed',
      details: { errno: 'EIO' },
    });
    const stream = Buffer.concat([dataFrame(0, noise), errorFrame(error)]);
    const pieces = [pieceAt(0, 700), pieceAt(4096, 10)];
    await expect(feed(pieces, stream, 13)).rejects.toMatchObject({
      code: 'DISK_IO_FAILED',
      message: 'read 7 bytes at 9: it failed',
      details: { errno: 'EIO' },
    });
  });

  test('an error too long for a frame keeps its code', async () => {
    const error = new AppError({ code: 'DISK_IO_FAILED', message: 'x'.repeat(100_000) });
    await expect(feed([pieceAt(0, 1)], errorFrame(error), 4096)).rejects.toMatchObject({
      code: 'DISK_IO_FAILED',
    });
  });

  test('however it is damaged, either brings the right bytes or a coded error', async () => {
    const { stream, plain } = await goodStream();
    const damage = fc.array(fc.record({ at: fc.nat(stream.length - 1), value: fc.nat(255) }), {
      minLength: 1,
      maxLength: 4,
    });
    await fc.assert(
      fc.asyncProperty(damage, fc.nat(stream.length), async (changes, cut) => {
        const { pieces } = await goodStream();
        const bytes = Buffer.from(stream.subarray(0, cut % 3 === 0 ? cut : stream.length));
        for (const { at, value } of changes) if (at < bytes.length) bytes[at] = value;
        const found = await feed(pieces, bytes, 997).catch((cause: unknown) => cause);
        const settled = new Set<unknown>(Reflect.get(Object(found), 'settled') ?? []);
        const wrong = pieces.filter(
          (piece, index) => settled.has(piece) && !Buffer.from(piece.target).equals(plain[index]!),
        );
        expect(wrong).toEqual([]);
        expect(found instanceof Error && !isAppError(found)).toBe(false);
      }),
      { numRuns: 200 },
    );
  });

  test('of pure noise is refused', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 56, maxLength: 300 }), async (bytes) => {
        await expect(feed([pieceAt(0, 64)], Buffer.from(bytes), 50)).rejects.toMatchObject({
          code: 'DISK_PEER_PROTOCOL',
        });
      }),
      { numRuns: 100 },
    );
  });
});

describe('requests and answers', () => {
  test('a read is cut into frames that cover it', () => {
    const target = Buffer.alloc(2 * maxFrameBytes + 5);
    expect(piecesOf(77, target).map(({ offsetBytes, lengthBytes }) => [offsetBytes, lengthBytes])).toEqual([
      [77, maxFrameBytes],
      [77 + maxFrameBytes, maxFrameBytes],
      [77 + 2 * maxFrameBytes, 5],
    ]);
    expect(piecesOf(0, Buffer.alloc(0))).toEqual([]);
  });

  test.each([
    [[[0, 512]], true],
    [[[1_000_000, 1]], true],
    [[[1_000_000, 2]], false],
    [[[0, 0]], false],
    [[[0, maxFrameBytes + 1]], false],
    [[[-1, 1]], false],
    [[[0.5, 1]], false],
    [[['0', 1]], false],
    [[[]], false],
    [[], false],
    [null, false],
    [Array.from({ length: 257 }, () => [0, 1]), false],
  ])('the ranges %j of a disk of 1000001 bytes: accepted %s', (ranges, isGood) => {
    const read = (): unknown => decodeRanges(ranges, 1_000_001);
    expect(codeOf(read)).toBe(isGood ? 'ok' : 'DISK_PEER_PROTOCOL');
  });

  test.each([
    [
      {
        extents: [
          [10, 'data'],
          [90, 'hole'],
        ],
      },
      true,
    ],
    [{ extents: [[10, 'data']] }, true],
    [{ extents: [[101, 'data']] }, false],
    [
      {
        extents: [
          [60, 'data'],
          [60, 'zero'],
        ],
      },
      false,
    ],
    [{ extents: [[0, 'data']] }, false],
    [{ extents: [[10, 'other']] }, false],
    [{ extents: [] }, false],
    [{}, false],
    [null, false],
  ])('the page %j of a map that ends at 100: accepted %s', (page, isGood) => {
    const read = (): unknown => decodeExtents(page, 0, 100);
    expect(codeOf(read)).toBe(isGood ? 'ok' : 'DISK_PEER_PROTOCOL');
  });

  test('no JSON makes a reader of answers fail without a code', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        for (const read of [
          () => decodeFacts(value),
          () => decodeExportName(value),
          () => decodeExtents(value, 0, 1000),
          () => decodeRanges(value, 1000),
        ]) {
          expect(['ok', 'DISK_PEER_PROTOCOL']).toContain(codeOf(read));
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe('compression', () => {
  test('what repeats is worth it and what does not is left alone', async () => {
    const random = Buffer.from(Array.from({ length: 65_536 }, () => Math.floor(Math.random() * 256)));
    expect(zstdPays(Buffer.alloc(65_536, 'abcdefgh'))).toBe(true);
    expect(zstdPays(random)).toBe(false);
    expect(await compressBlock(random)).toBeNull();
  });

  test('a block unpacks to itself, and never to another length', async () => {
    const packed = await compressBlock(text);
    expect(packed?.length).toBeLessThan(text.length / 10);
    expect((await decompressBlock(packed!, text.length)).equals(text)).toBe(true);
    await expect(decompressBlock(packed!, text.length - 1)).rejects.toThrow(/./);
    await expect(decompressBlock(packed!, text.length + 1)).rejects.toThrow(/instead of/);
  });
});
