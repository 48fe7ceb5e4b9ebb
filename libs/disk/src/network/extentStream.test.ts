import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ByteOutput } from '../output.ts';
import { decodeExtentStream, frameHeadBytes } from './extentStream.ts';
import { createStreamSink } from './streamSink.ts';

const unit = 512;
const sizeBytes = 40 * unit;

function memoryOutput() {
  const parts: Buffer[] = [];
  const state = { finished: false, aborted: false };
  const output: ByteOutput = {
    write: async (data) => {
      await Promise.resolve();
      parts.push(Buffer.from(data));
    },
    finish: async () => {
      await Promise.resolve();
      state.finished = true;
    },
    abort: async () => {
      await Promise.resolve();
      state.aborted = true;
    },
  };
  return { output, state, bytes: () => Buffer.concat(parts) };
}

async function* inChunks(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
  let at = 0;
  for (let turn = 0; at < bytes.length; turn += 1) {
    const length = Math.max(1, sizes[turn % Math.max(1, sizes.length)] ?? bytes.length);
    yield bytes.subarray(at, at + length);
    at += length;
    await Promise.resolve();
  }
}

async function decodeDisk(stream: Buffer, sizes: readonly number[] = []): Promise<Buffer> {
  const disk = Buffer.alloc(sizeBytes);
  for await (const { offsetBytes, lengthBytes, data } of decodeExtentStream(inChunks(stream, sizes))) {
    if (data === null) disk.fill(0, offsetBytes, offsetBytes + lengthBytes);
    else data.copy(disk, offsetBytes);
  }
  return disk;
}

interface Part {
  readonly kind: 'data' | 'zero' | 'nothing';
  readonly units: number;
}

const partsArbitrary = fc.array(
  fc.record({ kind: fc.constantFrom('data', 'zero', 'nothing'), units: fc.integer({ min: 1, max: 8 }) }),
  { maxLength: 12 },
);

/** Writes the parts one behind the other without waiting, as an ordered copy does. */
async function streamOf(
  parts: readonly Part[],
  mode: 'raw' | 'extents',
  checksum: 'data' | 'heads' = 'data',
): Promise<{ stream: Buffer; disk: Buffer }> {
  const { output, bytes } = memoryOutput();
  const sink = createStreamSink({ output, sizeBytes, mode, checksum });
  const disk = Buffer.alloc(sizeBytes);
  let at = 0;
  const calls: Promise<void>[] = [];
  for (const [index, { kind, units }] of parts.entries()) {
    const length = Math.min(units * unit, sizeBytes - at);
    if (length === 0) break;
    if (kind === 'data') {
      disk.fill(index + 1, at, at + length);
      calls.push(sink.write(at, Buffer.alloc(length, index + 1)));
    } else if (kind === 'zero') calls.push(sink.writeZeros(at, length));
    at += length;
  }
  await Promise.all(calls);
  await sink.finish();
  return { stream: bytes(), disk };
}

