import { open, readdir } from 'node:fs/promises';
import path from 'node:path';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { openChain } from '../chain/chain.ts';
import { digestDisk } from '../copy/copyDisk.ts';
import type { Extent } from '../extent.ts';
import { openNbdSource } from '../source/nbdSource.ts';
import { makeImage, qemuImg, withTempFolder, writeImage } from '../testing/images.ts';
import { extentsOf, memoryDiskSource } from '../testing/memorySource.ts';
import { verifyDisk } from './verifyDisk.ts';

const mib = 1024 * 1024;
const common = { workDir: '/nonexistent', signal: new AbortController().signal };

function diskOf(parts: readonly (readonly [Extent['kind'], number])[], fill = 7): Buffer {
  return Buffer.concat(
    parts.map(([kind, sectors]) => Buffer.alloc(sectors * 512, kind === 'data' ? fill : 0)),
  );
}

const layout = fc.array(
  fc.tuple(fc.constantFrom<Extent['kind']>('data', 'zero', 'hole'), fc.integer({ min: 1, max: 5000 })),
  { minLength: 1, maxLength: 8 },
);

test('read-back accepts the same disk under another map and finds any single wrong byte at its offset', async () => {
  await fc.assert(
    fc.asyncProperty(layout, fc.nat(), fc.boolean(), async (parts, place, mapped) => {
      const bytes = diskOf(parts);
      const extents = extentsOf(parts);
      const source = memoryDiskSource(bytes, extents);
      const same = memoryDiskSource(Buffer.from(bytes), mapped ? extents : undefined);
      const report = await verifyDisk({ ...common, source, target: same, mode: 'read-back' });
      expect(report.sha256).toHaveLength(64);
      const at = place % bytes.length;
      const wrong = Buffer.from(bytes);
      wrong[at] = (wrong[at] ?? 0) ^ 0x80;
      // The map of a target that holds data says so.
      await expect(
        verifyDisk({ ...common, source, target: memoryDiskSource(wrong), mode: 'read-back' }),
      ).rejects.toMatchObject({ code: 'DISK_VERIFY_MISMATCH', details: { offsetBytes: at } });
    }),
    { numRuns: 40 },
  );
});

test('of several wrong blocks the first is told, with the digests of both sides', async () => {
  const bytes = Buffer.alloc(20 * mib, 1);
  const wrong = Buffer.from(bytes);
  for (const at of [19, 12, 11]) wrong[at * mib + 5] = 9;
  const failing = verifyDisk({
    ...common,
    source: memoryDiskSource(bytes),
    target: memoryDiskSource(wrong),
    mode: 'read-back',
  });
  await expect(failing).rejects.toMatchObject({
    details: {
      offsetBytes: 11 * mib + 5,
      blockOffsetBytes: 11 * mib,
      sourceSha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    },
  });
});

test('a sample always holds both ends and the edges of allocated areas, and tells how it was drawn', async () => {
  const parts = [
    ['data', 2048],
    ['hole', 2048 * 20],
    ['data', 2048 * 40],
    ['hole', 2048 * 20],
  ] as const;
  const bytes = diskOf(parts);
  const source = memoryDiskSource(bytes, extentsOf(parts));
  const run = (target: Buffer) =>
    verifyDisk({
      ...common,
      source,
      target: memoryDiskSource(target, extentsOf(parts)),
      mode: 'sample',
      randomBlocks: 4,
      seed: 'fixed',
    });
  const report = await run(bytes);
  expect(report).toMatchObject({ mode: 'sample', dataBlocks: 41, sha256: null });
  expect(report.sample).toMatchObject({ seed: 'fixed', randomBlocks: 4 });
  expect(report.sample?.statement).toContain('4 of 41 blocks');
  for (const at of [0, 21 * mib, 61 * mib - 1, bytes.length - 1]) {
    const wrong = Buffer.from(bytes);
    wrong[at] = (wrong[at] ?? 0) ^ 1;
    await expect(run(wrong)).rejects.toMatchObject({ details: { offsetBytes: at } });
  }
});

