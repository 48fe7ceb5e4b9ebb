import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DiskSink } from '../sink.ts';
import { createMemoryOutput, declareEncoderContract, noise } from '../testing/encoderContract.ts';
import { qemuImg, withTempFolder } from '../testing/images.ts';
import { diskOf, randomDisk } from '../testing/randomDisk.ts';
import { decodeStreamOptimized, type DecodedStream } from '../testing/streamOptimized.ts';
import { createStreamOptimizedSink, type StreamOptimizedParams } from './streamOptimizedSink.ts';

const mib = 1024 * 1024;
const tib = 1024 * 1024 * mib;
const grainBytes = 64 * 1024;
const zeroGrain = Buffer.alloc(grainBytes);

declareEncoderContract({
  name: 'streamOptimized',
  create: (output, sizeBytes) => createStreamOptimizedSink({ output, sizeBytes }),
});

async function writeDisk(sink: DiskSink, disk: Buffer): Promise<void> {
  const calls: Promise<void>[] = [];
  for (let at = 0; at < disk.length; at += mib) calls.push(sink.write(at, disk.subarray(at, at + mib)));
  await Promise.all(calls);
}

async function encode(
  params: Omit<StreamOptimizedParams, 'output'>,
  write: (sink: DiskSink) => Promise<void>,
): Promise<{ file: Buffer; decoded: DecodedStream }> {
  const output = createMemoryOutput();
  const sink = createStreamOptimizedSink({ ...params, output });
  await write(sink);
  await sink.finish();
  const file = output.bytes();
  return { file, decoded: decodeStreamOptimized(file) };
}

/** The grains of a disk that are not zeros, by their first sector. */
function grainsOf(disk: Buffer): Map<number, Buffer> {
  const grains = new Map<number, Buffer>();
  for (let at = 0; at < disk.length; at += grainBytes) {
    const grain = Buffer.alloc(grainBytes);
    disk.copy(grain, 0, at, at + grainBytes);
    if (!grain.equals(zeroGrain)) grains.set(at / 512, grain);
  }
  return grains;
}

const creating = (sizeBytes: number) => () =>
  createStreamOptimizedSink({ output: createMemoryOutput(), sizeBytes });

describe('a streamOptimized file', () => {
  test('keeps the structure, and QEMU reads the same disk, for random disks', async () => {
    await withTempFolder(async (folder) => {
      const [rawPath, vmdkPath] = [path.join(folder, 'disk.raw'), path.join(folder, 'disk.vmdk')];
      await fc.assert(
        fc.asyncProperty(
          randomDisk((70 * mib) / 512),
          fc.integer({ min: 1, max: 9 }),
          async (plan, level) => {
            const disk = diskOf(plan);
            const { file, decoded } = await encode({ sizeBytes: disk.length, level }, (sink) =>
              writeDisk(sink, disk),
            );
            expect(decoded.sizeBytes).toBe(disk.length);
            const expected = grainsOf(disk);
            expect([...decoded.grains.keys()]).toEqual([...expected.keys()]);
            for (const [sector, grain] of expected)
              expect(decoded.grains.get(sector)?.equals(grain)).toBe(true);
            await writeFile(rawPath, disk);
            await writeFile(vmdkPath, file);
            await qemuImg('compare', '-f', 'raw', '-F', 'vmdk', rawPath, vmdkPath);
            await qemuImg('check', '-q', '-f', 'vmdk', vmdkPath);
          },
        ),
        { numRuns: 10 },
      );
    });
  });

  test('above 2 TiB of disk is read by QEMU, the last grain too', async () => {
    await withTempFolder(async (folder) => {
      const sizeBytes = 5 * tib + 512;
      const [rawPath, vmdkPath] = [path.join(folder, 'part.raw'), path.join(folder, 'disk.vmdk')];
      const offsets = [0, 3 * tib + 7 * mib, 5 * tib];
      const { file, decoded } = await encode({ sizeBytes }, async (sink) => {
        for (const at of offsets) await sink.write(at, noise(Math.min(mib, sizeBytes - at), 1));
      });
      await writeFile(vmdkPath, file);
      expect(decoded.sizeBytes).toBe(sizeBytes);
      for (const at of offsets) {
        const length = Math.min(mib, sizeBytes - at);
        await writeFile(rawPath, noise(length, 1));
        const part = {
          driver: 'raw',
          offset: at,
          size: length,
          file: { driver: 'vmdk', file: { driver: 'file', filename: vmdkPath } },
        };
        await qemuImg(
          'compare',
          `json:${JSON.stringify(part)}`,
          `json:${JSON.stringify({ driver: 'raw', file: { driver: 'file', filename: rawPath } })}`,
        );
      }
    });
  });

  test('of an empty disk has no grain and no table', async () => {
    const { decoded, file } = await encode({ sizeBytes: 3 * mib }, async (sink) => {
      await sink.writeZeros(0, mib);
      await sink.write(mib, Buffer.alloc(mib));
    });
    expect(decoded.grains.size).toBe(0);
    expect(file.length).toBe((128 + 2 + 2 + 1) * 512);
  });

  test('stores what deflate cannot make smaller in 129 sectors a grain', async () => {
    const { file } = await encode({ sizeBytes: mib }, (sink) => sink.write(0, randomBytes(mib)));
    expect(file.length).toBe((128 + 16 * 129 + 5 + 2 + 2 + 1) * 512);
  });

  test('names adapter, hardware version, content id and geometry in its descriptor', async () => {
    const params = {
      sizeBytes: 8 * 1024 * mib,
      extentName: 'data "1"\n.vmdk',
      hardwareVersion: 19,
      contentId: 0x2a,
    };
    const scsi = await encode({ ...params, adapterType: 'buslogic' }, () => Promise.resolve());
    const lines = scsi.decoded.descriptor.split('\n');
    expect(lines).toEqual(
      expect.arrayContaining([
        '# Disk DescriptorFile',
        'CID=0000002a',
        'parentCID=ffffffff',
        'createType="streamOptimized"',
        'RW 16777216 SPARSE "data _1__.vmdk"',
        'ddb.virtualHWVersion = "19"',
        'ddb.adapterType = "buslogic"',
        'ddb.geometry.cylinders = "1045"',
        'ddb.geometry.heads = "255"',
      ]),
    );
    const ide = await encode({ sizeBytes: 100 * 1024 * mib, adapterType: 'ide' }, () => Promise.resolve());
    expect(ide.decoded.descriptor).toContain('ddb.geometry.cylinders = "16383"\nddb.geometry.heads = "16"');
    expect(ide.decoded.descriptor).toMatch(/^CID=[0-9a-f]{8}$/m);
  });

  test('is refused for sizes that the format does not have', () => {
    expect(creating(62 * tib)).not.toThrow();
    expect(creating(62 * tib + 512)).toThrow(expect.objectContaining({ code: 'DISK_FORMAT_LIMIT' }));
    for (const size of [0, -512, 1000, Number.NaN, 2 ** 63]) {
      expect(creating(size)).toThrow(expect.objectContaining({ code: 'DISK_RANGE_INVALID' }));
    }
  });
});
