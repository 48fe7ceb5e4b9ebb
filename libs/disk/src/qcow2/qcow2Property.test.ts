import { randomBytes } from 'node:crypto';
import { stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openFileSink } from '../sinks/fileSink.ts';
import type { DiskSink } from '../sink.ts';
import { qemuImg, withTempFolder } from '../testing/images.ts';

const mib = 1024 * 1024;
const tib = 1024 ** 4;
const unit = 65_536;

async function compare(left: string, leftFormat: string, right: string): Promise<string> {
  return await qemuImg('compare', '-f', leftFormat, '-F', 'qcow2', left, right);
}

interface Step {
  readonly at: number;
  readonly length: number;
  readonly fill: 'random' | 'text' | 'zeros';
  readonly after: 'go on' | 'flush' | 'reopen';
}

function bytesOf(fill: Step['fill'], length: number): Buffer {
  if (fill === 'random') return randomBytes(length);
  return Buffer.alloc(length, fill === 'zeros' ? 0 : 'To be, or not to be. ');
}

describe.each(['qcow2', 'qcow2-zstd'] as const)('%s written by us', (format) => {
  const open = (folder: string, sizeBytes: number, resume: boolean) =>
    openFileSink({ finalPath: path.join(folder, 'disk'), format, sizeBytes, resume, workDir: folder });
  const align = format === 'qcow2' ? 512 : unit;

  /** Applies steps to sink and reference; neighbours without a break between them overlap in time. */
  async function apply(folder: string, reference: Buffer, steps: readonly Step[]): Promise<DiskSink> {
    let { sink } = await open(folder, reference.length, false);
    for (const { at, length, fill, after } of steps) {
      const from = Math.min(Math.floor(at / align) * align, reference.length - 1);
      const start = Math.floor(from / align) * align;
      const end = Math.min(Math.ceil((start + length) / align) * align, reference.length);
      const data = bytesOf(fill, end - start);
      data.copy(reference, start);
      if (fill === 'zeros') await sink.writeZeros(start, end - start);
      else {
        const middle = start + Math.floor((end - start) / 2 / align) * align;
        await Promise.all([
          sink.write(middle, data.subarray(middle - start)),
          sink.write(start, data.subarray(0, middle - start)),
        ]);
      }
      if (after === 'flush') await sink.flush();
      if (after === 'reopen') {
        await sink.suspend();
        const again = await open(folder, reference.length, true);
        if (!again.kept) throw new Error('the partial file was not kept');
        sink = again.sink;
      }
    }
    return sink;
  }

  test('any writes, zeroings, flushes and resumes end in the same disk with clean metadata', async () => {
    const step = fc.record({
      at: fc.nat(6 * mib),
      length: fc.integer({ min: 1, max: mib }),
      fill: fc.constantFrom<Step['fill']>('random', 'text', 'text', 'zeros'),
      after: fc.constantFrom<Step['after']>('go on', 'go on', 'go on', 'flush', 'reopen'),
    });
    const sectors = fc.integer({ min: (4 * mib) / 512, max: (6 * mib) / 512 });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), sectors, async (steps, size) => {
        await withTempFolder(async (folder) => {
          const reference = Buffer.alloc(size * 512);
          const sink = await apply(folder, reference, steps);
          await sink.finish();
          const raw = path.join(folder, 'reference.raw');
          await writeFile(raw, reference);
          const disk = path.join(folder, 'disk');
          expect(await compare(raw, 'raw', disk)).toContain('identical');
          expect(await qemuImg('check', '-f', 'qcow2', disk)).toContain('No errors were found');
        });
      }),
      { numRuns: 12 },
    );
  });

  test('a disk of 3 TiB holds data at both ends, takes only the space of that, and its middle can be zeroed at once', async () => {
    await withTempFolder(async (folder) => {
      const sizeBytes = 3 * tib + 512;
      const { sink } = await open(folder, sizeBytes, false);
      await sink.write(0, Buffer.alloc(mib, 1));
      await sink.write(3 * tib, Buffer.alloc(512, 2));
      await sink.write(tib, randomBytes(mib));
      await sink.writeZeros(mib, 3 * tib - mib);
      await sink.finish();
      const disk = path.join(folder, 'disk');
      expect(await qemuImg('check', '-f', 'qcow2', disk)).toContain('No errors were found');
      const whole = path.join(folder, 'whole.qcow2');
      await qemuImg('create', '-q', '-f', 'qcow2', whole, String(sizeBytes));
      const { sink: same } = await openFileSink({
        finalPath: path.join(folder, 'same'),
        format: 'qcow2',
        sizeBytes,
        resume: false,
        workDir: folder,
      });
      await same.write(3 * tib, Buffer.alloc(512, 2));
      await same.write(0, Buffer.alloc(mib, 1));
      await same.finish();
      expect(await compare(path.join(folder, 'same'), 'qcow2', disk)).toContain('identical');
      expect((await stat(disk)).size).toBeLessThan(8 * mib);
    });
  });

  test('more tables than are kept in memory are written and read back', async () => {
    await withTempFolder(async (folder) => {
      const count = 150;
      const sizeBytes = count * 512 * mib;
      const { sink } = await open(folder, sizeBytes, false);
      const block = Buffer.alloc(unit, 7);
      for (let round = 0; round < 2; round += 1) {
        const offsets = Array.from({ length: count }, (_, index) => index * 512 * mib + round * unit);
        await Promise.all(offsets.map((offset) => sink.write(offset, block)));
      }
      await sink.finish();
      const map: unknown = JSON.parse(
        await qemuImg('map', '--output=json', '-f', 'qcow2', path.join(folder, 'disk')),
      );
      const data = Array.isArray(map) ? map.filter((entry: { data: boolean }) => entry.data) : [];
      const bytes = data.reduce((sum: number, entry: { length: number }) => sum + entry.length, 0);
      expect(bytes).toBe(count * 2 * unit);
      expect(await qemuImg('check', '-f', 'qcow2', path.join(folder, 'disk'))).toContain(
        'No errors were found',
      );
    });
  });
});

test('compressed text takes little space, and random data not more than its own', async () => {
  await withTempFolder(async (folder) => {
    const size = async (name: string, data: Buffer): Promise<number> => {
      const finalPath = path.join(folder, name);
      const { sink } = await openFileSink({
        finalPath,
        format: 'qcow2-zstd',
        sizeBytes: data.length,
        resume: false,
        workDir: folder,
      });
      for (let at = 0; at < data.length; at += mib) await sink.write(at, data.subarray(at, at + mib));
      await sink.finish();
      return (await stat(finalPath)).size;
    };
    const metadata = 6 * unit;
    expect(await size('text', Buffer.alloc(8 * mib, 'abcdefgh'))).toBeLessThan(mib);
    expect(await size('random', randomBytes(8 * mib))).toBeLessThanOrEqual(8 * mib + metadata);
  });
});
