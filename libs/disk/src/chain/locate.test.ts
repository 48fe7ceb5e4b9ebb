import { mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { withTempFolder } from '../testing/images.ts';
import { candidatePaths, locate, openRoot } from './locate.ts';

const root = { given: '/repo', real: '/mnt/repo' };

test.each([
  ['a path below the root as given', '/repo/a/b.qcow2', null, '/mnt/repo/a/b.qcow2'],
  ['a relative path', 'a/b.qcow2', null, '/mnt/repo/a/b.qcow2'],
  [
    'a relative backing name starts at its overlay',
    'b.qcow2',
    '/mnt/repo/a/inc.qcow2',
    '/mnt/repo/a/b.qcow2',
  ],
  [
    'an absolute path of elsewhere keeps its longest end',
    '/old/ctx/d/b.qcow2',
    null,
    '/mnt/repo/old/ctx/d/b.qcow2',
  ],
])('%s is looked for first where it says', (_, recorded, namedBy, first) => {
  expect(candidatePaths(root, recorded, namedBy)[0]).toBe(first);
});

test('the bare name in the root is tried after the name beside the overlay', () => {
  const paths = candidatePaths(root, '/old/d/b.qcow2', '/mnt/repo/x/inc.qcow2');
  expect(paths.slice(-2)).toEqual(['/mnt/repo/x/b.qcow2', '/mnt/repo/b.qcow2']);
});

test('a chain moved to another folder is found by the end of its recorded path', async () => {
  await withTempFolder(async (folder) => {
    await mkdir(path.join(folder, 'ctx-a/disk-0'), { recursive: true });
    await writeFile(path.join(folder, 'ctx-a/disk-0/full.qcow2'), 'x');
    const found = await locate(await openRoot(folder), '/mnt/sendense-backups/ctx-a/disk-0/full.qcow2', null);
    expect(found).toBe(path.join((await openRoot(folder)).real, 'ctx-a/disk-0/full.qcow2'));
  });
});

test.each(['/etc/hostname', '../../../../../../etc/hostname', 'link.qcow2'])(
  'the name %s that leads outside is refused',
  async (recorded) => {
    await withTempFolder(async (folder) => {
      await symlink('/etc/hostname', path.join(folder, 'link.qcow2'));
      const opened = await openRoot(folder);
      await expect(locate(opened, recorded, null)).rejects.toMatchObject({
        code: 'DISK_PATH_OUTSIDE_REPOSITORY',
      });
    });
  },
);
