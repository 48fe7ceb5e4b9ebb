import { open, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DiskSink } from '../sink.ts';
import { openFileSink } from '../sinks/fileSink.ts';
import { noise } from '../testing/encoderContract.ts';
import { qemuImg, withTempFolder, writeImage } from '../testing/images.ts';
import { diskOf, randomDisk } from '../testing/randomDisk.ts';
import { grainBytes, sectorBytes } from './sparseExtent.ts';
import { layOutSparse } from './sparseLayout.ts';

const mib = 1024 * 1024;
const tib = 1024 * 1024 * mib;
const zeros = Buffer.alloc(mib);

const finalOf = (folder: string): string => path.join(folder, 'disk.vmdk');

async function openDisk(
  folder: string,
  sizeBytes: number,
  resume = false,
): Promise<{ sink: DiskSink; kept: boolean }> {
  return await openFileSink({
    finalPath: finalOf(folder),
    format: 'vmdk',
    sizeBytes,
    resume,
    workDir: folder,
  });
}

/** Writes a part of a disk in blocks of odd size, last block first, zeros as zeros. */
async function writePart(
  sink: DiskSink,
  disk: Buffer,
  from: number,
  to: number,
  step: number,
): Promise<void> {
  const calls: Promise<void>[] = [];
  for (let at = from; at < to; at += step) {
    const block = disk.subarray(at, Math.min(at + step, to));
    const isZero = block.equals(zeros.subarray(0, block.length));
    calls.unshift(isZero ? sink.writeZeros(at, block.length) : sink.write(at, block));
  }
  await Promise.all(calls);
}

async function expectSame(folder: string, disk: Buffer): Promise<void> {
  const rawPath = path.join(folder, 'disk.raw');
  await writeFile(rawPath, disk);
  await qemuImg('check', '-q', '-f', 'vmdk', finalOf(folder));
  await qemuImg('compare', '-f', 'raw', '-F', 'vmdk', rawPath, finalOf(folder));
  const info: unknown = JSON.parse(await qemuImg('info', '-f', 'vmdk', '--output=json', finalOf(folder)));
  expect(info).toMatchObject({ 'virtual-size': disk.length });
}

