import { createInflateRaw, createZstdDecompress, type InflateRaw, type ZstdDecompress } from 'node:zlib';
import { initramfsError, type ByteCursor } from './byteCursor.ts';

const outputBytes = 256 * 1024;

type Engine = InflateRaw | ZstdDecompress;

/** Sends pieces into a decompressor while its output is read; a failure on either side ends both. */
async function* through(
  engine: Engine,
  feed: (write: (piece: Buffer) => Promise<boolean>) => Promise<void>,
): AsyncGenerator<Buffer> {
  const closed = new Promise<void>((resolve) => {
    engine.once('close', resolve);
  });
  const write = async (piece: Buffer): Promise<boolean> => {
    if (engine.destroyed || engine.readableEnded) return false;
    const written = new Promise<void>((resolve) => {
      engine.write(piece, () => {
        resolve();
      });
    });
    await Promise.race([written, closed]);
    return !engine.destroyed && !engine.readableEnded;
  };
  const feedAll = async (): Promise<void> => {
    try {
      await feed(write);
      if (!engine.destroyed) engine.end();
    } catch (cause) {
      engine.destroy(cause instanceof Error ? cause : new Error(String(cause)));
    }
  };
  const feeding = feedAll();
  try {
    for await (const piece of engine) {
      if (Buffer.isBuffer(piece)) yield piece;
    }
    await feeding;
  } finally {
    engine.destroy();
  }
}

async function skipGzipHeader(cursor: ByteCursor): Promise<void> {
  const header = await cursor.take(10);
  const flags = header.readUInt8(3);
  if ((flags & 0x04) !== 0) await cursor.skip((await cursor.take(2)).readUInt16LE(0));
  for (const flag of [0x08, 0x10]) {
    if ((flags & flag) === 0) continue;
    while ((await cursor.take(1)).readUInt8(0) !== 0);
  }
  if ((flags & 0x02) !== 0) await cursor.skip(2);
}

/** Unpacks one gzip member; afterwards the cursor stands exactly behind it, whatever follows. */
export async function* unpackGzip(cursor: ByteCursor): AsyncGenerator<Buffer> {
  await skipGzipHeader(cursor);
  const engine = createInflateRaw({ chunkSize: outputBytes });
  let fed = 0;
  let last: Buffer = Buffer.alloc(0);
  yield* through(engine, async (write) => {
    for (;;) {
      const piece = await cursor.takeSome();
      if (piece.length === 0) return;
      last = piece;
      fed += piece.length;
      const goesOn = await write(piece);
      if (!goesOn || engine.bytesWritten < fed) return;
    }
  });
  const excess = fed - engine.bytesWritten;
  if (excess > last.length) throw initramfsError('gzip member without a proper end');
  if (excess > 0) cursor.unread(last.subarray(last.length - excess));
  await cursor.skip(8);
}

/** Takes one zstd frame header and tells whether a checksum follows the last block. Frame format: RFC 8878 §3.1.1. */
async function takeZstdHeader(cursor: ByteCursor): Promise<{ bytes: Buffer; checksum: boolean }> {
  const head = Buffer.from(await cursor.peek(5));
  if (head.length < 5) throw initramfsError('zstd frame is cut');
  const descriptor = head.readUInt8(4);
  const singleSegment = (descriptor & 0x20) !== 0;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const sizeBytes = [singleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
  const length = 5 + (singleSegment ? 0 : 1) + dictionaryBytes + sizeBytes;
  return { bytes: Buffer.from(await cursor.take(length)), checksum: (descriptor & 0x04) !== 0 };
}

/** Unpacks one zstd frame; the frame is walked block by block, so that the cursor stands exactly behind it. */
export async function* unpackZstd(cursor: ByteCursor): AsyncGenerator<Buffer> {
  yield* through(createZstdDecompress({ chunkSize: outputBytes }), async (write) => {
    const header = await takeZstdHeader(cursor);
    await write(header.bytes);
    for (let last = false; !last;) {
      const blockHeader = Buffer.from(await cursor.take(3));
      const value = blockHeader.readUIntLE(0, 3);
      last = (value & 1) === 1;
      // A run-length block stores one byte whatever its size.
      const stored = ((value >> 1) & 3) === 1 ? 1 : value >> 3;
      await write(Buffer.concat([blockHeader, await cursor.take(stored)]));
    }
    if (header.checksum) await write(Buffer.from(await cursor.take(4)));
  });
}
