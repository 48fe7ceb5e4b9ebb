import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { openFileSink, openVhdxSink, type DiskSink, type FileFormat, type VhdxOptions } from '@ascend/disk';
import { withTempFolder } from '@ascend/disk/testing';
import { runProcess, startProcess } from '@ascend/runtime';
import { beforeAll, describe, expect, it } from 'vitest';
import { until } from '../system/ascendSystem.ts';

// libvhdi is a reader that shares no code with QEMU; it also reads disks with sectors of 4096 bytes, which QEMU 7.2 refuses.
const mib = 1024 ** 2;
const gib = 1024 * mib;

interface Written {
  readonly offset: number;
  readonly length: number;
  readonly fill: number;
}

async function fill(sink: DiskSink, writes: readonly Written[]): Promise<void> {
  for (const { offset, length, fill: byte } of writes) await sink.write(offset, Buffer.alloc(length, byte));
  await sink.finish();
}

/** Runs `run` on the disk of an image as libvhdi presents it. */
async function withMounted(
  folder: string,
  image: string,
  run: (disk: string) => Promise<void>,
): Promise<void> {
  const point = join(folder, 'mount');
  await mkdir(point, { recursive: true });
  // With -v it stays in the foreground, so that its end can be waited for.
  const server = startProcess({ program: 'vhdimount', args: ['-v', image, point], dieWithParent: true });
  const disk = join(point, 'vhdi1');
  try {
    await until('vhdimount shows the disk', 20, async () => {
      const handle = await open(disk).catch(() => null);
      await handle?.close();
      return handle !== null;
    });
    await run(disk);
  } finally {
    await runProcess({ program: 'umount', args: [point] });
    await server.stop();
  }
}

/** True when every range holds its byte, and the bytes on both sides of it are zeros where nothing was written. */
async function holds(disk: string, sizeBytes: number, writes: readonly Written[]): Promise<boolean> {
  const handle = await open(disk);
  try {
    expect((await handle.stat()).size).toBe(sizeBytes);
    const covered = (at: number): Written | undefined =>
      writes.find(({ offset, length }) => at >= offset && at < offset + length);
    for (const { offset, length } of writes) {
      const from = Math.max(0, offset - 4096);
      const bytes = Buffer.alloc(Math.min(length + 8192, sizeBytes - from));
      await handle.read(bytes, 0, bytes.length, from);
      for (let at = 0; at < bytes.length; at += 512) {
        const expected = covered(from + at)?.fill ?? 0;
        if (!bytes.subarray(at, at + 512).every((byte) => byte === expected)) return false;
      }
    }
    return true;
  } finally {
    await handle.close();
  }
}

describe('libvhdi', () => {
  const small: readonly Written[] = [
    { offset: 50 * mib, length: 3 * mib, fill: 5 },
    { offset: 0, length: mib, fill: 1 },
    { offset: 99 * mib, length: 64 * 1024, fill: 7 },
    { offset: 100 * mib, length: 512, fill: 9 },
  ];

  it.each<{ format: FileFormat; type: string }>([
    { format: 'vhd', type: 'Dynamic' },
    { format: 'vhd-fixed', type: 'Fixed' },
    { format: 'vhdx', type: 'Dynamic' },
  ])('reads $format files as what was written, with the exact size', async ({ format, type }) => {
    await withTempFolder(async (folder) => {
      const sizeBytes = 100 * mib + 512;
      const finalPath = join(folder, 'disk.img');
      const { sink } = await openFileSink({ finalPath, format, sizeBytes, resume: false, workDir: folder });
      await fill(sink, small);
      const { stdout } = await runProcess({ program: 'vhdiinfo', args: [finalPath] });
      expect(stdout).toContain(`${sizeBytes} bytes`);
      expect(stdout).toMatch(new RegExp(`Disk type\\s*: ${type}`));
      await withMounted(folder, finalPath, async (disk) => {
        expect(await holds(disk, sizeBytes, small)).toBe(true);
      });
    });
  });

  it.each<{ options: VhdxOptions; sectorBytes: number }>([
    { options: { sectors: '512n', blockBytes: mib }, sectorBytes: 512 },
    { options: { sectors: '512e', blockBytes: 32 * mib }, sectorBytes: 512 },
    { options: { sectors: '4kn', blockBytes: 2 * mib }, sectorBytes: 4096 },
    { options: { sectors: '4kn', blockBytes: 32 * mib }, sectorBytes: 4096 },
  ])(
    'reads a vhdx of 70 GiB across its sector bitmap entries: $options',
    async ({ options, sectorBytes }) => {
      await withTempFolder(async (folder) => {
        const sizeBytes = 70 * gib + 4096;
        const writes = [4 * gib, 32 * gib, 64 * gib].flatMap((edge, index) => [
          { offset: edge - mib, length: mib, fill: index + 100 },
          { offset: edge, length: mib, fill: index + 2 },
        ]);
        writes.push({ offset: 0, length: mib, fill: 1 }, { offset: 70 * gib, length: 4096, fill: 200 });
        const finalPath = join(folder, 'disk.vhdx');
        const partialPath = `${finalPath}.partial`;
        const params = { finalPath, partialPath, sizeBytes, resume: false, workDir: folder };
        const { sink } = await openVhdxSink(params, options);
        await fill(sink, writes);
        const { stdout } = await runProcess({ program: 'vhdiinfo', args: [finalPath] });
        expect(stdout).toMatch(new RegExp(`Bytes per sector\\s*: ${sectorBytes} bytes`));
        await withMounted(folder, finalPath, async (disk) => {
          expect(await holds(disk, sizeBytes, writes)).toBe(true);
        });
      });
    },
  );
});

beforeAll(async () => {
  for (const program of ['vhdiinfo', 'vhdimount'])
    await runProcess({ program, args: ['-V'] }).catch((cause: unknown) => {
      throw new Error(`peers: ${program} is missing; deploy/setup.sh --peers installs it`, { cause });
    });
});