describe('a monolithicSparse file', () => {
  test('holds random disks, written in any order and cut at any place, as QEMU reads them', async () => {
    await fc.assert(
      fc.asyncProperty(
        randomDisk((70 * mib) / 512),
        fc.constantFrom(512 * 77, grainBytes, mib),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.constantFrom('whole', 'suspended', 'lost'),
        async (plan, step, part, how) => {
          await withTempFolder(async (folder) => {
            const disk = diskOf(plan);
            const cut = Math.floor((part * disk.length) / step) * step;
            let { sink } = await openDisk(folder, disk.length);
            let keptAll = true;
            await writePart(sink, disk, 0, cut, step);
            if (how !== 'whole') {
              await sink.flush();
              // What comes after the last confirmed block is something else the second time.
              await writePart(sink, Buffer.alloc(disk.length, 0xaa), cut, disk.length, step);
              if (how === 'suspended') await sink.suspend();
              const again = await openDisk(folder, disk.length, true);
              keptAll &&= again.kept;
              if (how === 'lost') await closeUnseen(sink, folder);
              ({ sink } = again);
            }
            await writePart(sink, disk, cut, disk.length, step);
            await sink.finish();
            await expectSame(folder, disk);
            expect(keptAll).toBe(true);
          });
        },
      ),
      { numRuns: 12 },
    );
  });

  test('writes at the same time to parts of one new grain all arrive, at one place', async () => {
    await withTempFolder(async (folder) => {
      const disk = noise(mib, 3);
      const { sink } = await openDisk(folder, mib);
      await writePart(sink, disk, 0, mib, 512 * 7);
      await sink.finish();
      await expectSame(folder, disk);
      expect((await stat(finalOf(folder))).size).toBe(layOutSparse(mib).overheadSectors * sectorBytes + mib);
    });
  });

  test('a grain that is written in part after a cut reads as zeros elsewhere, whatever the cut attempt left', async () => {
    await withTempFolder(async (folder) => {
      const disk = Buffer.alloc(4 * mib);
      const lost = await openDisk(folder, disk.length);
      await lost.sink.write(0, Buffer.alloc(4 * mib, 0xaa));
      const { sink, kept } = await openDisk(folder, disk.length, true);
      expect(kept).toBe(true);
      await closeUnseen(lost.sink, folder);
      for (let at = 0; at < disk.length; at += grainBytes) {
        disk.fill(7, at + 512, at + 1024);
        await sink.write(at + 512, disk.subarray(at + 512, at + 1024));
      }
      await sink.finish();
      await expectSame(folder, disk);
    });
  });

  test('has the layout that QEMU gives it, apart from the content id', async () => {
    await withTempFolder(async (folder) => {
      const sizeBytes = 100 * mib + 512;
      const { sink } = await openDisk(folder, sizeBytes);
      await sink.write(0, noise(mib, 1));
      await sink.write(sizeBytes - 512, noise(512, 1));
      await sink.finish();
      const theirs = path.join(folder, 'theirs.vmdk');
      await qemuImg('create', '-q', '-f', 'vmdk', theirs, String(sizeBytes));
      await writeImage(theirs, 'vmdk', [
        { offsetBytes: 0, lengthBytes: mib, fill: 1 },
        { offsetBytes: 100 * mib, lengthBytes: 512, fill: 1 },
      ]);
      const [own, other] = [await readFile(finalOf(folder)), await readFile(theirs)];
      const { overheadSectors } = layOutSparse(sizeBytes);
      expect(own.length).toBe(other.length);
      expect(own.subarray(0, sectorBytes).equals(other.subarray(0, sectorBytes))).toBe(true);
      const tables = (file: Buffer): Buffer => file.subarray(21 * sectorBytes, overheadSectors * sectorBytes);
      expect(tables(own).equals(tables(other))).toBe(true);
    });
  });

  test('above 2 TiB of disk takes space for what was written only, and QEMU reads its last sector', async () => {
    await withTempFolder(async (folder) => {
      const sizeBytes = 5 * tib + 512;
      const first = await openDisk(folder, sizeBytes);
      await first.sink.write(5 * tib, noise(512, 2));
      await first.sink.writeZeros(0, 5 * tib);
      await first.sink.suspend();
      const { sink, kept } = await openDisk(folder, sizeBytes, true);
      expect(kept).toBe(true);
      await sink.writeZeros(0, 5 * tib);
      await sink.finish();
      expect((await stat(finalOf(folder))).blocks * 512).toBeLessThan(4 * mib);
      const rawPath = path.join(folder, 'part.raw');
      await writeFile(rawPath, noise(512, 2));
      const vmdk = { driver: 'vmdk', file: { driver: 'file', filename: finalOf(folder) } };
      const part = { driver: 'raw', offset: 5 * tib, size: 512, file: vmdk };
      const raw = { driver: 'raw', file: { driver: 'file', filename: rawPath } };
      await qemuImg('compare', `json:${JSON.stringify(part)}`, `json:${JSON.stringify(raw)}`);
    });
  });

  test('starts anew when the partial file is another disk, is cut or has damaged tables', async () => {
    await withTempFolder(async (folder) => {
      const sizeBytes = 40 * mib;
      const partialPath = `${finalOf(folder)}.partial`;
      const layout = layOutSparse(sizeBytes);
      const prepare = async (size: number): Promise<void> => {
        const { sink } = await openDisk(folder, size);
        await sink.write(0, Buffer.alloc(mib, 1));
        await sink.suspend();
      };
      const patch = async (offset: number): Promise<void> => {
        const file = await open(partialPath, 'r+');
        await file.write(Buffer.from([3, 0, 0, 0]), 0, 4, offset);
        await file.close();
      };
      const keeps = async (): Promise<boolean> => {
        const { sink, kept } = await openDisk(folder, sizeBytes, true);
        await sink.abort();
        return kept;
      };
      await prepare(sizeBytes);
      expect(await keeps()).toBe(true);
      await prepare(sizeBytes + 512);
      expect(await keeps()).toBe(false);
      for (const offset of [
        44,
        layout.directories[0]!.offsetBytes,
        layout.directories[1]!.offsetBytes,
        layout.tableSets[1],
      ]) {
        await prepare(sizeBytes);
        await patch(offset);
        expect(await keeps()).toBe(false);
      }
      await prepare(sizeBytes);
      const file = await open(partialPath, 'r+');
      await file.truncate(layout.overheadSectors * sectorBytes + grainBytes);
      await file.close();
      expect(await keeps()).toBe(false);
      await writeFile(partialPath, Buffer.alloc(2 * mib, 1));
      expect(await keeps()).toBe(false);
      expect(await readdir(folder)).toEqual([]);
    });
  });
});

/** Ends a sink that was left behind by its process: its file is moved away from it first. */
async function closeUnseen(sink: DiskSink, folder: string): Promise<void> {
  const partialPath = `${finalOf(folder)}.partial`;
  await rename(partialPath, `${partialPath}.kept`);
  await sink.abort();
  await rename(`${partialPath}.kept`, partialPath);
}
