import { mkdir, rename, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { makeImage, qemuImg, withTempFolder } from '../testing/images.ts';
import { scanRepository } from './scanRepository.ts';

const mib = 1024 * 1024;
const stamps = ['20251008-192431', '20251008-200751', '20251008-201358'];
const recordedRoot = '/mnt/sendense-backups';

/** The layout of the backup product: every incremental points at the full by its absolute path of elsewhere. */
async function makeLayout(root: string, context: string, vm: string, disks: number): Promise<void> {
  for (let disk = 0; disk < disks; disk += 1) {
    const folder = path.join(root, context, `disk-${disk}`);
    await mkdir(folder, { recursive: true });
    const names = stamps.map((stamp) => `backup-${vm}-disk${disk}-${stamp}.qcow2`);
    for (const [index, name] of names.entries()) {
      const file = path.join(folder, name);
      await makeImage({ path: file, format: 'qcow2', sizeBytes: (disk + 1) * mib });
      if (index === 0) continue;
      const recorded = path.join(recordedRoot, context, `disk-${disk}`, names[0] ?? '');
      await qemuImg('rebase', '-u', '-f', 'qcow2', '-F', 'qcow2', '-b', recorded, file);
    }
  }
}

test('the layout of the seeds becomes contexts, points and disks, the same on every scan', async () => {
  await withTempFolder(async (root) => {
    await makeLayout(root, 'ctx-pgtest1-20251006-203401', 'pgtest1', 2);
    await makeLayout(root, 'ctx-backup-web-2-20251006-203402', 'web-2', 1);
    await writeFile(path.join(root, 'ctx-pgtest1-20251006-203401/pgtest1.vmx'), 'x');
    const scan = await scanRepository({ rootPath: root });
    expect(scan.skipped).toEqual([]);
    expect(scan.contexts.map(({ contextId, vmName }) => [contextId, vmName])).toEqual([
      ['ctx-backup-web-2-20251006-203402', 'web-2'],
      ['ctx-pgtest1-20251006-203401', 'pgtest1'],
    ]);
    const [, context] = scan.contexts;
    expect(context?.sidecars).toEqual(['ctx-pgtest1-20251006-203401/pgtest1.vmx']);
    expect(
      context?.backups.map(({ backupId, backupType, createdAt }) => [backupId, backupType, createdAt]),
    ).toEqual([
      ['backup-pgtest1-20251008-192431', 'full', '2025-10-08T19:24:31.000Z'],
      ['backup-pgtest1-20251008-200751', 'incremental', '2025-10-08T20:07:51.000Z'],
      ['backup-pgtest1-20251008-201358', 'incremental', '2025-10-08T20:13:58.000Z'],
    ]);
    expect(
      context?.backups[1]?.disks.map(({ diskIndex, image }) => [diskIndex, image.backingRelPath]),
    ).toEqual([
      [0, 'ctx-pgtest1-20251006-203401/disk-0/backup-pgtest1-disk0-20251008-192431.qcow2'],
      [1, 'ctx-pgtest1-20251006-203401/disk-1/backup-pgtest1-disk1-20251008-192431.qcow2'],
    ]);
    expect(await scanRepository({ rootPath: root })).toEqual(scan);
  });
});

test('a point with one damaged disk is left out as a whole, and the others stay', async () => {
  await withTempFolder(async (root) => {
    await makeLayout(root, 'ctx-a', 'a', 2);
    const broken = `ctx-a/disk-1/backup-a-disk1-${stamps[1]}.qcow2`;
    await truncate(path.join(root, broken), 100);
    const scan = await scanRepository({ rootPath: root });
    expect(scan.contexts[0]?.backups.map((backup) => backup.backupId)).toEqual([
      `backup-a-${stamps[0]}`,
      `backup-a-${stamps[2]}`,
    ]);
    expect(scan.skipped.map(({ relPath, code }) => [relPath, code])).toEqual([
      [`ctx-a/disk-0/backup-a-disk0-${stamps[1]}.qcow2`, 'CATALOG_POINT_INCOMPLETE'],
      [broken, 'DISK_IMAGE_TRUNCATED'],
    ]);
  });
});

test('a lost full leaves nothing to restore and is told for each file', async () => {
  await withTempFolder(async (root) => {
    await makeLayout(root, 'ctx-a', 'a', 1);
    const full = path.join(root, `ctx-a/disk-0/backup-a-disk0-${stamps[0]}.qcow2`);
    await rename(full, `${full}.tmp`);
    const scan = await scanRepository({ rootPath: root });
    expect(scan.contexts).toEqual([]);
    expect(scan.skipped.map((skipped) => skipped.code)).toEqual([
      'DISK_BACKING_MISSING',
      'DISK_BACKING_MISSING',
    ]);
  });
});

test('disks with other names are grouped by base name within disk folders', async () => {
  await withTempFolder(async (root) => {
    for (const disk of [0, 1]) {
      await mkdir(path.join(root, `ctx-x/disk-${disk}`), { recursive: true });
      const at = (name: string): string => path.join(root, `ctx-x/disk-${disk}`, name);
      await makeImage({ path: at('full.qcow2'), format: 'qcow2', sizeBytes: mib });
      await makeImage({ path: at('inc1.qcow2'), format: 'qcow2', sizeBytes: mib, backing: at('full.qcow2') });
      await utimes(at('full.qcow2'), 1000, 1000 + disk);
      await utimes(at('inc1.qcow2'), 2000, 2000 + disk);
    }
    const { contexts } = await scanRepository({ rootPath: root });
    expect(contexts[0]?.backups).toMatchObject([
      {
        backupId: 'backup-ctx-x-full',
        backupType: 'full',
        createdAt: '1970-01-01T00:16:41.000Z',
        disks: [{}, {}],
      },
      {
        backupId: 'backup-ctx-x-inc1',
        backupType: 'incremental',
        disks: [{ diskIndex: 0 }, { diskIndex: 1 }],
      },
    ]);
    expect(contexts[0]?.vmName).toBe('x');
  });
});

test('loose images become one VM per chain, with formats by extension', async () => {
  await withTempFolder(async (root) => {
    await mkdir(path.join(root, 'export'));
    const at = (name: string): string => path.join(root, 'export', name);
    await makeImage({ path: at('db.qcow2'), format: 'qcow2', sizeBytes: mib });
    await makeImage({ path: at('db-later.qcow2'), format: 'qcow2', sizeBytes: mib, backing: at('db.qcow2') });
    await makeImage({ path: at('win.vhdx'), format: 'vhdx', sizeBytes: 4 * mib });
    await makeImage({
      path: at('flat.vmdk'),
      format: 'vmdk',
      sizeBytes: mib,
      options: 'subformat=monolithicFlat',
    });
    await writeFile(at('win.ovf'), '<x/>');
    const scan = await scanRepository({ rootPath: root });
    expect(scan.skipped).toEqual([]);
    const found = scan.contexts.map(({ vmName, backups, sidecars }) => [vmName, backups.length, sidecars]);
    expect(found).toHaveLength(3);
    expect(found).toEqual(
      expect.arrayContaining([
        ['db', 2, []],
        ['flat', 1, []],
        ['win', 1, ['export/win.ovf']],
      ]),
    );
    expect(new Set(scan.contexts.map((context) => context.contextId)).size).toBe(3);
  });
});

test('a copy of a VM folder gets ids of its own', async () => {
  await withTempFolder(async (root) => {
    await makeLayout(root, 'ctx-a', 'a', 1);
    await makeLayout(root, 'ctx-a-copy', 'a', 1);
    const { contexts } = await scanRepository({ rootPath: root });
    const ids = contexts.flatMap((context) => context.backups.map((backup) => backup.backupId));
    expect(new Set(ids).size).toBe(6);
  });
});

test('two files that claim to be one disk of a point leave it out', async () => {
  await withTempFolder(async (root) => {
    await makeLayout(root, 'ctx-a', 'a', 1);
    const name = `backup-b-disk0-${stamps[0]}.qcow2`;
    await makeImage({ path: path.join(root, 'ctx-a/disk-0', name), format: 'qcow2', sizeBytes: mib });
    const scan = await scanRepository({ rootPath: root });
    expect(scan.contexts[0]?.backups).toHaveLength(2);
    expect(scan.skipped.map(({ relPath, code }) => [path.basename(relPath), code])).toEqual([
      [`backup-a-disk0-${stamps[0]}.qcow2`, 'CATALOG_POINT_AMBIGUOUS'],
      [name, 'CATALOG_POINT_AMBIGUOUS'],
    ]);
  });
});

test('folders that are too deep are told', async () => {
  await withTempFolder(async (root) => {
    await mkdir(path.join(root, '1/2/3/4/5/6/7/8'), { recursive: true });
    expect((await scanRepository({ rootPath: root })).skipped).toMatchObject([
      { relPath: '1/2/3/4/5/6/7', code: 'CATALOG_SCAN_LIMIT' },
    ]);
  });
});

test('links, hidden and unfinished files are no backups, and bad names stay harmless', async () => {
  await withTempFolder(async (root) => {
    await makeLayout(root, 'ctx-a', 'a', 1);
    await mkdir(path.join(root, '.hidden'));
    await writeFile(path.join(root, '.hidden/x.qcow2'), 'x');
    await writeFile(path.join(root, 'ctx-a/disk-0/new.qcow2.partial'), 'x');
    await symlink('/etc', path.join(root, 'etc'));
    await symlink('/etc/hostname', path.join(root, 'ctx-a/disk-0/host.raw'));
    await symlink(path.join(root, 'ctx-a'), path.join(root, 'ctx-alias'));
    await writeFile(path.join(root, 'a "b"\n$(c).qcow2'), 'x');
    const scan = await scanRepository({ rootPath: root });
    expect(scan.contexts.map((context) => context.contextId)).toEqual(['ctx-a']);
    expect(scan.skipped.map(({ relPath, code }) => [relPath, code])).toEqual([
      ['a "b"\n$(c).qcow2', 'DISK_FORMAT_MISMATCH'],
      ['ctx-a/disk-0/host.raw', 'DISK_PATH_OUTSIDE_REPOSITORY'],
      ['etc', 'DISK_PATH_OUTSIDE_REPOSITORY'],
    ]);
  });
});

test('a scan can be cancelled, and a root that is no folder is refused', async () => {
  await withTempFolder(async (root) => {
    await expect(scanRepository({ rootPath: root, signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'OPERATION_CANCELLED',
    });
    await expect(scanRepository({ rootPath: path.join(root, 'none') })).rejects.toMatchObject({
      code: 'DISK_FILE_MISSING',
    });
    await writeFile(path.join(root, 'file'), '');
    await expect(scanRepository({ rootPath: path.join(root, 'file') })).rejects.toMatchObject({
      code: 'DISK_FILE_NOT_REGULAR',
    });
  });
});
