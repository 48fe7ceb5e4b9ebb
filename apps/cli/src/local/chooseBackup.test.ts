import type { ScannedBackup, ScannedContext, ScannedRepository } from '@ascend/domain';
import { expect, it } from 'vitest';
import { chooseBackup, pointOfFiles } from './chooseBackup.ts';

function backup(stamp: string, createdAt: string): ScannedBackup {
  const image = {
    relPath: `d0/${stamp}.qcow2`,
    format: 'qcow2' as const,
    fileSizeBytes: 1,
    mtimeMs: 0,
    virtualSizeBytes: 1024 ** 3 + 1,
    backingRelPath: null,
  };
  return { backupId: `backup-a-${stamp}`, backupType: 'full', createdAt, disks: [{ diskIndex: 0, image }] };
}

function context(vmName: string, backups: ScannedBackup[]): ScannedContext {
  return { contextId: `ctx-${vmName}`, vmName, backups, sidecars: [], vmSpec: null };
}

const older = backup('20250101-000000', '2025-01-01T00:00:00Z');
const newer = backup('20250202-000000', '2025-02-02T00:00:00Z');
const one: ScannedRepository = { contexts: [context('a', [newer, older])], skipped: [] };
const two: ScannedRepository = { contexts: [...one.contexts, context('b', [older])], skipped: [] };

it('takes the newest point of the only VM', () => {
  const { point } = chooseBackup(one, { vm: undefined, backup: undefined });
  expect(point.backupId).toBe('backup-a-20250202-000000');
  expect(point.disks[0]).toMatchObject({ sizeGb: 2, path: 'd0/20250202-000000.qcow2' });
});

it('takes a point named by its id or by its time stamp', () => {
  expect(chooseBackup(one, { vm: 'a', backup: older.backupId }).point.createdAt).toBe(older.createdAt);
  expect(chooseBackup(one, { vm: 'a', backup: '20250101-000000' }).point.createdAt).toBe(older.createdAt);
});

it('asks which VM is meant when several match, naming them', () => {
  expect(() => chooseBackup(two, { vm: undefined, backup: undefined })).toThrow(
    expect.objectContaining({
      code: 'CLI_BACKUP_AMBIGUOUS',
      details: expect.objectContaining({ candidates: ['a (ctx-a)', 'b (ctx-b)'] }),
    }),
  );
});

it('says what is there when nothing matches', () => {
  expect(() => chooseBackup(two, { vm: 'c', backup: undefined })).toThrow(
    expect.objectContaining({ code: 'CLI_BACKUP_NOT_FOUND' }),
  );
});

it('makes a point of single files in the order given', () => {
  const image = newer.disks[0]?.image;
  if (image === undefined) throw new Error('fixture');
  const point = pointOfFiles(undefined, [image, { ...image, relPath: 'data.raw', format: 'raw' }]);
  expect(point.vmName).toBe('20250202-000000');
  expect(point.disks.map((disk) => [disk.diskIndex, disk.format])).toEqual([
    [0, 'qcow2'],
    [1, 'raw'],
  ]);
});
