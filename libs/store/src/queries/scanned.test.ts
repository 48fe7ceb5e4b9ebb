import type { ScannedBackup, ScannedContext, ScannedRepository } from '@ascend/domain';
import type { RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { insertPgtest1, pgtest1 } from '../testing/pgtest1.ts';
import { jobChange, sampleJob } from '../testing/sampleJob.ts';
import { openTestDatabase, type TestDatabase } from '../testing/testDatabase.ts';
import { addRestorePoint, type AddRestorePointParams } from './addRestorePoint.ts';
import { getBackup, listBackups } from './backups.ts';
import { chainOf } from './chains.ts';
import { createJob } from './createJob.ts';
import { restorePoint } from './restorePoints.ts';
import { upsertScanned } from './scanned.ts';

let db: TestDatabase;

beforeAll(async () => {
  db = await openTestDatabase();
});

beforeEach(async () => {
  for (const table of ['vm_backup_contexts', 'backup_jobs', 'backup_repositories']) {
    await db.database.pool.query(`DELETE FROM ${table}`);
  }
  await db.database.pool.query(
    "INSERT INTO backup_repositories (id, name) VALUES ('vault', 'Vault'), ('copy', 'Copy')",
  );
});

afterAll(async () => {
  await db.close();
});

const times = ['2025-10-08T19:24:31Z', '2025-10-08T20:07:51Z', '2025-10-08T20:13:58Z'] as const;
const stamps = ['20251008-192431', '20251008-200751', '20251008-201358'] as const;
const gib = 1024 ** 3;

function scannedBackup(vm: string, index: number, diskCount = 2): ScannedBackup {
  const stamp = stamps[index] ?? '';
  return {
    backupId: `scan-${vm}-${stamp}`,
    backupType: index === 0 ? 'full' : 'incremental',
    createdAt: times[index] ?? '',
    disks: Array.from({ length: diskCount }, (_, diskIndex) => ({
      diskIndex,
      image: {
        relPath: `ctx-${vm}-20251006-203401/disk-${diskIndex}/backup-${vm}-disk${diskIndex}-${stamp}.qcow2`,
        format: 'qcow2' as const,
        fileSizeBytes: 1000 + index,
        mtimeMs: 0,
        virtualSizeBytes: diskIndex === 0 ? 102 * gib - 512 : 5 * gib,
        backingRelPath: null,
      },
    })),
  };
}

function scannedVm(vm: string, count = 3): ScannedContext {
  return {
    contextId: `ctx-${vm}-20251006-203401`,
    vmName: vm,
    backups: Array.from({ length: count }, (_, index) => scannedBackup(vm, index)),
    sidecars: [],
    vmSpec: null,
  };
}

function scan(...contexts: readonly ScannedContext[]): ScannedRepository {
  return { contexts, skipped: [] };
}

async function catalogue(): Promise<readonly unknown[]> {
  const tables = ['vm_backup_contexts', 'backup_jobs', 'backup_disks', 'backup_chains'];
  return Promise.all(
    tables.map(async (table) => (await db.database.pool.query<RowDataPacket[]>(`SELECT * FROM ${table}`))[0]),
  );
}

describe('a scan', () => {
  test('rebuilds the catalogue of a repository', async () => {
    const change = await upsertScanned(db.database, {
      scan: scan(scannedVm('erp'), scannedVm('web', 1)),
      repositoryId: 'vault',
    });
    expect(change).toEqual({ contexts: 2, backups: 4, disks: 8, removed: 0 });
    expect(await restorePoint(db.database, 'scan-erp-20251008-200751')).toMatchObject({
      contextId: 'ctx-erp-20251006-203401',
      vmName: 'erp',
      repositoryId: 'vault',
      backupType: 'incremental',
      sourcePlatform: 'unknown',
      createdAt: times[1],
      disks: [
        { diskIndex: 0, sizeGb: 102, vmwareDiskKey: null, path: expect.stringMatching(/^ctx-erp.*disk-0/) },
        { diskIndex: 1, sizeGb: 5 },
      ],
    });
    const chain = await chainOf(db.database, { vmName: 'erp', diskIndex: 1 });
    expect(chain.chainId).toBe('chain-ctx-erp-20251006-203401-disk1');
    expect(chain.images.map((image) => image.sizeBytes)).toEqual([1000, 1001, 1002]);
    const [contexts] = await db.database.pool.query<RowDataPacket[]>(
      "SELECT total_backups_run, successful_backups, last_backup_id, last_backup_type FROM vm_backup_contexts WHERE vm_name = 'erp'",
    );
    expect(contexts).toMatchObject([
      {
        total_backups_run: 3,
        successful_backups: 3,
        last_backup_id: 'scan-erp-20251008-201358',
        last_backup_type: 'incremental',
      },
    ]);
    const [chains] = await db.database.pool.query<RowDataPacket[]>(
      "SELECT full_backup_id, latest_backup_id, total_backups, total_size_bytes FROM backup_chains WHERE disk_id = 0 AND vm_context_id LIKE 'ctx-erp%'",
    );
    expect(chains).toMatchObject([
      {
        full_backup_id: 'scan-erp-20251008-192431',
        latest_backup_id: 'scan-erp-20251008-201358',
        total_backups: 3,
        total_size_bytes: 3003,
      },
    ]);
  });

  test('made twice changes no row', async () => {
    const params = { scan: scan(scannedVm('erp')), repositoryId: 'vault' };
    await upsertScanned(db.database, params);
    const before = await catalogue();
    await upsertScanned(db.database, { ...params, removeMissing: true });
    expect(await catalogue()).toEqual(before);
  });

  test('brings its own rows up to date: a disk more, a disk less, another size', async () => {
    await upsertScanned(db.database, { scan: scan(scannedVm('erp', 1)), repositoryId: 'vault' });
    const backup = scannedBackup('erp', 0, 1);
    const [disk] = backup.disks;
    const grown = { ...backup, disks: [{ ...disk!, image: { ...disk!.image, fileSizeBytes: 77 } }] };
    await upsertScanned(db.database, {
      scan: scan({ ...scannedVm('erp', 0), backups: [grown] }),
      repositoryId: 'vault',
    });
    const after = await getBackup(db.database, backup.backupId);
    expect(after.disks.map((one) => [one.diskIndex, one.sizeBytes])).toEqual([[0, 77]]);
  });

  test('never touches rows of a database and lists none of their files a second time', async () => {
    await insertPgtest1(db.database);
    const before = await catalogue();
    const change = await upsertScanned(db.database, {
      scan: scan(scannedVm('pgtest1', 1)),
      repositoryId: pgtest1.repositoryId,
      removeMissing: true,
    });
    expect(change).toEqual({ contexts: 1, backups: 0, disks: 0, removed: 0 });
    expect(await catalogue()).toEqual(before);
  });

  test('adds what the database does not know to its VM, and changes nothing else of it', async () => {
    await insertPgtest1(db.database);
    const extra = { ...scannedBackup('pgtest1', 2), backupId: 'scan-new', createdAt: '2025-11-01T00:00:00Z' };
    const disks = extra.disks.map(({ diskIndex, image }) => ({
      diskIndex,
      image: { ...image, relPath: `new/disk-${diskIndex}.qcow2` },
    }));
    await upsertScanned(db.database, {
      scan: scan({ ...scannedVm('pgtest1', 0), backups: [{ ...extra, disks }] }),
      repositoryId: pgtest1.repositoryId,
    });
    const [newest] = await listBackups(db.database, { vmName: 'pgtest1' });
    expect(newest).toMatchObject({ id: 'scan-new', contextId: pgtest1.contextId });
    const [rows] = await db.database.pool.query<RowDataPacket[]>(
      'SELECT last_backup_id, provenance FROM vm_backup_contexts',
    );
    expect(rows).toMatchObject([{ last_backup_id: pgtest1.incrementalIds[2], provenance: 'database' }]);
  });

  test('of a copied folder gives the copy ids of its own, the same ones each time', async () => {
    for (const repositoryId of ['vault', 'copy', 'vault', 'copy']) {
      await upsertScanned(db.database, { scan: scan(scannedVm('erp')), repositoryId });
    }
    const backups = await listBackups(db.database, { vmName: 'erp' });
    expect(backups).toHaveLength(6);
    const copies = backups.filter((backup) => backup.repositoryId === 'copy');
    expect(copies).toHaveLength(3);
    expect(copies.every((backup) => /^scan-erp-.*-[0-9a-f]{8}$/.test(backup.id))).toBe(true);
    await expect(chainOf(db.database, { vmName: 'erp' })).rejects.toMatchObject({
      code: 'CATALOG_VM_AMBIGUOUS',
    });
  });

  test('takes out what is gone only when asked, never when nothing was found, never under a restore', async () => {
    await upsertScanned(db.database, { scan: scan(scannedVm('erp')), repositoryId: 'vault' });
    const fewer = { scan: scan(scannedVm('erp', 1)), repositoryId: 'vault' };
    expect(await upsertScanned(db.database, fewer)).toMatchObject({ removed: 0 });
    const empty = { scan: scan(), repositoryId: 'vault', removeMissing: true };
    await expect(upsertScanned(db.database, empty)).rejects.toMatchObject({ code: 'CATALOG_SCAN_EMPTY' });
    const job = sampleJob('j1', 'scan-erp-20251008-200751');
    const { view } = jobChange(job);
    await createJob(db.database, { job, view, createdBy: 'ops', nowMs: 1_763_700_000_000 });
    expect(await upsertScanned(db.database, { ...fewer, removeMissing: true })).toMatchObject({ removed: 1 });
    expect((await listBackups(db.database)).map((backup) => backup.id)).toEqual([
      'scan-erp-20251008-200751',
      'scan-erp-20251008-192431',
    ]);
    const chain = await chainOf(db.database, { vmName: 'erp' });
    expect(chain.images).toHaveLength(2);
  });

  test('of an unknown repository is refused', async () => {
    await expect(upsertScanned(db.database, { scan: scan(), repositoryId: 'nope' })).rejects.toMatchObject({
      code: 'CATALOG_REPOSITORY_UNKNOWN',
    });
  });
});

describe('a restore point added by hand', () => {
  const params: AddRestorePointParams = {
    repositoryId: 'vault',
    vmName: 'Web Server 1',
    createdAtMs: Date.parse(times[0]),
    disks: [
      { path: 'web/disk0.vhdx', format: 'vhdx', virtualSizeBytes: 3 * gib, fileSizeBytes: 500 },
      { path: 'web/disk1.raw', format: 'raw', virtualSizeBytes: gib, fileSizeBytes: gib },
    ],
  };

  test('can be restored like any other', async () => {
    const id = await addRestorePoint(db.database, { ...params, sourcePlatform: 'hyperv' });
    expect(id).toBe('backup-web-server-1-20251008-192431');
    expect(await restorePoint(db.database, id)).toMatchObject({
      vmName: 'Web Server 1',
      repositoryId: 'vault',
      backupType: 'full',
      sourcePlatform: 'hyperv',
      createdAt: times[0],
      disks: [
        { diskIndex: 0, path: 'web/disk0.vhdx', format: 'vhdx', sizeGb: 3 },
        { diskIndex: 1, path: 'web/disk1.raw', format: 'raw', sizeGb: 1 },
      ],
    });
  });

  test('twice the same is one; other images of the same second or in another repository are others', async () => {
    const first = await addRestorePoint(db.database, params);
    expect(await addRestorePoint(db.database, params)).toBe(first);
    const others = [
      { ...params, disks: params.disks.toReversed() },
      { ...params, repositoryId: 'copy' },
      { ...params, vmName: 'web server-1' },
      { ...params, disks: params.disks.slice(0, 1) },
    ];
    const ids = [first];
    for (const other of others) ids.push(await addRestorePoint(db.database, other));
    expect(new Set(ids).size).toBe(5);
    for (const other of others) expect(ids).toContain(await addRestorePoint(db.database, other));
    expect(await listBackups(db.database)).toHaveLength(5);
  });

  test('may be a snapshot instead of a file', async () => {
    const disk = { path: null, sourceRef: 'snap-0123', format: 'ebs-snapshot' } as const;
    const disks = [{ ...disk, virtualSizeBytes: null, fileSizeBytes: null }];
    const id = await addRestorePoint(db.database, { ...params, disks });
    await expect(restorePoint(db.database, id)).resolves.toMatchObject({
      disks: [{ path: 'snap-0123', format: 'ebs-snapshot', sizeGb: null }],
    });
  });

  test('stays when a scan finds its files', async () => {
    const id = await addRestorePoint(db.database, params);
    const backup = scannedBackup('x', 0, 1);
    const [disk] = backup.disks;
    const found = [{ ...disk!, image: { ...disk!.image, relPath: 'web/disk0.vhdx' } }];
    const context = { ...scannedVm('x', 0), vmName: params.vmName, backups: [{ ...backup, disks: found }] };
    await upsertScanned(db.database, { scan: scan(context), repositoryId: 'vault', removeMissing: true });
    expect((await listBackups(db.database)).map((one) => one.id)).toEqual([id]);
  });

  test('needs a repository', async () => {
    await expect(addRestorePoint(db.database, { ...params, repositoryId: 'nope' })).rejects.toMatchObject({
      code: 'CATALOG_REPOSITORY_UNKNOWN',
    });
  });
});