test('a sample as large as the disk is a full comparison and says so', async () => {
  const bytes = Buffer.alloc(5 * mib, 3);
  const { sample } = await verifyDisk({
    ...common,
    source: memoryDiskSource(bytes),
    target: memoryDiskSource(bytes),
    mode: 'sample',
  });
  expect(sample).toMatchObject({ findsOneInHundred: 1, statement: 'all 5 blocks with data were compared' });
});

test('a shorter target, and data behind the end in a longer one, are mismatches', async () => {
  const source = memoryDiskSource(Buffer.alloc(2 * mib, 1));
  const longer = Buffer.alloc(3 * mib, 1);
  longer.fill(0, 2 * mib);
  const verify = (target: Buffer, mode: 'sample' | 'read-back') =>
    verifyDisk({ ...common, source, target: memoryDiskSource(target), mode });
  for (const mode of ['sample', 'read-back'] as const) {
    await expect(verify(Buffer.alloc(mib, 1), mode)).rejects.toMatchObject({ code: 'DISK_VERIFY_MISMATCH' });
    await verify(longer, mode);
  }
  longer[3 * mib - 1] = 1;
  await expect(verify(longer, 'sample')).rejects.toMatchObject({ details: { offsetBytes: 3 * mib - 1 } });
});

test('mode none reads nothing', async () => {
  const broken = {
    ...memoryDiskSource(Buffer.alloc(mib)),
    readInto: () => Promise.reject(new Error('read')),
  };
  expect(await verifyDisk({ ...common, source: broken, target: broken, mode: 'none' })).toMatchObject({
    comparedBytes: 0,
  });
});

test('a cancelled verification ends as cancelled, and a failing side with its own error', async () => {
  const stop = new AbortController();
  const disk = memoryDiskSource(Buffer.alloc(40 * mib, 1));
  const cancelled = verifyDisk({
    ...common,
    source: disk,
    target: disk,
    mode: 'read-back',
    signal: stop.signal,
    onProgress: () => stop.abort(),
  });
  await expect(cancelled).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' });
  const failure = new Error('the cable is out');
  const failing = { ...disk, readInto: () => Promise.reject(failure) };
  await expect(verifyDisk({ ...common, source: disk, target: failing, mode: 'sample' })).rejects.toBe(
    failure,
  );
});

test.each(['raw', 'qcow2'] as const)(
  'a %s file is compared with its chain; a planted byte is found',
  async (format) => {
    await withTempFolder(async (folder) => {
      const sizeBytes = 40 * mib + 512;
      const full = path.join(folder, 'full.qcow2');
      const inc = path.join(folder, 'inc.qcow2');
      const out = path.join(folder, `out.${format}`);
      const dirty = [{ offsetBytes: 12 * mib, lengthBytes: 65_536, fill: 3 }];
      await makeImage({
        path: full,
        format: 'qcow2',
        sizeBytes,
        writes: [{ offsetBytes: 10 * mib, lengthBytes: 5 * mib, fill: 2 }],
      });
      await makeImage({ path: inc, format: 'qcow2', sizeBytes, backing: full, writes: dirty });
      await qemuImg('convert', '-f', 'qcow2', '-O', format, inc, out);
      const chain = await openChain({ rootPath: folder, path: inc, format: 'qcow2' });
      const workDir = path.join(folder, 'work');
      const { signal } = common;
      const image = { chain, overlays: [] };
      const source = await openNbdSource({ image, workDir, signal });
      try {
        const params = { source, target: { path: out, format }, workDir, signal };
        const report = await verifyDisk({ ...params, mode: 'read-back' });
        expect(report.sha256).toBe(await digestDisk({ image, workDir, signal }));
        // The end of a raw file may count as data for its file system.
        expect([5, 6]).toContain(report.dataBlocks);
        if (format === 'raw') {
          const handle = await open(out, 'r+');
          await handle.write(Buffer.of(9), 0, 1, 13 * mib + 7);
          await handle.close();
        } else {
          await writeImage(out, 'qcow2', [{ offsetBytes: 13 * mib, lengthBytes: 512, fill: 9 }]);
        }
        for (const mode of ['sample', 'read-back'] as const) {
          await expect(verifyDisk({ ...params, mode })).rejects.toMatchObject({
            code: 'DISK_VERIFY_MISMATCH',
          });
        }
      } finally {
        await source.close();
      }
      expect(await readdir(workDir)).toEqual([]);
    });
  },
);
