import { appendFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { AppError } from '@ascend/errors';
import { systemClock, type Clock } from '@ascend/runtime';
import { expect, test } from 'vitest';
import { fileBlockdev, type DiskImage } from '../blockdev.ts';
import { openChain } from '../chain/chain.ts';
import { serveNbd } from '../qemu/nbdServer.ts';
import type { DiskSink } from '../sink.ts';
import { createNullSink, openFileSink } from '../sinks/fileSink.ts';
import { makeImage, qemuImg, withTempFolder } from '../testing/images.ts';
import { copyDisk, digestDisk, type CopyDiskParams } from './copyDisk.ts';

const mib = 1024 * 1024;
const sizeBytes = 48 * mib;

/** Makes every confirmation due: each look at the clock is 10 s later. */
function hastyClock(): Clock {
  let nowMs = 0;
  return { now: () => (nowMs += 10_000), sleep: (ms, signal) => systemClock.sleep(ms, signal) };
}

interface Bench {
  readonly folder: string;
  readonly image: DiskImage;
  readonly file: string;
  readonly copy: (sink: DiskSink, more?: Partial<CopyDiskParams>) => ReturnType<typeof copyDisk>;
}

async function withBench(run: (bench: Bench) => Promise<void>): Promise<void> {
  await withTempFolder(async (folder) => {
    const file = path.join(folder, 'disk.qcow2');
    await makeImage({
      path: file,
      format: 'qcow2',
      sizeBytes,
      writes: [
        { offsetBytes: 0, lengthBytes: 20 * mib, fill: 1 },
        { offsetBytes: 30 * mib, lengthBytes: 10 * mib, fill: 2 },
      ],
    });
    const image = {
      chain: await openChain({ rootPath: folder, path: 'disk.qcow2', format: 'qcow2' }),
      overlays: [],
    };
    const workDir = path.join(folder, 'work');
    await run({
      folder,
      image,
      file,
      copy: (sink, more = {}) =>
        copyDisk({
          image,
          sink,
          targetSizeBytes: sizeBytes,
          workDir,
          signal: new AbortController().signal,
          bandwidthBytesPerSecond: null,
          resumeFromBytes: 0,
          onProgress: () => undefined,
          onConfirmed: () => Promise.resolve(),
          ...more,
        }),
    });
    // Whatever happened: the server and its socket are gone.
    expect(await readdir(workDir).catch(() => [])).toEqual([]);
  });
}

test.each(['raw', 'qcow2'] as const)(
  'a cut copy to %s goes on at the confirmed offset and ends identical',
  async (format) => {
    await withBench(async ({ folder, file, copy, image }) => {
      const finalPath = path.join(folder, `out.${format}`);
      const open = async (resume: boolean) =>
        (await openFileSink({ finalPath, format, sizeBytes, resume, workDir: folder })).sink;
      const first = await open(false);
      let confirmed = 0;
      const someConfirmed = Promise.withResolvers<void>();
      const cut = new AppError({ code: 'DISK_IO_FAILED', message: 'the cable is out' });
      const failing: DiskSink = {
        ...first,
        write: async (offset, data) => {
          if (offset >= 34 * mib) {
            await someConfirmed.promise;
            throw cut;
          }
          await first.write(offset, data);
        },
      };
      const offsets: number[] = [];
      const onConfirmed = async (offset: number): Promise<void> => {
        await Promise.resolve();
        confirmed = offset;
        offsets.push(offset);
        if (offset > 0) someConfirmed.resolve();
      };
      await expect(copy(failing, { clock: hastyClock(), onConfirmed })).rejects.toBe(cut);
      await first.suspend();
      expect(confirmed).toBeGreaterThan(0);
      expect(offsets).toEqual(offsets.toSorted((a, b) => a - b));
      const second = await open(true);
      const rewritten: number[] = [];
      const counting: DiskSink = {
        ...second,
        write: async (offset, data) => {
          rewritten.push(offset);
          await second.write(offset, data);
        },
      };
      const result = await copy(counting, { resumeFromBytes: confirmed });
      await second.finish();
      expect(Math.min(...rewritten)).toBeGreaterThanOrEqual(confirmed);
      expect(await qemuImg('compare', '-f', 'qcow2', '-F', format, file, finalPath)).toContain('identical');
      const whole = await digestDisk({ image, workDir: folder, signal: new AbortController().signal });
      expect(result.sha256).toBe(whole);
    });
  },
);

test('a failing confirmation stops the copy', async () => {
  await withBench(async ({ copy }) => {
    const failure = new AppError({ code: 'DISK_SPACE_EXHAUSTED', message: 'no room for checkpoints' });
    const onConfirmed = (): Promise<void> => Promise.reject(failure);
    await expect(copy(createNullSink(), { clock: hastyClock(), onConfirmed })).rejects.toBe(failure);
  });
});

test('a cancelled copy ends at once with its code', async () => {
  await withBench(async ({ copy }) => {
    const stop = new AbortController();
    const onProgress = (): void => stop.abort();
    await expect(
      copy(createNullSink(), { signal: stop.signal, onProgress, bandwidthBytesPerSecond: mib }),
    ).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' });
    await expect(copy(createNullSink(), { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'OPERATION_CANCELLED',
    });
  });
});

test('a sink that hangs does not hold up a cancelled copy', async () => {
  await withBench(async ({ copy }) => {
    const stop = new AbortController();
    const hanging: DiskSink = {
      ...createNullSink(),
      write: async () => {
        setTimeout(() => stop.abort(), 50);
        await new Promise<void>(() => undefined);
      },
    };
    const hasty: Clock = { now: () => 0, sleep: () => Promise.resolve() };
    await expect(copy(hanging, { signal: stop.signal, clock: hasty })).rejects.toMatchObject({
      code: 'OPERATION_CANCELLED',
    });
  });
});

test('an error of a sink that is none of ours is told as a bug with its cause', async () => {
  await withBench(async ({ copy }) => {
    const failing: DiskSink = { ...createNullSink(), write: () => Promise.reject(new TypeError('odd')) };
    await expect(copy(failing)).rejects.toMatchObject({ code: 'INTERNAL_BUG', cause: expect.any(TypeError) });
  });
});

test('a chain that changes during the copy is noticed', async () => {
  await withBench(async ({ copy, file }) => {
    let done = false;
    const touching: DiskSink = {
      ...createNullSink(),
      write: async () => {
        if (!done) await appendFile(file, 'x');
        done = true;
      },
    };
    await expect(copy(touching)).rejects.toMatchObject({ code: 'DISK_SOURCE_CHANGED' });
  });
});

test('a target smaller than the source is refused', async () => {
  await withBench(async ({ copy }) => {
    await expect(copy(createNullSink(), { targetSizeBytes: sizeBytes - 512 })).rejects.toMatchObject({
      code: 'DISK_TARGET_TOO_SMALL',
    });
  });
});

test('a bandwidth cap holds the copy to its rate', async () => {
  await withBench(async ({ copy }) => {
    const started = performance.now();
    const result = await copy(createNullSink(), { bandwidthBytesPerSecond: 30 * mib });
    expect(result.bytesCopied).toBe(30 * mib);
    // 30 MiB at 30 MiB/s; the first block passes at once.
    expect(performance.now() - started).toBeGreaterThan(900);
  });
});

test('a backup that another program writes to is busy', async () => {
  await withBench(async ({ copy, file, folder }) => {
    const writer = await serveNbd({
      blockdev: fileBlockdev(file, 'qcow2', { readOnly: false }),
      writable: true,
      connections: 1,
      workDir: folder,
    });
    await expect(copy(createNullSink())).rejects.toMatchObject({ code: 'DISK_SOURCE_BUSY' });
    await writer.close();
  });
});
