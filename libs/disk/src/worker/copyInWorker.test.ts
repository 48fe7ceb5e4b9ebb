import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { AppError } from '@ascend/errors';
import { expect, test } from 'vitest';
import type { DiskImage } from '../blockdev.ts';
import { openChain } from '../chain/chain.ts';
import { createBandwidthLimiter } from '../copy/bandwidth.ts';
import { digestDisk } from '../copy/copyDisk.ts';
import { makeImage, qemuImg, withTempFolder } from '../testing/images.ts';
import { copyInWorker, type CopyInWorkerParams } from './copyInWorker.ts';
import { fileSinkModule } from './fileSinkModule.ts';
import type { SinkModule } from './sinkModule.ts';
import { openScriptedSink, type ScriptedSinkParams } from './testing/scriptedSink.ts';

const mib = 1024 * 1024;
/** 24 MiB of data; `large`: 96 MiB, more than is written between two confirmations, so that one comes amid the copy. */
type Size = 'small' | 'large';

function scriptedSink(params: ScriptedSinkParams): SinkModule {
  const moduleUrl = import.meta.resolve('./testing/scriptedSink.ts');
  return { moduleUrl, exportName: openScriptedSink.name, params: { ...params } };
}

/** A chain, and a copy of it to a raw file whose end is noted. */
interface Bench {
  readonly folder: string;
  readonly sizeBytes: number;
  readonly image: DiskImage;
  readonly finalPath: string;
  readonly partialPath: string;
  readonly copy: (
    sink?: Partial<ScriptedSinkParams>,
    more?: Partial<CopyInWorkerParams>,
  ) => ReturnType<typeof copyInWorker>;
  /** What the sink noted. */
  readonly ends: () => Promise<string[]>;
  readonly expectIdentical: () => Promise<void>;
}

async function processesOf(folder: string): Promise<string[]> {
  const lines = await Promise.all(
    (await readdir('/proc'))
      .filter((name) => /^\d+$/.test(name))
      .map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  );
  return lines.filter((line) => line.includes(folder)).map((line) => line.replaceAll('\0', ' '));
}

async function withBench(run: (bench: Bench) => Promise<void>, size: Size = 'small'): Promise<void> {
  const scale = size === 'small' ? mib : 4 * mib;
  const sizeBytes = 28 * scale;
  await withTempFolder(async (folder) => {
    const file = path.join(folder, 'disk.qcow2');
    await makeImage({
      path: file,
      format: 'qcow2',
      sizeBytes,
      writes: [
        { offsetBytes: 0, lengthBytes: 22 * scale, fill: 1 },
        { offsetBytes: 25 * scale, lengthBytes: 2 * scale, fill: 2 },
      ],
    });
    const chain = await openChain({ rootPath: folder, path: 'disk.qcow2', format: 'qcow2' });
    const image = { chain, overlays: [] };
    const workDir = path.join(folder, 'work');
    const finalPath = path.join(folder, 'out', 'disk.raw');
    const logPath = path.join(folder, 'ends.log');
    await run({
      folder,
      sizeBytes,
      image,
      finalPath,
      partialPath: `${finalPath}.partial`,
      copy: (sink = {}, more = {}) =>
        copyInWorker({
          image,
          sink: scriptedSink({ finalPath, sizeBytes, resume: true, logPath, ...sink }),
          targetSizeBytes: sizeBytes,
          workDir,
          signal: new AbortController().signal,
          bandwidthBytesPerSecond: null,
          resumeFromBytes: 0,
          onProgress: () => undefined,
          onConfirmed: () => Promise.resolve(),
          onCopied: () => Promise.resolve(),
          ...more,
        }),
      ends: async () =>
        (await readFile(logPath, 'utf8').catch(() => '')).split('\n').filter((line) => line !== ''),
      expectIdentical: async () => {
        const compared = await qemuImg('compare', '-f', 'qcow2', '-F', 'raw', file, finalPath);
        expect(compared).toContain('identical');
      },
    });
    // However it ended: no server, no private folder.
    expect(await processesOf(folder)).toEqual([]);
    expect(await readdir(workDir).catch(() => [])).toEqual([]);
  });
}

