import type { BackupRow } from '@ascend/store';
import { expect, test } from 'vitest';
import { imageId, presentBackups, presentChain, presentDisks } from './backups.ts';

const folder = '/mnt/sendense-backups/ctx-pgtest1-20251006-203401';
const pgtest1: BackupRow = {
  id: 'backup-pgtest1-1759947871',
  contextId: 'ctx-backup-pgtest1-20251006-203401',
  vmName: 'pgtest1',
  repositoryId: 'repo-1',
  backupType: 'full',
  status: 'completed',
  createdAt: new Date('2025-10-08T19:24:31Z'),
  completedAt: null,
  errorMessage: null,
  sourcePlatform: 'unknown',
  hasVmSpec: false,
  disks: [
    {
      id: 1,
      diskIndex: 0,
      vmwareDiskKey: 2000,
      sizeGb: 102,
      qcow2Path: `${folder}/disk-0/backup-pgtest1-disk0-20251008-192431.qcow2`,
      status: 'completed',
      sourceFormat: 'qcow2',
      sourceRef: null,
      sizeBytes: null,
    },
    {
      id: 2,
      diskIndex: 1,
      vmwareDiskKey: 2001,
      sizeGb: 5,
      qcow2Path: `${folder}/disk-1/backup-pgtest1-disk1-20251008-192431.qcow2`,
      status: 'completed',
      sourceFormat: 'qcow2',
      sourceRef: null,
      sizeBytes: null,
    },
  ],
};

test('the list answers exactly as existing callers know it', () => {
  expect(JSON.stringify(presentBackups([pgtest1]))).toBe(
    JSON.stringify({
      backups: [
        {
          backup_id: 'backup-pgtest1-1759947871',
          vm_name: 'pgtest1',
          backup_type: 'full',
          status: 'completed',
          created_at: '2025-10-08T19:24:31Z',
          disk_results: [
            { disk_id: 0, qcow2_path: `${folder}/disk-0/backup-pgtest1-disk0-20251008-192431.qcow2` },
            { disk_id: 1, qcow2_path: `${folder}/disk-1/backup-pgtest1-disk1-20251008-192431.qcow2` },
          ],
        },
      ],
    }),
  );
});

test('the disks answer exactly as existing callers know it', () => {
  expect(JSON.stringify(presentDisks(pgtest1))).toBe(
    JSON.stringify({
      backup_id: 'backup-pgtest1-1759947871',
      disks: [
        {
          disk_index: 0,
          vmware_disk_key: 2000,
          size_gb: 102,
          qcow2_path: `${folder}/disk-0/backup-pgtest1-disk0-20251008-192431.qcow2`,
          status: 'completed',
        },
        {
          disk_index: 1,
          vmware_disk_key: 2001,
          size_gb: 5,
          qcow2_path: `${folder}/disk-1/backup-pgtest1-disk1-20251008-192431.qcow2`,
          status: 'completed',
        },
      ],
    }),
  );
});

test('a chain sums the sizes of its images and names each by its file', () => {
  const sizes = [19_643_564_032, 60_555_264, 31_129_600, 34_734_080];
  const rows = ['192431', '200751', '201358', '201743'].map((time, index) => ({
    backupId: `backup-pgtest1-${index}`,
    backupType: index === 0 ? ('full' as const) : ('incremental' as const),
    qcow2Path: `${folder}/disk-0/backup-pgtest1-disk0-20251008-${time}.qcow2`,
    sizeBytes: sizes[index] ?? 0,
  }));
  expect(presentChain('chain-ctx-backup-pgtest1-20251006-203401-disk0', rows)).toMatchObject({
    chain_id: 'chain-ctx-backup-pgtest1-20251006-203401-disk0',
    full_backup_id: 'backup-pgtest1-disk0-20251008-192431',
    total_backups: 4,
    total_size_bytes: 19_769_982_976,
  });
});

test('an image without a recorded file goes by the id of its backup', () => {
  expect(imageId({ backupId: 'b1', backupType: 'full', qcow2Path: null, sizeBytes: 0 })).toBe('b1');
});
