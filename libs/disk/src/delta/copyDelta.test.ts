import { existsSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import * as fc from 'fast-check';
import { startProcess } from '@ascend/runtime';
import { expect, test, vi } from 'vitest';
import { fileBlockdev, type DiskImage } from '../blockdev.ts';
import { openChain } from '../chain/chain.ts';
import { serveNbd } from '../qemu/nbdServer.ts';
import { probeImage } from '../repository/probeImage.ts';
import {
  makeImage,
  qemuImg,
  sha256Of,
  withTempFolder,
  writeImage,
  type ImageWrite,
} from '../testing/images.ts';
import { copyDelta, type CopyDeltaParams } from './copyDelta.ts';
import { deltaJournalPath } from './deltaJournal.ts';

const mib = 1024 * 1024;
const kib64 = 65_536;

interface LayerParams {
  readonly sizeBytes: number;
  readonly writes: readonly ImageWrite[];
}

/** Files l0 (full), l1 … of a chain; each overlay on the one before. */
async function makeLayers(folder: string, layers: readonly LayerParams[]): Promise<string[]> {
  const files: string[] = [];
  for (const [index, layer] of layers.entries()) {
    const file = path.join(folder, `l${index}.qcow2`);
    const below = files.at(-1);
    await makeImage({
      ...layer,
      path: file,
      format: 'qcow2',
      ...(below === undefined ? {} : { backing: below }),
    });
    files.push(file);
  }
  return files;
}

async function imageOf(folder: string, file: string): Promise<DiskImage> {
  return { chain: await openChain({ rootPath: folder, path: file, format: 'qcow2' }), overlays: [] };
}

async function restoreTo(file: string, out: string, format: string): Promise<void> {
  await qemuImg('convert', '-f', 'qcow2', '-O', format, file, out);
}

function paramsFor(
  folder: string,
  image: DiskImage,
  target: CopyDeltaParams['target'],
  more: Partial<CopyDeltaParams> = {},
): CopyDeltaParams {
  return {
    image,
    sinceLayer: 1,
    target,
    verify: 'sample',
    workDir: path.join(folder, 'work'),
    signal: new AbortController().signal,
    bandwidthBytesPerSecond: null,
    ...more,
  };
}

const sizeBytes = 64 * mib;
const standard: readonly LayerParams[] = [
  { sizeBytes, writes: [{ offsetBytes: 0, lengthBytes: 20 * mib, fill: 1 }] },
  { sizeBytes, writes: [{ offsetBytes: 5 * mib, lengthBytes: kib64, fill: 2 }] },
  {
    sizeBytes,
    writes: [
      { offsetBytes: 10 * mib, lengthBytes: 3 * mib, fill: 3 },
      { offsetBytes: mib, lengthBytes: 2 * mib, fill: 'zero' },
      { offsetBytes: 40 * mib, lengthBytes: kib64, fill: 4 },
    ],
  },
];

test.each(['raw', 'qcow2'] as const)(
  'a %s copy of the older point becomes the newer one; only changes are written, zeros over data too',
  async (format) => {
    await withTempFolder(async (folder) => {
      const [, older = '', newer = ''] = await makeLayers(folder, standard);
      const target = { path: path.join(folder, `copy.${format}`), format };
      await restoreTo(older, target.path, format);
      const image = await imageOf(folder, newer);
      let last = { bytesDone: 0, bytesTotal: 0 };
      const result = await copyDelta(
        paramsFor(folder, image, target, {
          verify: 'read-back',
          onProgress: (progress) => (last = progress),
        }),
      );
      expect(result).toMatchObject({
        dataBytes: 3 * mib + kib64,
        zeroBytes: 2 * mib,
        ranges: 3,
        repeated: false,
      });
      expect(result.provenBytes).toBeGreaterThan(14 * mib);
      expect(last.bytesDone).toBe(last.bytesTotal);
      expect(await qemuImg('compare', '-f', 'qcow2', '-F', format, newer, target.path)).toContain(
        'identical',
      );
      expect((await readdir(folder)).sort()).toEqual(
        [`copy.${format}`, 'l0.qcow2', 'l1.qcow2', 'l2.qcow2', 'work'].sort(),
      );
      expect(await readdir(path.join(folder, 'work'))).toEqual([]);
    });
  },
);

test('any chain of layers of different sizes: delta onto the older copy equals a full copy of the newer point', async () => {
  const sectors = 16 * 1024;
  const write = fc
    .tuple(
      fc.nat(sectors - 1),
      fc.integer({ min: 1, max: 4000 }),
      fc.oneof(fc.nat(255), fc.constant<'zero'>('zero')),
    )
    .map(([at, length, fill]): ImageWrite => ({ offsetBytes: at * 512, lengthBytes: length * 512, fill }));
  const layer = fc
    .tuple(fc.array(write, { maxLength: 5 }), fc.integer({ min: 64, max: sectors }))
    .map(([writes, size]): LayerParams => ({
      sizeBytes: size * 512,
      writes: writes
        .filter((one) => one.offsetBytes < size * 512)
        .map(({ offsetBytes, lengthBytes, fill }) => ({
          offsetBytes,
          lengthBytes: Math.min(lengthBytes, size * 512 - offsetBytes),
          fill,
        })),
    }));
  await fc.assert(
    fc.asyncProperty(
      fc.array(layer, { minLength: 2, maxLength: 4 }),
      fc.nat(10),
      fc.constantFrom<'raw' | 'qcow2'>('raw', 'qcow2'),
      async (layers, pick, format) => {
        await withTempFolder(async (folder) => {
          const files = await makeLayers(folder, layers);
          const sinceLayer = 1 + (pick % (files.length - 1));
          const newer = files.at(-1) ?? '';
          const target = { path: path.join(folder, 'copy'), format };
          await restoreTo(files[files.length - 1 - sinceLayer] ?? '', target.path, format);
          const image = await imageOf(folder, newer);
          await copyDelta(paramsFor(folder, image, target, { sinceLayer, verify: 'read-back' }));
          expect(await qemuImg('compare', '-f', 'qcow2', '-F', format, newer, target.path)).toContain(
            'identical',
          );
          const { virtualSizeBytes } = await probeImage(target.path, format);
          expect(virtualSizeBytes).toBe(image.chain.virtualSizeBytes);
        });
      },
    ),
    { numRuns: 8 },
  );
});

test('a target that is not the older point is refused with the place, and nothing is written', async () => {
  await withTempFolder(async (folder) => {
    const [full = '', older = '', newer = ''] = await makeLayers(folder, standard);
    const image = await imageOf(folder, newer);
    const target = { path: path.join(folder, 'copy.raw'), format: 'raw' as const };
    // One point too old: it differs from the older one in a single cluster.
    await restoreTo(full, target.path, 'raw');
    const before = await sha256Of(target.path);
    for (const verify of ['none', 'sample', 'read-back'] as const) {
      await expect(copyDelta(paramsFor(folder, image, target, { verify }))).rejects.toMatchObject({
        code: 'DISK_DELTA_BASE_MISMATCH',
        details: { offsetBytes: 5 * mib },
      });
    }
    expect(await sha256Of(target.path)).toBe(before);
    expect(existsSync(deltaJournalPath(target.path))).toBe(false);
    // A difference far from everything that a sample knows is found by a full comparison.
    await restoreTo(older, target.path, 'raw');
    await writeImage(target.path, 'raw', [{ offsetBytes: 55 * mib, lengthBytes: 512, fill: 9 }]);
    await expect(copyDelta(paramsFor(folder, image, target, { verify: 'read-back' }))).rejects.toMatchObject({
      code: 'DISK_DELTA_BASE_MISMATCH',
      details: { offsetBytes: 55 * mib },
    });
  });
});

test('a file of the backup, another size, an overlay and a disk in use are refused as targets', async () => {
  await withTempFolder(async (folder) => {
    const [, older = '', newer = ''] = await makeLayers(folder, standard);
    const image = await imageOf(folder, newer);
    const refuse = async (
      file: string,
      format: 'raw' | 'qcow2',
      code: string,
      words: string,
    ): Promise<void> => {
      const failing = copyDelta(paramsFor(folder, image, { path: file, format }));
      await expect(failing).rejects.toMatchObject({ code, message: expect.stringContaining(words) });
    };
    await refuse(older, 'qcow2', 'DISK_DELTA_BASE_MISMATCH', 'a file of the backup');
    await refuse(path.join(folder, 'nowhere'), 'raw', 'DISK_FILE_MISSING', '');
    const short = path.join(folder, 'short.raw');
    await writeFile(short, Buffer.alloc(mib));
    await refuse(short, 'raw', 'DISK_DELTA_BASE_MISMATCH', `${mib} bytes`);
    const overlay = path.join(folder, 'overlay.qcow2');
    await makeImage({ path: overlay, format: 'qcow2', sizeBytes, backing: older });
    await refuse(overlay, 'qcow2', 'DISK_DELTA_BASE_MISMATCH', 'backing file');
    const busy = path.join(folder, 'busy.qcow2');
    await restoreTo(older, busy, 'qcow2');
    const server = await serveNbd({
      blockdev: fileBlockdev(busy, 'qcow2', { readOnly: false }),
      writable: true,
      connections: 1,
      workDir: path.join(folder, 'work'),
    });
    try {
      await refuse(busy, 'qcow2', 'DISK_SOURCE_BUSY', '');
    } finally {
      await server.close();
    }
    const wrongLayer = copyDelta(
      paramsFor(folder, image, { path: busy, format: 'qcow2' }, { sinceLayer: 3 }),
    );
    await expect(wrongLayer).rejects.toMatchObject({ code: 'DISK_RANGE_INVALID' });
  });
});

test('a delta cut by kill -9 is repeated to the right end, and keeps other deltas off until then', async () => {
  await withTempFolder(async (folder) => {
    const [, older = '', newer = ''] = await makeLayers(folder, [
      ...standard.slice(0, 2),
      { sizeBytes, writes: [{ offsetBytes: 8 * mib, lengthBytes: 40 * mib, fill: 6 }] },
    ]);
    const image = await imageOf(folder, newer);
    const target = { path: path.join(folder, 'copy.raw'), format: 'raw' as const };
    await restoreTo(older, target.path, 'raw');
    const program = path.join(folder, 'program.mjs');
    const library = new URL('../index.ts', import.meta.url).href;
    await writeFile(
      program,
      `import { copyDelta, openChain } from ${JSON.stringify(library)};
const [folder, newer, target] = process.argv.slice(2);
const chain = await openChain({ rootPath: folder, path: newer, format: 'qcow2' });
await copyDelta({ image: { chain, overlays: [] }, sinceLayer: 1, target: { path: target, format: 'raw' }, verify: 'none',
  workDir: folder + '/work', signal: new AbortController().signal, bandwidthBytesPerSecond: 8388608,
  onProgress: ({ bytesDone }) => { if (bytesDone > 4194304) console.log('moving'); } });
`,
    );
    const moving = Promise.withResolvers<void>();
    const running = startProcess({
      program: process.execPath,
      args: [program, folder, newer, target.path],
      dieWithParent: true,
      onStdoutLine: () => moving.resolve(),
    });
    await Promise.race([moving.promise, running.ended.then((end) => Promise.reject(new Error(end.stderr)))]);
    process.kill(running.pid, 'SIGKILL');
    await running.ended;
    expect(existsSync(deltaJournalPath(target.path))).toBe(true);
    // The delta of another pair of points must not be put on top of half a delta.
    const other = await imageOf(folder, older);
    await expect(copyDelta(paramsFor(folder, other, target))).rejects.toMatchObject({
      code: 'DISK_DELTA_BASE_MISMATCH',
      message: expect.stringContaining('was cut'),
    });
    // The killed run's server holds the target for a moment longer.
    const again = paramsFor(folder, image, target, { verify: 'read-back' });
    const result = await vi.waitFor(() => copyDelta(again), { timeout: 20_000, interval: 100 });
    expect(result).toMatchObject({ repeated: true, dataBytes: 40 * mib });
    expect(await qemuImg('compare', '-f', 'qcow2', '-F', 'raw', newer, target.path)).toContain('identical');
    expect(existsSync(deltaJournalPath(target.path))).toBe(false);
  });
});