test('a disk is copied, told about, noted and then given its final name', async () => {
  await withBench(async ({ copy, image, folder, sizeBytes, finalPath, ends, expectIdentical }) => {
    const told: string[] = [];
    let last = { bytesDone: 0, bytesTotal: 0, bytesSkipped: 0 };
    const confirmed: number[] = [];
    const result = await copy(
      {},
      {
        onProgress: (progress) => (last = progress),
        onConfirmed: async (offset) => void confirmed.push(offset),
        onCopied: async ({ bytesCopied }) => {
          told.push(`copied ${bytesCopied / mib}, final ${existsSync(finalPath)}`);
          await Promise.resolve();
        },
      },
    );
    const sha256 = await digestDisk({ image, workDir: folder, signal: new AbortController().signal });
    expect(result).toEqual({
      bytesCopied: 96 * mib,
      bytesSkipped: 16 * mib,
      resumable: true,
      sha256,
      alreadyFinished: false,
      resumedFromBytes: 0,
    });
    expect(told).toEqual(['copied 96, final false']);
    expect(last).toEqual({ bytesDone: 96 * mib, bytesTotal: 96 * mib, bytesSkipped: 16 * mib });
    expect(confirmed).toEqual(confirmed.toSorted((a, b) => a - b));
    expect(confirmed.length).toBeGreaterThan(1);
    expect(confirmed.at(-1)).toBe(sizeBytes);
    expect(await ends()).toEqual(['finish']);
    await expectIdentical();
    const again = await copy();
    expect(again).toMatchObject({ alreadyFinished: true, sha256 });
  }, 'large');
});

test('the copy waits until what it confirmed is noted', async () => {
  await withBench(async ({ copy, sizeBytes, finalPath, expectIdentical }) => {
    const noted = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    let copied = false;
    const copying = copy(
      {},
      {
        onConfirmed: async (offset) => {
          if (offset < sizeBytes) return;
          asked.resolve();
          await noted.promise;
        },
        onCopied: async () => {
          copied = true;
          await Promise.resolve();
        },
      },
    );
    await asked.promise;
    // The thread stands still: nothing that it could do would change this.
    expect(copied).toBe(false);
    expect(existsSync(finalPath)).toBe(false);
    noted.resolve();
    await copying;
    expect(copied).toBe(true);
    await expectIdentical();
  });
});

test('a cancelled copy suspends its sink and goes on where it was confirmed', async () => {
  await withBench(async ({ copy, sizeBytes, ends, partialPath, finalPath, expectIdentical }) => {
    const stop = new AbortController();
    let confirmed = 0;
    const onConfirmed = async (offset: number): Promise<void> => {
      confirmed = offset;
      stop.abort();
      await Promise.resolve();
    };
    await expect(copy({}, { signal: stop.signal, onConfirmed })).rejects.toMatchObject({
      code: 'OPERATION_CANCELLED',
    });
    expect(confirmed).toBeGreaterThanOrEqual(32 * mib);
    expect(confirmed).toBeLessThan(sizeBytes);
    expect(await ends()).toEqual(['suspend']);
    expect(existsSync(partialPath)).toBe(true);
    expect(existsSync(finalPath)).toBe(false);
    const result = await copy({}, { resumeFromBytes: confirmed });
    expect(result.resumedFromBytes).toBe(confirmed);
    expect(result.bytesCopied).toBeLessThan(96 * mib);
    await expectIdentical();
  }, 'large');
});

test('what is to be aborted is removed: after a cancel, an error, and by this side when the thread is lost', async () => {
  await withBench(async ({ copy, ends, partialPath }) => {
    const onFailure = 'abort';
    const stop = new AbortController();
    const onProgress = (): void => stop.abort();
    await expect(copy({}, { signal: stop.signal, onFailure, onProgress })).rejects.toMatchObject({
      code: 'OPERATION_CANCELLED',
    });
    expect(existsSync(partialPath)).toBe(false);
    await expect(copy({ mischief: 'throw' }, { onFailure })).rejects.toMatchObject({
      code: 'DISK_SPACE_EXHAUSTED',
      details: { freeBytes: 7 },
    });
    expect(existsSync(partialPath)).toBe(false);
    await expect(copy({ mischief: 'exit' }, { onFailure })).rejects.toMatchObject({
      code: 'DISK_WORKER_LOST',
    });
    expect(existsSync(partialPath)).toBe(false);
    expect(await ends()).toEqual(['abort', 'abort', 'abort']);
  });
});

test.each(['crash', 'exit', 'heap'] as const)(
  'a thread that is lost by %s leaves no server, and the next attempt goes on',
  async (mischief) => {
    await withBench(async ({ copy, folder, partialPath, expectIdentical }) => {
      let confirmed = 0;
      const onConfirmed = async (offset: number): Promise<void> => {
        confirmed = offset;
        await Promise.resolve();
      };
      await expect(
        copy({ mischief, atBytes: 102 * mib, afterFlush: true }, { onConfirmed }),
      ).rejects.toMatchObject({
        code: 'DISK_WORKER_LOST',
        category: 'unavailable',
      });
      expect(await processesOf(folder)).toEqual([]);
      expect(existsSync(partialPath)).toBe(true);
      const result = await copy({}, { resumeFromBytes: confirmed });
      expect(confirmed).toBeGreaterThan(0);
      expect(result.resumedFromBytes).toBe(confirmed);
      await expectIdentical();
    }, 'large');
  },
);

