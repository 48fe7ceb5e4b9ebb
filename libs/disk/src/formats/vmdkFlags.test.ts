import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { makeImage, withTempFolder } from '../testing/images.ts';
import { openImageFile } from './imageFile.ts';
import { readVmdkSparseLayout } from './vmdkLayout.ts';

test.each([
  ['compressed by its flags only', 8, 0x1_0003, 77, 0],
  ['compressed by its algorithm only', 8, 0x3, 77, 1],
  ['of an unknown algorithm', 8, 0x1_0003, 77, 2],
  ['without a capacity', 12, 0, 77, 0],
] as const)('a sparse extent that is %s is refused', async (_, at, value, algorithmAt, algorithm) => {
  await withTempFolder(async (folder) => {
    const file = path.join(folder, 'disk.vmdk');
    await makeImage({ path: file, format: 'vmdk', sizeBytes: 1024 * 1024 });
    const bytes = await readFile(file);
    bytes.writeUInt32LE(value, at);
    bytes.writeUInt16LE(algorithm, algorithmAt);
    await writeFile(file, bytes);
    const opened = await openImageFile(file);
    try {
      await expect(readVmdkSparseLayout(opened)).rejects.toMatchObject({ code: 'DISK_HEADER_INVALID' });
    } finally {
      await opened.close();
    }
  });
});
