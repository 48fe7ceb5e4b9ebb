import { expect, test } from 'vitest';
import type { DiskSink } from '../sink.ts';
import { withTempFolder } from './images.ts';

/** One kind of sink under test. */
export interface SinkContractParams {
  readonly name: string;
  /** Opens the sink of a fixed disk below `folder`; called again with `resume` it continues. */
  readonly open: (folder: string, params: { sizeBytes: number; resume: boolean }) => Promise<DiskSink>;
  /** The finished disk's content; null when nothing stands under its final name. */
  readonly read: (folder: string) => Promise<Buffer | null>;
  /** The sink takes calls in growing order of offsets only, and cannot go on after a cut. Default false. */
  readonly ordered?: boolean;
}

const mib = 1024 * 1024;
// Ends in the middle of every usual cluster and block.
const sizeBytes = 9 * mib + 512;

function filled(length: number, value: number): Buffer {
  return Buffer.alloc(length, value);
}

/** Compares without printing megabytes on failure. */
function same(found: Buffer | null, expected: Buffer): boolean {
  return found !== null && found.equals(expected);
}

function declareContentTests({ name, open, read, ordered = false }: SinkContractParams): void {
  test(`${name}: what was written is there after finish, all else is zeros`, async () => {
    await withTempFolder(async (folder) => {
      const sink = await open(folder, { sizeBytes, resume: false });
      expect(sink.ordered).toBe(ordered);
      const tail = sizeBytes - 9 * mib;
      const calls = [
        () => sink.write(9 * mib, filled(tail, 3)),
        () => sink.write(4 * mib, filled(mib, 2)),
        () => sink.writeZeros(5 * mib, 4 * mib),
        () => sink.write(0, filled(mib, 1)),
      ];
      // Overlapping in time, and out of order where that is allowed.
      const [last, middle, zeros, first] = calls;
      await Promise.all((ordered ? [first!, middle!, zeros!, last!] : calls).map((call) => call()));
      await sink.finish();
      const expected = Buffer.alloc(sizeBytes);
      expected.fill(1, 0, mib);
      expected.fill(2, 4 * mib, 5 * mib);
      expected.fill(3, 9 * mib);
      expect(same(await read(folder), expected)).toBe(true);
    });
  });

  test.skipIf(ordered)(`${name}: the last write or zeroing of a range wins`, async () => {
    await withTempFolder(async (folder) => {
      const sink = await open(folder, { sizeBytes, resume: false });
      await sink.write(0, filled(8 * mib, 1));
      await sink.write(mib, filled(mib, 2));
      await sink.writeZeros(2 * mib, mib);
      await sink.writeZeros(3 * mib, 5 * mib);
      await sink.write(3 * mib, filled(mib, 4));
      await sink.finish();
      const expected = Buffer.alloc(sizeBytes);
      expected.fill(1, 0, mib);
      expected.fill(2, mib, 2 * mib);
      expected.fill(4, 3 * mib, 4 * mib);
      expect(same(await read(folder), expected)).toBe(true);
    });
  });

  test(`${name}: the buffer may be reused once a write is settled`, async () => {
    await withTempFolder(async (folder) => {
      const sink = await open(folder, { sizeBytes, resume: false });
      const buffer = filled(mib, 7);
      await sink.write(0, buffer);
      buffer.fill(9);
      await sink.finish();
      const expected = Buffer.alloc(sizeBytes);
      expected.fill(7, 0, mib);
      expect(same(await read(folder), expected)).toBe(true);
    });
  });
}

