import { open } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { makeImage, withTempFolder } from '../testing/images.ts';
import { inspectDisk } from './inspectDisk.ts';

const mib = 1024 * 1024;

async function inspect(folder: string, file: string) {
  return await inspectDisk({
    file,
    repositoryRoot: null,
    sourceFormat: null,
    workDir: path.join(folder, 'work'),
    signal: new AbortController().signal,
    examine: (source) => Promise.resolve(source.sizeBytes),
  });
}

async function makeChain(folder: string): Promise<{ full: string; inc: string }> {
  const full = path.join(folder, 'full.qcow2');
  const inc = path.join(folder, 'inc.qcow2');
  const sizeBytes = 64 * mib;
  const data = [{ offsetBytes: 0, lengthBytes: 8 * mib, fill: 1 }];
  const dirty = [
    { offsetBytes: mib, lengthBytes: mib, fill: 2 },
    { offsetBytes: 4 * mib, lengthBytes: 2 * mib, fill: 'zero' as const },
  ];
  await makeImage({ path: full, format: 'qcow2', sizeBytes, writes: data });
  await makeImage({ path: inc, format: 'qcow2', sizeBytes, backing: full, writes: dirty });
  return { full, inc };
}

test('a chain is told file by file: what each holds, changed, and shows at the chosen point', async () => {
  await withTempFolder(async (folder) => {
    const { full, inc } = await makeChain(folder);
    const found = await inspect(folder, inc);
    expect(found).toMatchObject({
      virtualSizeBytes: 64 * mib,
      allocatedBytes: 6 * mib,
      problem: null,
      contents: 64 * mib,
      layers: [
        {
          relPath: 'inc.qcow2',
          allocatedBytes: mib,
          dirtyBytes: 3 * mib,
          visibleBytes: mib,
          backing: { recorded: full, recordedFormat: 'qcow2' },
        },
        {
          relPath: 'full.qcow2',
          allocatedBytes: 8 * mib,
          dirtyBytes: null,
          visibleBytes: 5 * mib,
          backing: null,
        },
      ],
    });
    expect(found.fingerprint).toMatch(/^[0-9a-f]{64}$/);
  });
});

test('a damaged file is a problem with its code, and the rest is still told', async () => {
  await withTempFolder(async (folder) => {
    const { full, inc } = await makeChain(folder);
    const handle = await open(full, 'r+');
    // The first entry of the refcount block, cluster 2: the header's cluster is suddenly free.
    await handle.write(Buffer.alloc(2), 0, 2, 2 * 65_536);
    await handle.close();
    const found = await inspect(folder, inc);
    expect(found.problem).toMatchObject({ code: 'DISK_IMAGE_CORRUPT' });
    expect(found.layers).toHaveLength(2);
    expect(found.layers[0]).toMatchObject({ allocatedBytes: mib });
  });
});

test('a chain that cannot be opened is its error', async () => {
  await withTempFolder(async (folder) => {
    await expect(inspect(folder, path.join(folder, 'nowhere.qcow2'))).rejects.toMatchObject({
      code: 'DISK_FILE_MISSING',
    });
    await expect(inspect(folder, folder)).rejects.toMatchObject({ code: 'DISK_FILE_NOT_REGULAR' });
  });
});
