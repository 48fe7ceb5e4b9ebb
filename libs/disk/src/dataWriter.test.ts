import { constants } from 'node:fs';
import { open, readdir, readFile, readlink, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { allocateAligned, isAligned } from './alignedMemory.ts';
import { createDataWriter, type DataWriter } from './dataWriter.ts';
import { withTempFolder } from './testing/images.ts';

const kib = 1024;

async function withWriter(run: (writer: DataWriter, file: string) => Promise<void>): Promise<void> {
  await withTempFolder(async (folder) => {
    const file = path.join(folder, 'disk.raw');
    const handle = await open(file, constants.O_RDWR | constants.O_CREAT, 0o600);
    const writer = createDataWriter(handle, file);
    try {
      await run(writer, file);
    } finally {
      await writer.close();
      await handle.close();
    }
  });
}

/** Pieces at multiples of 512 bytes, most of them of a kind that passes the page cache by. */
const piece = fc.record({
  at: fc.oneof(
    fc.nat(32).map((n) => n * 64 * kib),
    fc.nat(4095).map((n) => n * 512),
  ),
  length: fc.constantFrom(512, 4 * kib, 64 * kib, 192 * kib, 192 * kib + 512, 1024 * kib),
  shift: fc.constantFrom(0, 0, 4096, 512),
  fill: fc.integer({ min: 1, max: 255 }),
});

test('pieces of any size and place, written past the page cache or through it, read back as they were written', async () => {
  const memory = allocateAligned(2 * 1024 * kib);
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { minLength: 1, maxLength: 8 }), async (pieces) => {
      await withWriter(async (writer, file) => {
        const wanted = Buffer.alloc(Math.max(...pieces.map(({ at, length }) => at + length)));
        for (const { at, length, shift, fill } of pieces) {
          const data = memory.subarray(shift, shift + length).fill(fill);
          wanted.fill(fill, at, at + length);
          await writer.write(at, data);
        }
        expect((await readFile(file)).equals(wanted)).toBe(true);
      });
    }),
    { numRuns: 25 },
  );
});

test('pieces side by side that are written at the same time do not harm one another', async () => {
  await withWriter(async (writer, file) => {
    const memory = allocateAligned(1024 * kib);
    for (let at = 0; at < memory.length; at += 512) memory.writeUInt32LE(at, at);
    // Every second piece starts in the middle of a page.
    const ends = [0, 64, 128.5, 256, 320.5, 512, 704.5, 768, 1024].map((end) => end * kib);
    await Promise.all(
      ends.slice(1).map((end, index) => writer.write(ends[index] ?? 0, memory.subarray(ends[index], end))),
    );
    expect((await readFile(file)).equals(memory)).toBe(true);
  });
});

test('data goes to the open file, whatever has its name by then', async () => {
  await withWriter(async (writer, file) => {
    await rename(file, `${file}.away`);
    await writeFile(file, 'another');
    const data = allocateAligned(64 * kib).fill(7);
    await writer.write(0, data);
    expect(await readFile(file, 'utf8')).toBe('another');
    expect((await readFile(`${file}.away`)).equals(data)).toBe(true);
  });
});

async function descriptorsOf(file: string): Promise<number> {
  const names = await readdir('/proc/self/fd');
  const targets = await Promise.all(names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => '')));
  return targets.filter((target) => target === file).length;
}

test('closing waits for writes under way, lets go of the file and refuses later writes with a code', async () => {
  await withWriter(async (writer, file) => {
    const data = allocateAligned(1024 * kib).fill(9);
    const writing = writer.write(0, data);
    await writer.close();
    expect((await readFile(file)).equals(data)).toBe(true);
    await writing;
    await writer.close();
    expect(await descriptorsOf(file)).toBe(1);
    await expect(writer.write(0, data)).rejects.toMatchObject({ code: 'DISK_IO_FAILED' });
  });
});

test('memory is known to be aligned only where it was made so', () => {
  const memory = allocateAligned(3 * kib);
  expect(memory.length).toBe(3 * kib);
  expect(isAligned(memory, 4096)).toBe(true);
  expect(isAligned(memory.subarray(512), 4096)).toBe(false);
  expect(isAligned(memory.subarray(512), 512)).toBe(true);
  expect(isAligned(Buffer.alloc(4096), 512)).toBe(false);
});