function declareLifeTests({ name, open, read }: SinkContractParams): void {
  test(`${name}: nothing has the final name before finish, and finish may be called twice`, async () => {
    await withTempFolder(async (folder) => {
      const sink = await open(folder, { sizeBytes, resume: false });
      await sink.write(0, filled(sink.alignmentBytes, 1));
      await sink.flush();
      expect(await read(folder)).toBeNull();
      await sink.finish();
      await sink.finish();
      expect(await read(folder)).not.toBeNull();
    });
  });

  test(`${name}: abort leaves nothing, and may be called twice`, async () => {
    await withTempFolder(async (folder) => {
      const sink = await open(folder, { sizeBytes, resume: false });
      await sink.write(0, filled(sink.alignmentBytes, 1));
      await sink.abort();
      await sink.abort();
      expect(await read(folder)).toBeNull();
      const again = await open(folder, { sizeBytes, resume: true });
      await again.finish();
      expect(same(await read(folder), Buffer.alloc(sizeBytes))).toBe(true);
    });
  });

  test(`${name}: a suspended disk goes on where it was, if it is resumable`, async () => {
    await withTempFolder(async (folder) => {
      const sink = await open(folder, { sizeBytes, resume: false });
      await sink.write(0, filled(2 * mib, 1));
      await sink.write(6 * mib, filled(mib, 6));
      await sink.suspend();
      expect(await read(folder)).toBeNull();
      if (!sink.resumable) return;
      const again = await open(folder, { sizeBytes, resume: true });
      await again.writeZeros(mib, 7 * mib);
      await again.write(3 * mib, filled(mib, 3));
      await again.finish();
      const expected = Buffer.alloc(sizeBytes);
      expected.fill(1, 0, mib);
      expected.fill(3, 3 * mib, 4 * mib);
      expect(same(await read(folder), expected)).toBe(true);
    });
  });

  test(`${name}: a start without resume forgets what an earlier attempt wrote`, async () => {
    await withTempFolder(async (folder) => {
      const sink = await open(folder, { sizeBytes, resume: false });
      await sink.write(0, filled(2 * mib, 1));
      await sink.suspend();
      const again = await open(folder, { sizeBytes, resume: false });
      await again.finish();
      expect(same(await read(folder), Buffer.alloc(sizeBytes))).toBe(true);
    });
  });

  test(`${name}: ranges outside the disk and unaligned ones are refused`, async () => {
    await withTempFolder(async (folder) => {
      const sink = await open(folder, { sizeBytes, resume: false });
      const code = 'DISK_RANGE_INVALID';
      await expect(sink.write(sizeBytes, filled(512, 1))).rejects.toMatchObject({ code });
      await expect(sink.write(-512, filled(512, 1))).rejects.toMatchObject({ code });
      await expect(sink.write(sink.alignmentBytes - 1, filled(512, 1))).rejects.toMatchObject({ code });
      await expect(sink.writeZeros(0, sizeBytes + 512)).rejects.toMatchObject({ code });
      await sink.abort();
    });
  });
}

function declareOrderTests({ name, open, read }: SinkContractParams): void {
  test(`${name}: going back is refused, and what was written stays`, async () => {
    await withTempFolder(async (folder) => {
      const sink = await open(folder, { sizeBytes, resume: false });
      const code = 'DISK_RANGE_INVALID';
      await sink.write(mib, filled(mib, 1));
      await sink.writeZeros(3 * mib, mib);
      await expect(sink.write(0, filled(mib, 2))).rejects.toMatchObject({ code });
      await expect(sink.write(3 * mib, filled(mib, 2))).rejects.toMatchObject({ code });
      await expect(sink.writeZeros(2 * mib, mib)).rejects.toMatchObject({ code });
      await sink.write(4 * mib, filled(mib, 4));
      await sink.finish();
      const expected = Buffer.alloc(sizeBytes);
      expected.fill(1, mib, 2 * mib);
      expected.fill(4, 4 * mib, 5 * mib);
      expect(same(await read(folder), expected)).toBe(true);
    });
  });

  test(`${name}: says that it cannot be resumed, and a resume starts at zero`, async () => {
    await withTempFolder(async (folder) => {
      const sink = await open(folder, { sizeBytes, resume: false });
      expect(sink.resumable).toBe(false);
      await sink.write(0, filled(mib, 1));
      await sink.suspend();
      const again = await open(folder, { sizeBytes, resume: true });
      await again.write(0, filled(mib, 2));
      await again.finish();
      const expected = Buffer.alloc(sizeBytes);
      expected.fill(2, 0, mib);
      expect(same(await read(folder), expected)).toBe(true);
    });
  });
}

/** Declares the tests that every sink passes: content, order, zeros, names, abort, resume, refusals. */
export function declareSinkContract(params: SinkContractParams): void {
  declareContentTests(params);
  declareLifeTests(params);
  if (params.ordered === true) declareOrderTests(params);
}
