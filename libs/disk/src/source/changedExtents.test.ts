import { readdir } from 'node:fs/promises';
import path from 'node:path';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { openChain } from '../chain/chain.ts';
import type { DiskImage } from '../blockdev.ts';
import { collectExtents } from '../testing/compareEngines.ts';
import { makeImage, withTempFolder, type ImageWrite } from '../testing/images.ts';
import { changedExtents } from './changedExtents.ts';
import { openSource } from './openSource.ts';

const mib = 1024 * 1024;
const { signal } = new AbortController();

async function readDisk(image: DiskImage, folder: string): Promise<Buffer> {
  const source = await openSource({ image, workDir: folder, signal, engine: 'nbd' });
  try {
    const bytes = Buffer.alloc(source.sizeBytes);
    await source.readInto(0, bytes);
    return bytes;
  } finally {
    await source.close();
  }
}

async function makeLayers(
  folder: string,
  layers: readonly { sizeBytes: number; writes: readonly ImageWrite[]; options?: string }[],
): Promise<DiskImage> {
  for (const [index, { sizeBytes, writes, options }] of layers.entries()) {
    await makeImage({
      path: path.join(folder, `l${index}.qcow2`),
      format: 'qcow2',
      sizeBytes,
      writes,
      ...(options === undefined ? {} : { options }),
      ...(index === 0 ? {} : { backing: path.join(folder, `l${index - 1}.qcow2`) }),
    });
  }
  const chain = await openChain({ rootPath: folder, path: `l${layers.length - 1}.qcow2`, format: 'qcow2' });
  return { chain, overlays: [] };
}

test('only what layers above the older point hold is told, and zeros over data are told as zeros', async () => {
  await withTempFolder(async (folder) => {
    const sizeBytes = 16 * mib;
    const image = await makeLayers(folder, [
      { sizeBytes, writes: [{ offsetBytes: 0, lengthBytes: 8 * mib, fill: 1 }] },
      { sizeBytes, writes: [{ offsetBytes: mib, lengthBytes: mib, fill: 2 }] },
      { sizeBytes, writes: [{ offsetBytes: 3 * mib, lengthBytes: mib, fill: 'zero' }] },
    ]);
    const since = async (sinceLayer: number) =>
      await collectExtents(changedExtents({ image, workDir: folder, signal, sinceLayer }));
    expect(await since(0)).toEqual([]);
    const zeros = { offsetBytes: 3 * mib, lengthBytes: mib, kind: 'zero' };
    expect(await since(1)).toEqual([zeros]);
    expect(await since(2)).toEqual([{ offsetBytes: mib, lengthBytes: mib, kind: 'data' }, zeros]);
    await expect(since(3)).rejects.toMatchObject({ code: 'DISK_RANGE_INVALID' });
    await expect(since(-1)).rejects.toMatchObject({ code: 'DISK_RANGE_INVALID' });
  });
});

test('a consumer that stops early leaves nothing open', async () => {
  await withTempFolder(async (folder) => {
    const image = await makeLayers(folder, [
      { sizeBytes: mib, writes: [] },
      { sizeBytes: mib, writes: [{ offsetBytes: 0, lengthBytes: 65_536, fill: 1 }] },
    ]);
    const workDir = path.join(folder, 'work');
    for await (const extent of changedExtents({ image, workDir, signal, sinceLayer: 1 })) {
      expect(extent.kind).toBe('data');
      break;
    }
    expect(await readdir(workDir)).toEqual([]);
  });
});

const sectors = 4 * 2048;
const layer = fc
  .record({
    sizeBytes: fc.integer({ min: 1, max: sectors }).map((size) => size * 512),
    options: fc.constantFrom('cluster_size=64k', 'cluster_size=4k', 'cluster_size=64k,extended_l2=on'),
    writes: fc.array(
      fc.record({
        offsetBytes: fc.nat(sectors - 1).map((at) => at * 512),
        lengthBytes: fc.integer({ min: 1, max: 3000 }).map((length) => length * 512),
        fill: fc.oneof(fc.integer({ min: 1, max: 255 }), fc.constant<'zero'>('zero')),
      }),
      { maxLength: 5 },
    ),
  })
  .map(({ sizeBytes, options, writes }) => ({
    sizeBytes,
    options,
    writes: writes
      .filter(({ offsetBytes }) => offsetBytes < sizeBytes)
      .map(({ offsetBytes, lengthBytes, fill }) => ({
        offsetBytes,
        lengthBytes: Math.min(lengthBytes, sizeBytes - offsetBytes),
        fill,
      })),
  }));

test('an older copy with the changed extents applied is the newer point, whatever the layers', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(layer, { minLength: 2, maxLength: 4 }), fc.nat(), async (layers, pick) => {
      await withTempFolder(async (folder) => {
        const image = await makeLayers(folder, layers);
        const sinceLayer = 1 + (pick % (layers.length - 1));
        const older = image.chain.layers[sinceLayer]!;
        const olderChain = await openChain({ rootPath: folder, path: older.relPath, format: 'qcow2' });
        const before = await readDisk({ chain: olderChain, overlays: [] }, folder);
        const after = await readDisk(image, folder);
        // What a grown target holds behind its old end is not known.
        const target = Buffer.alloc(after.length, 0xee);
        before.copy(target);
        let at = 0;
        for await (const extent of changedExtents({ image, workDir: folder, signal, sinceLayer })) {
          const { offsetBytes, lengthBytes, kind } = extent;
          expect(offsetBytes).toBeGreaterThanOrEqual(at);
          at = offsetBytes + lengthBytes;
          if (kind === 'data') after.copy(target, offsetBytes, offsetBytes, at);
          else target.fill(0, offsetBytes, at);
        }
        expect(target.equals(after)).toBe(true);
      });
    }),
    { numRuns: 12 },
  );
});
