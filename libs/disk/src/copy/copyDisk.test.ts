import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { openChain } from '../chain/chain.ts';
import { openFileSink } from '../sinks/fileSink.ts';
import { makeImage, qemuImg, sha256Of, withTempFolder } from '../testing/images.ts';
import { copyDisk } from './copyDisk.ts';

const mib = 1024 * 1024;

function digestOf(disk: Buffer): string {
  const outer = createHash('sha256');
  for (let at = 0; at < disk.length; at += mib) {
    outer.update(
      createHash('sha256')
        .update(disk.subarray(at, at + mib))
        .digest(),
    );
  }
  return outer.digest('hex');
}

async function makeChain(folder: string): Promise<string> {
  const full = path.join(folder, 'full.qcow2');
  const inc = path.join(folder, 'inc.qcow2');
  const sizeBytes = 40 * mib + 512;
  await makeImage({
    path: full,
    format: 'qcow2',
    sizeBytes,
    writes: [
      { offsetBytes: 0, lengthBytes: 3 * mib, fill: 0x11 },
      { offsetBytes: 10 * mib + 4096, lengthBytes: 512, fill: 0x22 },
      { offsetBytes: 20 * mib, lengthBytes: 2 * mib, fill: 0 },
      { offsetBytes: 40 * mib, lengthBytes: 512, fill: 0x33 },
    ],
  });
  await makeImage({
    path: inc,
    format: 'qcow2',
    sizeBytes,
    backing: full,
    writes: [
      { offsetBytes: mib, lengthBytes: 65536, fill: 0x44 },
      { offsetBytes: 2 * mib, lengthBytes: 65536, fill: 'zero' },
    ],
  });
  return inc;
}

test.each(['raw', 'qcow2'] as const)('a chain copied to %s is the same disk', async (format) => {
  await withTempFolder(async (folder) => {
    const inc = await makeChain(folder);
    const chain = await openChain({ rootPath: folder, path: inc, format: 'qcow2' });
    const before = await Promise.all(chain.layers.map((layer) => sha256Of(layer.absPath)));
    const finalPath = path.join(folder, 'out', `disk.${format}`);
    const targetSizeBytes = 41 * mib;
    const { sink } = await openFileSink({
      finalPath,
      format,
      sizeBytes: targetSizeBytes,
      resume: false,
      workDir: folder,
    });
    const confirmed: number[] = [];
    let last = { bytesDone: 0, bytesTotal: 0, bytesSkipped: 0 };
    const result = await copyDisk({
      image: { chain, overlays: [] },
      sink,
      targetSizeBytes,
      workDir: folder,
      signal: new AbortController().signal,
      bandwidthBytesPerSecond: null,
      resumeFromBytes: 0,
      onProgress: (progress) => (last = progress),
      onConfirmed: async (offset) => void confirmed.push(offset),
    });
    await sink.finish();
    expect(await qemuImg('compare', '-f', 'qcow2', '-F', format, inc, finalPath)).toContain('identical');
    await qemuImg('convert', '-f', 'qcow2', '-O', 'raw', inc, path.join(folder, 'reference.raw'));
    expect(result.sha256).toBe(digestOf(await readFile(path.join(folder, 'reference.raw'))));
    expect(last.bytesDone).toBe(last.bytesTotal);
    expect(result.bytesCopied).toBe(3 * mib + 512);
    expect(confirmed.at(-1)).toBe(targetSizeBytes);
    expect(await Promise.all(chain.layers.map((layer) => sha256Of(layer.absPath)))).toEqual(before);
  });
});
