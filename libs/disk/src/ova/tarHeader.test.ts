import { open } from 'node:fs/promises';
import path from 'node:path';
import { runProcess } from '@ascend/runtime';
import { expect, test } from 'vitest';
import { withTempFolder } from '../testing/images.ts';
import { encodeTarHeader, tarPaddingBytes } from './tarHeader.ts';

const gib = 1024 ** 3;
const modifiedAt = new Date('2026-11-21T10:20:30.500Z');

test('tar reads members of every size, on both sides of 8 GiB', async () => {
  await withTempFolder(async (folder) => {
    const archive = path.join(folder, 'sizes.tar');
    const handle = await open(archive, 'w');
    const sizes = [0, 1, 511, 512, 513, 8 * gib - 1, 8 * gib, 8 * gib + 1, 3000 * gib];
    let at = 0;
    for (const sizeBytes of sizes) {
      await handle.write(encodeTarHeader({ name: `member-${sizeBytes}`, sizeBytes, modifiedAt }), 0, 512, at);
      at += 512 + sizeBytes + tarPaddingBytes(sizeBytes);
    }
    await handle.truncate(at + 1024);
    await handle.close();
    const { stdout } = await runProcess({
      program: 'tar',
      args: ['--utc', '--full-time', '-tvf', archive],
      env: { LC_ALL: 'C' },
    });
    const rows = stdout.trim().split('\n');
    expect(rows.map((row) => row.split(/\s+/))).toEqual(
      sizes.map((size) => ['-rw-r--r--', '0/0', String(size), '2026-11-21', '10:20:30', `member-${size}`]),
    );
  });
});

test.each(['', 'a'.repeat(101), 'with space', 'umläut', 'null\0'])('the name %j is refused', (name) => {
  expect(() => encodeTarHeader({ name, sizeBytes: 1, modifiedAt })).toThrow(/is no member/);
});

test.each([-1, 0.5, 2 ** 53])('the size %d is refused', (sizeBytes) => {
  expect(() => encodeTarHeader({ name: 'a', sizeBytes, modifiedAt })).toThrow(/is no member/);
});
