import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { runProcess } from '@ascend/runtime';
import { describe, expect, test } from 'vitest';
import { createStreamSink } from '../network/streamSink.ts';
import { openFileOutput } from '../outputs/fileOutput.ts';
import type { ByteOutput } from '../output.ts';
import { withTempFolder } from '../testing/images.ts';
import { sampleVm } from '../testing/sampleVm.ts';
import { streamOptimizedFormat } from './ovfDescriptor.ts';
import { openOvaWriter, type OvaWriter } from './ovaWriter.ts';

const mib = 1024 * 1024;

async function openIn(folder: string): Promise<OvaWriter> {
  const output = await openFileOutput({ finalPath: path.join(folder, 'vm.ova') });
  return await openOvaWriter({ output, vm: sampleVm(), format: streamOptimizedFormat });
}

/** A stand-in for an encoder of a disk format: any `(output) => DiskSink` will do. */
async function encodeDisk(output: ByteOutput, sizeBytes: number, fill: number): Promise<Buffer> {
  const sink = createStreamSink({ output, sizeBytes, mode: 'raw' });
  await sink.write(0, Buffer.alloc(mib, fill));
  await sink.finish();
  const disk = Buffer.alloc(sizeBytes);
  disk.fill(fill, 0, mib);
  return disk;
}

describe('an appliance', () => {
  test('holds descriptor, manifest and disks in this order, and every digest is true', async () => {
    await withTempFolder(async (folder) => {
      const ova = await openIn(folder);
      // Sizes that end inside a block of the archive, and one that does not.
      const first = await encodeDisk(ova.openDisk(0), 3 * mib + 512, 1);
      const second = ova.openDisk(1);
      await second.write(Buffer.from('short'));
      await second.finish();
      await second.finish();
      expect(await readdir(folder)).toEqual(['vm.ova.partial']);
      await ova.finish();
      await ova.finish();
      await ova.abort();
      const { stdout } = await runProcess({ program: 'tar', args: ['-tf', path.join(folder, 'vm.ova')] });
      const names = ['web-db-01.ovf', 'web-db-01.mf', 'web-db-01-disk1.vmdk', 'web-db-01-disk2.vmdk'];
      expect(stdout.trim().split('\n')).toEqual(names);
      const out = path.join(folder, 'out');
      await mkdir(out);
      await runProcess({ program: 'tar', args: ['-xf', path.join(folder, 'vm.ova'), '-C', out] });
      const files = await Promise.all(names.map((name) => readFile(path.join(out, name))));
      expect(files[2]?.equals(first)).toBe(true);
      expect(files[3]?.toString()).toBe('short');
      const lines = [0, 2, 3].map(
        (index) => `SHA256(${names[index]})= ${createHash('sha256').update(files[index]!).digest('hex')}\n`,
      );
      expect(files[1]?.toString()).toBe(lines.join(''));
      const ovf = files[0]!.toString();
      expect(ovf).toContain(`ovf:href="web-db-01-disk1.vmdk" ovf:id="file1" ovf:size="${3 * mib + 512}"`);
      expect(ovf).toContain('ovf:href="web-db-01-disk2.vmdk" ovf:id="file2" ovf:size="5"');
      expect(ovf.trimEnd()).toMatch(/<\/Envelope>$/);
    });
  });

  test('with an empty disk file is still an archive', async () => {
    await withTempFolder(async (folder) => {
      const ova = await openIn(folder);
      await ova.openDisk(0).finish();
      await ova.openDisk(1).finish();
      await ova.finish();
      const { stdout } = await runProcess({ program: 'tar', args: ['-tvf', path.join(folder, 'vm.ova')] });
      expect(stdout.trim().split('\n')).toHaveLength(4);
    });
  });

  test('cannot be finished without all its disks, nor take them out of order', async () => {
    await withTempFolder(async (folder) => {
      const ova = await openIn(folder);
      expect(() => ova.openDisk(1)).toThrow(/not the next one/);
      const disk = ova.openDisk(0);
      expect(() => ova.openDisk(1)).toThrow(/not finished/);
      await expect(ova.finish()).rejects.toThrow('only 0 of 2');
      await disk.finish();
      expect(() => ova.openDisk(0)).toThrow(/not the next one/);
      await expect(ova.finish()).rejects.toThrow('only 1 of 2');
      await ova.abort();
      expect(await readdir(folder)).toEqual([]);
    });
  });

  test('is removed when a disk is aborted', async () => {
    await withTempFolder(async (folder) => {
      const ova = await openIn(folder);
      const disk = ova.openDisk(0);
      await disk.write(Buffer.alloc(mib));
      await disk.abort();
      await disk.abort();
      expect(await readdir(folder)).toEqual([]);
    });
  });

  test('that cannot be described is refused before anything is written', async () => {
    await withTempFolder(async (folder) => {
      const output = await openFileOutput({ finalPath: path.join(folder, 'vm.ova') });
      const vm = { ...sampleVm(), cpuCount: 0 };
      await expect(openOvaWriter({ output, vm, format: streamOptimizedFormat })).rejects.toMatchObject({
        code: 'DISK_OVF_INVALID',
      });
      expect(output.lengthBytes).toBe(0);
      await output.abort();
    });
  });
});
