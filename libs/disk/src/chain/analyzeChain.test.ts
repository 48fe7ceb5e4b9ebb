import { open, truncate, utimes } from 'node:fs/promises';
import path from 'node:path';
import type { LayerFacts } from '@ascend/domain';
import { expect, test } from 'vitest';
import { fileBlockdev } from '../blockdev.ts';
import { serveNbd } from '../qemu/nbdServer.ts';
import { makeImage, sha256Of, withTempFolder } from '../testing/images.ts';
import { analyzeChain } from './analyzeChain.ts';
import { openChain } from './chain.ts';
import { assertChainUnchanged, assertFingerprint, fingerprintOf } from './fingerprint.ts';

const mib = 1024 * 1024;

async function withPair(run: (folder: string, full: string, inc: string) => Promise<void>): Promise<void> {
  await withTempFolder(async (folder) => {
    const full = path.join(folder, 'full.qcow2');
    const inc = path.join(folder, 'inc.qcow2');
    const writes = [{ offsetBytes: 0, lengthBytes: 2 * mib, fill: 1 }];
    await makeImage({ path: full, format: 'qcow2', sizeBytes: 64 * mib, writes });
    const more = [
      { offsetBytes: mib, lengthBytes: mib, fill: 'zero' as const },
      { offsetBytes: 8 * mib, lengthBytes: mib, fill: 3 },
    ];
    await makeImage({ path: inc, format: 'qcow2', sizeBytes: 64 * mib, backing: full, writes: more });
    await run(folder, full, inc);
  });
}

const analyse = async (folder: string) =>
  await analyzeChain(await openChain({ rootPath: folder, path: 'inc.qcow2', format: 'qcow2' }), {
    diskIndex: 1,
    workDir: path.join(folder, 'work'),
  });

test('the facts of a sound chain tell size, data of the chosen point and layers, and change no byte', async () => {
  await withPair(async (folder, full, inc) => {
    const before = [await sha256Of(full), await sha256Of(inc)];
    const facts = await analyse(folder);
    expect(facts).toMatchObject({
      diskIndex: 1,
      virtualSizeBytes: 64 * mib,
      allocatedBytes: 2 * mib,
      remarks: [],
    });
    expect(facts.layers.map((layer) => layer.relPath)).toEqual(['inc.qcow2', 'full.qcow2']);
    expect(Object.keys(facts.layers[0] ?? {}).toSorted()).toEqual([
      'fileSizeBytes',
      'format',
      'headSha256',
      'mtimeMs',
      'relPath',
    ]);
    expect([await sha256Of(full), await sha256Of(inc)]).toEqual(before);
  });
});

test.each([
  ['vpc', 'vhd'],
  ['vhdx', 'vhdx'],
  ['vmdk', 'vmdk'],
  ['raw', 'raw'],
] as const)('a single %s image is analysed by its own driver', async (driver, format) => {
  await withTempFolder(async (folder) => {
    const name = 'disk.img';
    const writes = [{ offsetBytes: 4 * mib, lengthBytes: mib, fill: 9 }];
    const options = driver === 'vpc' ? { options: 'force_size=on' } : {};
    await makeImage({
      path: path.join(folder, name),
      format: driver,
      sizeBytes: 16 * mib,
      writes,
      ...options,
    });
    const chain = await openChain({ rootPath: folder, path: name, format });
    const facts = await analyzeChain(chain, { diskIndex: 0, workDir: folder });
    expect(facts.virtualSizeBytes).toBe(16 * mib);
    expect(facts.allocatedBytes).toBeGreaterThanOrEqual(mib);
    // The VHDX driver of QEMU 7.2 tells no holes: the whole disk counts as data.
    expect(facts.allocatedBytes).toBeLessThanOrEqual(driver === 'vhdx' ? 16 * mib : 2 * mib);
  });
});

