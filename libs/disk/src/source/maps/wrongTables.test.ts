import { open } from 'node:fs/promises';
import path from 'node:path';
import type { SourceFormat } from '@ascend/domain';
import { expect, test } from 'vitest';
import { openChain } from '../../chain/chain.ts';
import { collectExtents } from '../../testing/compareEngines.ts';
import { makeImage, withTempFolder } from '../../testing/images.ts';
import { openSource } from '../openSource.ts';

const mib = 1024 * 1024;
const { signal } = new AbortController();

/** The code that the walk of a damaged image ends with. */
async function walk(folder: string, format: SourceFormat): Promise<unknown> {
  const chain = await openChain({ rootPath: folder, path: 'disk.img', format });
  const source = await openSource({ image: { chain, overlays: [] }, workDir: folder, signal });
  try {
    return await collectExtents(source.extents(0, source.sizeBytes));
  } finally {
    await source.close();
  }
}

interface Damage {
  readonly what: string;
  readonly options: string;
  /** Where the entry stands: of the L1 table, or of the first L2 table. */
  readonly table: 'L1' | 'L2';
  readonly bytes: readonly number[];
  readonly code: string;
}

const clusters = 'cluster_size=64k';
const damages: readonly Damage[] = [
  {
    what: 'an L2 table on top of the L1 table',
    options: clusters,
    table: 'L1',
    bytes: [0x80, 0, 0, 0, 0, 3, 0, 0],
    code: 'DISK_IMAGE_CORRUPT',
  },
  {
    what: 'an L2 table that is not aligned',
    options: clusters,
    table: 'L1',
    bytes: [0x80, 0, 0, 0, 0, 4, 2, 0],
    code: 'DISK_IMAGE_CORRUPT',
  },
  {
    what: 'data on top of the L1 table',
    options: clusters,
    table: 'L2',
    bytes: [0x80, 0, 0, 0, 0, 3, 0, 0],
    code: 'DISK_IMAGE_CORRUPT',
  },
  {
    what: 'data on top of the refcount table',
    options: clusters,
    table: 'L2',
    bytes: [0x80, 0, 0, 0, 0, 1, 0, 0],
    code: 'DISK_IMAGE_CORRUPT',
  },
  {
    what: 'data that is not aligned',
    options: clusters,
    table: 'L2',
    bytes: [0x80, 0, 0, 0, 0, 5, 2, 0],
    code: 'DISK_IMAGE_CORRUPT',
  },
  {
    what: 'data behind the end of the file',
    options: clusters,
    table: 'L2',
    bytes: [0x80, 0, 0, 1, 0, 5, 0, 0],
    code: 'DISK_IMAGE_TRUNCATED',
  },
  {
    what: 'a compressed cluster behind the end of the file',
    options: clusters,
    table: 'L2',
    bytes: [0x40, 0, 1, 0, 0, 5, 0, 0],
    code: 'DISK_IMAGE_TRUNCATED',
  },
  {
    what: 'a zero cluster in an image of version 2',
    options: `compat=0.10,${clusters}`,
    table: 'L2',
    bytes: [0, 0, 0, 0, 0, 0, 0, 1],
    code: 'DISK_IMAGE_CORRUPT',
  },
  {
    what: 'a subcluster that is allocated and zeros',
    options: `extended_l2=on,${clusters}`,
    table: 'L2',
    bytes: [0x80, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1],
    code: 'DISK_IMAGE_CORRUPT',
  },
  {
    what: 'a subcluster that is allocated nowhere',
    options: `extended_l2=on,${clusters}`,
    table: 'L2',
    bytes: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
    code: 'DISK_IMAGE_CORRUPT',
  },
];

test.each(damages)('$what ends the walk with $code', async ({ options, table, bytes, code }) => {
  await withTempFolder(async (folder) => {
    const file = path.join(folder, 'disk.img');
    const writes = [{ offsetBytes: 0, lengthBytes: mib, fill: 1 }];
    await makeImage({ path: file, format: 'qcow2', sizeBytes: 8 * mib, options, writes });
    const handle = await open(file, 'r+');
    // As QEMU lays a new file out: header, refcount table, refcount block, L1 table, first L2 table, data.
    await handle.write(Buffer.from(bytes), 0, bytes.length, (table === 'L1' ? 3 : 4) * 65_536);
    await handle.close();
    await expect(walk(folder, 'qcow2')).rejects.toMatchObject({ code });
  });
});

test.each([
  ['a grain behind the end of the file', 'DISK_IMAGE_TRUNCATED', [0, 0, 1, 0]],
  ['a grain on top of the grain directory', 'DISK_IMAGE_CORRUPT', null],
] as const)('%s ends the walk with %s', async (_, code, entry) => {
  await withTempFolder(async (folder) => {
    const file = path.join(folder, 'disk.img');
    const writes = [{ offsetBytes: 0, lengthBytes: mib, fill: 1 }];
    await makeImage({ path: file, format: 'vmdk', sizeBytes: 8 * mib, writes });
    const handle = await open(file, 'r+');
    const head = Buffer.alloc(512);
    await handle.read(head, 0, 512, 0);
    const directory = head.subarray(56, 60);
    const first = Buffer.alloc(4);
    await handle.read(first, 0, 4, directory.readUInt32LE(0) * 512);
    await handle.write(entry === null ? directory : Buffer.from(entry), 0, 4, first.readUInt32LE(0) * 512);
    await handle.close();
    await expect(walk(folder, 'vmdk')).rejects.toMatchObject({ code });
  });
});
