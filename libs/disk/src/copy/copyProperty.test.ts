import path from 'node:path';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { openChain } from '../chain/chain.ts';
import { openFileSink } from '../sinks/fileSink.ts';
import { makeImage, qemuImg, withTempFolder, type ImageWrite } from '../testing/images.ts';
import { copyDisk } from './copyDisk.ts';

const sectors = 40 * 1024; // 20 MiB

const write = fc
  .tuple(
    fc.nat(sectors - 1),
    fc.oneof(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 1, max: 6000 })),
    fc.oneof({ weight: 3, arbitrary: fc.integer({ min: 0, max: 255 }) }, fc.constant<'zero'>('zero')),
  )
  .map(([at, length, fill]): ImageWrite => ({ offsetBytes: at * 512, lengthBytes: length * 512, fill }));

const layer = fc.record({
  writes: fc.array(write, { maxLength: 8 }),
  sectors: fc.integer({ min: 1, max: sectors }),
  options: fc.constantFrom(
    'cluster_size=64k',
    'cluster_size=4k',
    'cluster_size=64k,extended_l2=on',
    'cluster_size=1M',
  ),
});

/** A stack of layers of different sizes, cluster sizes and contents; each write is cut to its layer. */
async function makeStack(
  folder: string,
  layers: readonly { writes: ImageWrite[]; sectors: number; options: string }[],
) {
  for (const [index, { writes, sectors: size, options }] of layers.entries()) {
    const sizeBytes = size * 512;
    const cut = writes
      .filter(({ offsetBytes }) => offsetBytes < sizeBytes)
      .map(({ offsetBytes, lengthBytes, fill }) => ({
        offsetBytes,
        lengthBytes: Math.min(lengthBytes, sizeBytes - offsetBytes),
        fill,
      }));
    await makeImage({
      path: path.join(folder, `l${index}.qcow2`),
      format: 'qcow2',
      sizeBytes,
      options,
      writes: cut,
      ...(index === 0 ? {} : { backing: path.join(folder, `l${index - 1}.qcow2`) }),
    });
  }
  return path.join(folder, `l${layers.length - 1}.qcow2`);
}

test('any stack of layers is copied to raw and QCOW2 as the same disk with the same digest', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(layer, { minLength: 1, maxLength: 3 }),
      fc.nat(300),
      async (layers, extraSectors) => {
        await withTempFolder(async (folder) => {
          const top = await makeStack(folder, layers);
          const chain = await openChain({ rootPath: folder, path: top, format: 'qcow2' });
          const targetSizeBytes = chain.virtualSizeBytes + extraSectors * 512;
          const digests: (string | null)[] = [];
          for (const format of ['raw', 'qcow2'] as const) {
            const finalPath = path.join(folder, `out.${format}`);
            const { sink } = await openFileSink({
              finalPath,
              format,
              sizeBytes: targetSizeBytes,
              resume: false,
              workDir: folder,
            });
            const result = await copyDisk({
              image: { chain, overlays: [] },
              sink,
              targetSizeBytes,
              workDir: folder,
              signal: new AbortController().signal,
              bandwidthBytesPerSecond: null,
              resumeFromBytes: 0,
              onProgress: () => undefined,
              onConfirmed: () => Promise.resolve(),
            });
            await sink.finish();
            digests.push(result.sha256);
            expect(await qemuImg('compare', '-f', 'qcow2', '-F', format, top, finalPath)).toContain(
              'identical',
            );
          }
          expect(digests[0]).toBe(digests[1]);
        });
      },
    ),
    { numRuns: 12 },
  );
});
