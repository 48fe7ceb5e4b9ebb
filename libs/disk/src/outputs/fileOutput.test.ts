import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { runProcess } from '@ascend/runtime';
import { describe, expect, test } from 'vitest';
import { declareByteOutputContract } from '../testing/byteOutputContract.ts';
import { withTempFolder } from '../testing/images.ts';
import { openFileOutput } from './fileOutput.ts';

const finalOf = (folder: string): string => path.join(folder, 'out', 'disk.bin');

describe('file output', () => {
  declareByteOutputContract({
    name: 'file',
    open: (folder) => openFileOutput({ finalPath: finalOf(folder) }),
    read: async (folder) => (existsSync(finalOf(folder)) ? await readFile(finalOf(folder)) : null),
    hasLeftovers: async (folder) => (await readdir(path.dirname(finalOf(folder)))).length > 0,
  });

  test('a file under the final name is refused and kept', async () => {
    await withTempFolder(async (folder) => {
      await mkdir(path.dirname(finalOf(folder)));
      await writeFile(finalOf(folder), 'precious');
      await expect(openFileOutput({ finalPath: finalOf(folder) })).rejects.toMatchObject({
        code: 'DISK_TARGET_EXISTS',
      });
      expect(await readFile(finalOf(folder), 'utf8')).toBe('precious');
    });
  });

  test('what an earlier attempt left is replaced, not appended to', async () => {
    await withTempFolder(async (folder) => {
      await mkdir(path.dirname(finalOf(folder)));
      await writeFile(`${finalOf(folder)}.partial`, 'leftover of another attempt');
      const output = await openFileOutput({ finalPath: finalOf(folder) });
      await output.write(Buffer.from('new'));
      await output.finish();
      expect(await readFile(finalOf(folder), 'utf8')).toBe('new');
    });
  });

  test('written bytes can be patched, also those that still wait; others cannot', async () => {
    await withTempFolder(async (folder) => {
      const output = await openFileOutput({ finalPath: finalOf(folder) });
      await output.write(Buffer.from('0123456789'));
      expect(output.lengthBytes).toBe(10);
      await output.patch(2, Buffer.from('xy'));
      await output.write(Buffer.alloc(100 * 1024, 'z'));
      await output.patch(9, Buffer.from('ab'));
      const refused = { code: 'DISK_RANGE_INVALID' };
      await expect(output.patch(10 + 100 * 1024, Buffer.from('c'))).rejects.toMatchObject(refused);
      await expect(output.patch(-1, Buffer.from('c'))).rejects.toMatchObject(refused);
      await output.finish();
      const found = await readFile(finalOf(folder), 'utf8');
      expect(found).toBe(`01xy45678ab${'z'.repeat(100 * 1024 - 1)}`);
    });
  });

  test.skipIf(process.getuid?.() !== 0)('a full disk is a coded error and abort leaves nothing', async () => {
    await withTempFolder(async (folder) => {
      const small = path.join(folder, 'out');
      await mkdir(small);
      await runProcess({ program: 'mount', args: ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', small] });
      try {
        const output = await openFileOutput({ finalPath: finalOf(folder) });
        await expect(output.write(Buffer.alloc(4 * 1024 * 1024, 1))).rejects.toMatchObject({
          code: 'DISK_SPACE_EXHAUSTED',
        });
        await expect(output.finish()).rejects.toMatchObject({ code: 'DISK_SPACE_EXHAUSTED' });
        await output.abort();
        expect(await readdir(small)).toEqual([]);
      } finally {
        await runProcess({ program: 'umount', args: [small] });
      }
    });
  });
});