test('data cut off the end of a file is found, although reading it would give zeros', async () => {
  await withPair(async (folder, full) => {
    await truncate(full, 5 * 65536 + mib);
    await expect(analyse(folder)).rejects.toMatchObject({ code: 'DISK_IMAGE_CORRUPT' });
  });
});

test('a data cluster that lies on top of the header is found', async () => {
  await withPair(async (folder, full) => {
    const handle = await open(full, 'r+');
    const entry = Buffer.alloc(8);
    entry.writeBigUInt64BE(0x8000_0000_0000_0000n | 65_536n);
    await handle.write(entry, 0, 8, 4 * 65_536);
    await handle.close();
    await expect(analyse(folder)).rejects.toMatchObject({ code: 'DISK_IMAGE_CORRUPT' });
  });
});

test('leaked clusters are a remark, no obstacle', async () => {
  await withPair(async (folder, full) => {
    const handle = await open(full, 'r+');
    // The reference count of cluster 50, which nothing uses, in the first refcount block.
    await handle.write(Buffer.from([0, 1]), 0, 2, 2 * 65_536 + 50 * 2);
    await handle.truncate(64 * 65_536);
    await handle.close();
    const facts = await analyse(folder);
    expect(facts.remarks.at(-1)).toBe('full.qcow2 has 1 leaked clusters (lost space, sound content)');
  });
});

test('an image that was not closed cleanly is a remark', async () => {
  await withPair(async (folder, full) => {
    const handle = await open(full, 'r+');
    await handle.write(Buffer.from([1]), 0, 1, 79);
    await handle.close();
    expect((await analyse(folder)).remarks[0]).toMatch(/^full\.qcow2 was not closed cleanly/);
  });
});

test('a chain that a backup run writes to is busy', async () => {
  await withPair(async (folder, full) => {
    const blockdev = fileBlockdev(full, 'qcow2', { readOnly: false });
    const writer = await serveNbd({ blockdev, writable: true, connections: 1, workDir: folder });
    await expect(analyse(folder)).rejects.toMatchObject({ code: 'DISK_SOURCE_BUSY' });
    await writer.close();
  });
});

test('a change of a file after the opening is noticed', async () => {
  await withPair(async (folder, full) => {
    const chain = await openChain({ rootPath: folder, path: 'inc.qcow2', format: 'qcow2' });
    await assertChainUnchanged(chain);
    await utimes(full, 1, 1);
    await expect(assertChainUnchanged(chain)).rejects.toMatchObject({ code: 'DISK_SOURCE_CHANGED' });
  });
});

const layerFacts: LayerFacts = {
  relPath: 'a.qcow2',
  format: 'qcow2',
  fileSizeBytes: 100,
  mtimeMs: 5,
  headSha256: 'ff',
};

test('the fingerprint is stable, and every part of a layer is in it', () => {
  const disks = [
    { diskIndex: 0, layers: [layerFacts] },
    { diskIndex: 1, layers: [layerFacts, { ...layerFacts, relPath: 'b.qcow2' }] },
  ];
  const fingerprint = fingerprintOf(disks);
  expect(fingerprint).toBe('b2e11efeee78ba4ab8f8a00619583a9c6191fa4a9806cf1c6c489470a75b5aea');
  expect(fingerprintOf(disks.toReversed())).toBe(fingerprint);
  const changes: Partial<LayerFacts>[] = [
    { relPath: 'c.qcow2' },
    { fileSizeBytes: 101 },
    { mtimeMs: 6 },
    { headSha256: 'fe' },
  ];
  for (const change of changes) {
    const changed = [{ diskIndex: 0, layers: [{ ...layerFacts, ...change }] }, ...disks.slice(1)];
    expect(fingerprintOf(changed)).not.toBe(fingerprint);
    expect(() => assertFingerprint(fingerprint, changed)).toThrow(
      expect.objectContaining({ code: 'DISK_SOURCE_CHANGED' }),
    );
  }
  assertFingerprint(fingerprint, disks);
});
