import path from 'node:path';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { openChain } from '../chain/chain.ts';
import { copyDisk } from '../copy/copyDisk.ts';
import { openFileSink } from '../sinks/fileSink.ts';
import { makeImage, qemuImg, withTempFolder, type ImageWrite } from '../testing/images.ts';

const sectors = 80 * 1024; // 40 MiB

const write = fc
  .tuple(fc.nat(sectors - 1), fc.integer({ min: 1, max: 9000 }), fc.integer({ min: 0, max: 255 }))
  .map(([at, length, fill]): ImageWrite => {
    return { offsetBytes: at * 512, lengthBytes: Math.min(length, sectors - at) * 512, fill };
  });

test('any disk is copied to VHD and VHDX as the same disk', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(write, { maxLength: 8 }), fc.nat(300), async (writes, less) => {
      await withTempFolder(async (folder) => {
        const source = path.join(folder, 'source.qcow2');
        await makeImage({ path: source, format: 'qcow2', sizeBytes: sectors * 512, writes });
        await qemuImg('resize', '-q', '--shrink', source, String((sectors - less) * 512));
        const chain = await openChain({ rootPath: folder, path: source, format: 'qcow2' });
        for (const { format, qemuFormat } of [
          { format: 'vhd' as const, qemuFormat: 'vpc' },
          { format: 'vhd-fixed' as const, qemuFormat: 'vpc' },
          { format: 'vhdx' as const, qemuFormat: 'vhdx' },
        ]) {
          const finalPath = path.join(folder, `out.${format}`);
          const target = {
            finalPath,
            format,
            sizeBytes: chain.virtualSizeBytes,
            resume: false,
            workDir: folder,
          };
          const { sink } = await openFileSink(target);
          await copyDisk({
            image: { chain, overlays: [] },
            sink,
            targetSizeBytes: chain.virtualSizeBytes,
            workDir: folder,
            signal: new AbortController().signal,
            bandwidthBytesPerSecond: null,
            resumeFromBytes: 0,
            onProgress: () => undefined,
            onConfirmed: () => Promise.resolve(),
          });
          await sink.finish();
          const compared = await qemuImg('compare', '-f', 'qcow2', '-F', qemuFormat, source, finalPath);
          // No warning either: the sizes are equal.
          expect(compared).toBe('Images are identical.');
        }
      });
    }),
    { numRuns: 4 },
  );
});