test.each([
  ['that never lets go of its thread', { mischief: 'spin' as const }],
  ['whose closing never ends', { mischief: 'hang' as const, hangsInClosing: true }],
])('a cancel ends a sink %s', async (_, sink) => {
  await withBench(async ({ copy, partialPath }) => {
    const stop = new AbortController();
    const onProgress = (): void => stop.abort();
    const copying = copy(
      // Behind the pool: what came before has been told.
      { atBytes: 20 * mib, ...sink },
      { signal: stop.signal, onProgress, stopWithinMs: 500 },
    );
    await expect(copying).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' });
    expect(existsSync(partialPath)).toBe(true);
  });
});

test('an error of the caller stops the copy and is thrown as it is', async () => {
  await withBench(async ({ copy, ends }) => {
    const failure = new AppError({ code: 'DISK_IO_FAILED', message: 'the ledger is full' });
    const fail = (): Promise<void> => Promise.reject(failure);
    await expect(copy({}, { onConfirmed: fail })).rejects.toBe(failure);
    await expect(copy({}, { onCopied: fail })).rejects.toBe(failure);
    const throwing = (): void => {
      throw failure;
    };
    await expect(copy({}, { onProgress: throwing })).rejects.toBe(failure);
    expect(await ends()).toEqual(['suspend', 'suspend', 'suspend']);
  });
});

test('an ordered sink starts at zero, and is aborted when it cannot be suspended', async () => {
  await withBench(async ({ copy, ends, partialPath, expectIdentical }) => {
    await expect(copy({ ordered: true, mischief: 'throw', atBytes: 12 * mib })).rejects.toMatchObject({
      code: 'DISK_SPACE_EXHAUSTED',
    });
    expect(await ends()).toEqual(['abort']);
    expect(existsSync(partialPath)).toBe(false);
    const result = await copy({ ordered: true }, { resumeFromBytes: 16 * mib });
    expect(result).toMatchObject({ resumedFromBytes: 0, bytesCopied: 24 * mib });
    await expectIdentical();
  });
});

test('threads share a cap that is changed while they run', async () => {
  await withBench(async ({ copy, folder, sizeBytes, expectIdentical }) => {
    // Without the change this would take a quarter of an hour: the first block of one stream passes, then both stand.
    const limiter = createBandwidthLimiter(50 * 1024);
    const onProgress = ({ bytesDone }: { bytesDone: number }): void => {
      if (bytesDone > 0) limiter.setRate(null);
    };
    const second = {
      sink: fileSinkModule({
        finalPath: path.join(folder, 'out', 'second.raw'),
        format: 'raw',
        sizeBytes,
        resume: false,
      }),
    };
    await Promise.all([
      copy({}, { limiters: [limiter], onProgress }),
      copy({}, { limiters: [limiter], onProgress, ...second }),
    ]);
    await expectIdentical();
    const startMs = performance.now();
    const capped = createBandwidthLimiter(48 * mib);
    await copy({ finalPath: path.join(folder, 'out', 'third.raw') }, { limiters: [capped] });
    expect(performance.now() - startMs).toBeGreaterThan(450);
  });
});

test('a copy that a cap holds tells that it lives', async () => {
  await withBench(async ({ copy, expectIdentical }) => {
    const limiter = createBandwidthLimiter(1);
    // Without the change it would never end.
    let held = 0;
    const onHeld = (): void => {
      held += 1;
      if (held === 2) limiter.setRate(null);
    };
    await copy({}, { limiters: [limiter], tuning: { stallAfterMs: 10_000 }, onHeld });
    expect(held).toBeGreaterThanOrEqual(2);
    await expectIdentical();
  });
});

test('a source that cannot be opened is told by its code, and no sink is opened', async () => {
  await withBench(async ({ copy, image, partialPath }) => {
    const [layer] = image.chain.layers;
    const gone = {
      ...image,
      chain: { ...image.chain, layers: [{ ...layer!, absPath: '/nowhere/disk.qcow2' }] },
    };
    await expect(copy({}, { image: gone })).rejects.toMatchObject({ code: expect.stringMatching(/^DISK_/) });
    expect(existsSync(partialPath)).toBe(false);
    await expect(copy({}, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'OPERATION_CANCELLED',
    });
  });
});

test.each([
  ['no file', { moduleUrl: 'data:text/javascript,export const a = 1', exportName: 'a' }],
  ['not there', { moduleUrl: 'file:///nowhere/sink.ts', exportName: 'a' }],
  ['without the export', { moduleUrl: import.meta.resolve('./fileSinkModule.ts'), exportName: 'a' }],
])('a module that is %s is a bug, and is said to be one', async (_, module) => {
  await withBench(async ({ copy }) => {
    await expect(copy({}, { sink: { ...module, params: {} } })).rejects.toMatchObject({
      code: 'INTERNAL_BUG',
    });
  });
});