describe('a disk as a stream', () => {
  test('raw is every byte of the disk', async () => {
    await fc.assert(
      fc.asyncProperty(partsArbitrary, async (parts) => {
        const { stream, disk } = await streamOf(parts, 'raw');
        expect(stream.equals(disk)).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  test('extents decode to the same disk, in chunks of any size', async () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 3000 }), { maxLength: 5 });
    const checksums = fc.constantFrom('data', 'heads');
    await fc.assert(
      fc.asyncProperty(partsArbitrary, sizes, checksums, async (parts, chunkSizes, checksum) => {
        const { stream, disk } = await streamOf(parts, 'extents', checksum);
        expect((await decodeDisk(stream, chunkSizes)).equals(disk)).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  test('holes cost one frame, and data longer than a frame is split', async () => {
    const { output, bytes } = memoryOutput();
    const big = 8 * 1024 * 1024 * 1024;
    const sink = createStreamSink({ output, sizeBytes: big, mode: 'extents' });
    await sink.writeZeros(0, big / 2);
    await sink.write(big / 2, Buffer.alloc(3 * 1024 * 1024, 1));
    await sink.finish();
    const seen: [string, number, number][] = [];
    for await (const { kind, offsetBytes, lengthBytes } of decodeExtentStream(inChunks(bytes(), [])))
      seen.push([kind, offsetBytes, lengthBytes]);
    const mib = 1024 * 1024;
    expect(seen).toEqual([
      ['zero', 0, big / 2],
      ['data', big / 2, mib],
      ['data', big / 2 + mib, mib],
      ['data', big / 2 + 2 * mib, mib],
    ]);
    expect(bytes().length).toBe(6 * frameHeadBytes + 3 * mib);
  });
});

/** Is this place of the stream below in the data of a frame? */
function isData(at: number): boolean {
  return (at >= 64 && at < 64 + 2 * unit) || (at >= 128 + 2 * unit && at < 128 + 3 * unit);
}

describe('a damaged extent stream', () => {
  const parts: readonly Part[] = [
    { kind: 'data', units: 2 },
    { kind: 'zero', units: 3 },
    { kind: 'data', units: 1 },
  ];
  const corrupt = { code: 'DISK_STREAM_CORRUPT' };

  test('is refused whichever byte was changed', async () => {
    const { stream } = await streamOf(parts, 'extents');
    const change = fc.record({ at: fc.nat(stream.length - 1), bits: fc.integer({ min: 1, max: 255 }) });
    await fc.assert(
      fc.asyncProperty(change, async ({ at, bits }) => {
        const bad = Buffer.from(stream);
        bad[at] = (bad[at] ?? 0) ^ bits;
        await expect(decodeDisk(bad)).rejects.toMatchObject(corrupt);
      }),
      { numRuns: 200 },
    );
  });

  test('is refused when a head was changed, also where the checksum leaves data out', async () => {
    const { stream, disk } = await streamOf(parts, 'extents', 'heads');
    const changed = (at: number): Promise<Buffer> => {
      const bad = Buffer.from(stream);
      bad[at] = (bad[at] ?? 0) ^ 0x10;
      return decodeDisk(bad);
    };
    const places = Array.from(stream.keys());
    for (const at of places.filter((place) => !isData(place)))
      await expect(changed(at)).rejects.toMatchObject(corrupt);
    for (const at of places.filter((place) => isData(place) && place % 101 === 0))
      expect((await changed(at)).equals(disk)).toBe(false);
  });

  test('is refused wherever it was cut, and when something follows its end', async () => {
    const { stream } = await streamOf(parts, 'extents');
    for (let length = 0; length < stream.length; length += length < 100 ? 1 : 97)
      await expect(decodeDisk(stream.subarray(0, length))).rejects.toMatchObject(corrupt);
    await expect(decodeDisk(Buffer.concat([stream, Buffer.alloc(1)]))).rejects.toMatchObject(corrupt);
  });

  test('is refused when it is noise', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (noise) => {
        await expect(decodeDisk(Buffer.from(noise))).rejects.toMatchObject(corrupt);
      }),
    );
  });

  test('is refused when frames were left out, doubled or swapped', async () => {
    const { stream } = await streamOf(parts, 'extents');
    const cuts = [0, 32, 64 + 2 * unit, 96 + 2 * unit, 128 + 3 * unit, 160 + 3 * unit];
    const frames = cuts.slice(1).map((end, index) => stream.subarray(cuts[index], end));
    expect(Buffer.concat(frames).equals(stream)).toBe(true);
    for (const order of [
      [0, 1, 2, 4],
      [0, 2, 3, 4],
      [0, 1, 1, 2, 3, 4],
      [0, 2, 1, 3, 4],
      [1, 2, 3, 4],
      [0, 0, 1, 2, 3, 4],
    ]) {
      const mixed = Buffer.concat(order.map((index) => frames[index]!));
      await expect(decodeDisk(mixed)).rejects.toMatchObject(corrupt);
    }
  });
});

describe.each(['raw', 'extents'] as const)('the life of a %s stream', (mode) => {
  test('finishes its output once; suspend and abort end it without', async () => {
    const whole = memoryOutput();
    const sink = createStreamSink({ output: whole.output, sizeBytes, mode });
    await sink.finish();
    const length = whole.bytes().length;
    await sink.finish();
    await sink.abort();
    expect(whole.state).toEqual({ finished: true, aborted: false });
    expect(whole.bytes().length).toBe(length);
    for (const end of ['suspend', 'abort'] as const) {
      const cut = memoryOutput();
      await createStreamSink({ output: cut.output, sizeBytes, mode })[end]();
      expect(cut.state).toEqual({ finished: false, aborted: true });
    }
  });

  test('refuses what is behind its position, outside the disk or not aligned', async () => {
    const { output } = memoryOutput();
    const sink = createStreamSink({ output, sizeBytes, mode });
    const refused = { code: 'DISK_RANGE_INVALID' };
    await sink.write(2 * unit, Buffer.alloc(unit));
    await expect(sink.write(unit, Buffer.alloc(unit))).rejects.toMatchObject(refused);
    await expect(sink.writeZeros(0, unit)).rejects.toMatchObject(refused);
    await expect(sink.write(sizeBytes, Buffer.alloc(unit))).rejects.toMatchObject(refused);
    await expect(sink.write(3 * unit + 1, Buffer.alloc(unit))).rejects.toMatchObject(refused);
  });

  test('stays failed after an error of its output', async () => {
    let calls = 0;
    const { output } = memoryOutput();
    const broken: ByteOutput = {
      ...output,
      write: async (data) => {
        calls += 1;
        if (calls === 3) throw new Error('full');
        await output.write(data);
      },
    };
    const sink = createStreamSink({ output: broken, sizeBytes, mode });
    const writes = [0, 1, 2, 3, 4].map((index) => sink.write(index * unit, Buffer.alloc(unit)));
    const results = await Promise.allSettled(writes);
    expect(results.at(-1)?.status).toBe('rejected');
    await expect(sink.flush()).rejects.toThrow('full');
    await expect(sink.finish()).rejects.toThrow('full');
    expect(calls).toBe(3);
  });
});
