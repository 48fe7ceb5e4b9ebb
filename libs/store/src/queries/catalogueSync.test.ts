import type { RowDataPacket } from 'mysql2/promise';
import { createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createDatabase, type Database } from '../database.ts';
import { migrate } from '../migrate/migrate.ts';
import { insertPgtest1, pgtest1, pgtest1Path } from '../testing/pgtest1.ts';
import { jobChange, sampleJob } from '../testing/sampleJob.ts';
import { openTestDatabase, type TestDatabase } from '../testing/testDatabase.ts';
import { getBackup, listBackups } from './backups.ts';
import { syncFrom, type SyncResult } from './catalogueSync.ts';
import { chainOf } from './chains.ts';
import { createJob } from './createJob.ts';
import { listVanishedJobs } from './reports.ts';
import { upsertScanned } from './scanned.ts';

let db: TestDatabase;
/** Our view of the other product's database: an account that may only read. */
let source: Database;
/** The other product itself. */
let product: Database;

const sourceTables = [
  'backup_chains',
  'backup_disks',
  'backup_jobs',
  'vm_backup_contexts',
  'backup_repositories',
];

beforeAll(async () => {
  db = await openTestDatabase();
  const url = await db.server.createDatabase('product');
  product = createDatabase({ url });
  // The seeds' columns by name; our additional ones are dropped, for the other product does not have them.
  await migrate(product);
  for (const statement of [
    'ALTER TABLE backup_jobs DROP COLUMN error_message, DROP COLUMN provenance',
    'ALTER TABLE backup_disks DROP COLUMN source_format, DROP COLUMN source_ref, DROP COLUMN file_size_bytes',
    'ALTER TABLE vm_backup_contexts DROP COLUMN source_platform, DROP COLUMN provenance',
  ]) {
    await product.pool.query(statement);
  }
  const admin = await createConnection({ uri: db.server.url('mysql') });
  await admin.query("CREATE USER reader@localhost IDENTIFIED BY 'secret'");
  await admin.query('GRANT SELECT ON product.* TO reader@localhost');
  await admin.end();
  source = createDatabase({ url: url.replace('root@', 'reader:secret@') });
});

beforeEach(async () => {
  for (const table of sourceTables) {
    await db.database.pool.query(`DELETE FROM ${table}`);
    await product.pool.query(`DELETE FROM ${table}`);
  }
  await db.database.pool.query('DELETE FROM restore_reports');
  await fillProduct();
});

afterAll(async () => {
  await source.close();
  await product.close();
  await db.close();
});

async function fillProduct(): Promise<void> {
  const { pool } = product;
  await pool.query("INSERT INTO backup_repositories (id, name) VALUES ('repo-there', 'There')");
  await pool.query(
    `INSERT INTO vm_backup_contexts (context_id, vm_name, vcenter_host, repository_id, last_backup_type, last_backup_at)
     VALUES ('ctx-a', 'erp', 'vc', 'repo-there', 'incremental', '2025-10-08 20:07:51'),
            ('ctx-b', 'web', NULL, 'repo-there', NULL, NULL)`,
  );
  await pool.query(
    `INSERT INTO backup_jobs (id, vm_backup_context_id, vm_name, backup_type, status, repository_id, created_at)
     VALUES ('a-1', 'ctx-a', 'erp', 'full', 'completed', 'repo-there', '2025-10-08 19:24:31'),
            ('a-2', 'ctx-a', 'erp', 'incremental', 'running', 'repo-there', '2025-10-08 20:07:51'),
            ('b-1', 'ctx-b', 'web', 'full', 'completed', 'repo-there', '2025-10-08 21:00:00'),
            ('lost', NULL, 'gone', 'full', 'completed', NULL, '2025-10-08 21:00:00')`,
  );
  await pool.query(
    `INSERT INTO backup_disks (id, vm_backup_context_id, backup_job_id, disk_index, vmware_disk_key, size_gb, qcow2_path, bytes_transferred, status)
     VALUES (501, 'ctx-a', 'a-1', 0, 2000, 102, '/mnt/x/erp/d0-f.qcow2', 5000000000, 'completed'),
            (502, 'ctx-a', 'a-1', 1, 2001, 5, '/mnt/x/erp/d1-f.qcow2', 10, 'completed'),
            (503, 'ctx-a', 'a-2', 0, 2000, 102, '/mnt/x/erp/d0-i.qcow2', NULL, 'running'),
            (504, 'ctx-b', 'b-1', 0, NULL, 1, '/mnt/x/web/d0-f.qcow2', 7, 'completed')`,
  );
  await pool.query(
    "INSERT INTO backup_chains (id, vm_context_id, disk_id, full_backup_id, latest_backup_id, total_backups) VALUES ('chain-a', 'ctx-a', 0, 'a-1', 'a-2', 2)",
  );
}

function sync(): Promise<SyncResult> {
  return syncFrom(db.database, {
    source,
    repositories: { 'repo-there': 'vault' },
    platformOf: (context) => (context.vcenterHost === null ? 'unknown' : 'nutanix'),
  });
}

const nothing = { contexts: 0, backups: 0, disks: 0, removed: 0, endedJobs: [] };

test('everything is copied, repositories by the given mapping, and a second time nothing is written', async () => {
  expect(await sync()).toEqual({ contexts: 2, backups: 3, disks: 4, removed: 0, endedJobs: [] });
  expect(await getBackup(db.database, 'a-1')).toMatchObject({
    contextId: 'ctx-a',
    repositoryId: 'vault',
    sourcePlatform: 'nutanix',
    createdAt: new Date('2025-10-08T19:24:31Z'),
    disks: [
      { diskIndex: 0, vmwareDiskKey: 2000, sizeGb: 102, sizeBytes: 5_000_000_000, sourceFormat: 'qcow2' },
      { diskIndex: 1 },
    ],
  });
  expect(await chainOf(db.database, { vmName: 'erp' })).toMatchObject({ chainId: 'chain-a' });
  expect(await sync()).toEqual(nothing);
});

test('only what differs is written, and what is gone goes', async () => {
  await sync();
  const { pool } = product;
  await pool.query("UPDATE backup_jobs SET status = 'completed' WHERE id = 'a-2'");
  await pool.query(
    "UPDATE backup_disks SET status = 'completed', bytes_transferred = 3 WHERE backup_job_id = 'a-2'",
  );
  expect(await sync()).toEqual({ ...nothing, backups: 1, disks: 1 });
  expect((await chainOf(db.database, { vmName: 'erp' })).images).toHaveLength(2);
  await pool.query("DELETE FROM backup_jobs WHERE id = 'a-1'");
  await pool.query("DELETE FROM backup_disks WHERE backup_job_id = 'b-1'");
  await pool.query("UPDATE vm_backup_contexts SET total_backups_run = 9 WHERE context_id = 'ctx-a'");
  expect(await sync()).toEqual({ ...nothing, contexts: 1, removed: 1 });
  expect((await listBackups(db.database)).map((backup) => [backup.id, backup.disks.length])).toEqual([
    ['b-1', 0],
    ['a-2', 1],
  ]);
  await pool.query("DELETE FROM vm_backup_contexts WHERE context_id = 'ctx-b'");
  expect(await sync()).toEqual({ ...nothing, removed: 1 });
  await expect(chainOf(db.database, { vmName: 'web' })).rejects.toMatchObject({ code: 'CATALOG_VM_UNKNOWN' });
});

test('a backup that goes under a running restore is told, and the restore is not forgotten', async () => {
  await sync();
  const job = sampleJob('j1', 'a-1');
  await createJob(db.database, {
    job,
    view: jobChange(job).view,
    createdBy: 'ops',
    nowMs: 1_763_700_000_000,
  });
  await product.pool.query("DELETE FROM backup_jobs WHERE id = 'a-1'");
  expect(await sync()).toEqual({ ...nothing, removed: 1, endedJobs: ['j1'] });
  expect((await listVanishedJobs(db.database)).map((one) => one.jobId)).toEqual(['j1']);
});

test('a source that lists nothing any more is refused, an always empty one is not', async () => {
  for (const table of sourceTables) await product.pool.query(`DELETE FROM ${table}`);
  expect(await sync()).toEqual(nothing);
  await fillProduct();
  await sync();
  for (const table of sourceTables) await product.pool.query(`DELETE FROM ${table}`);
  await expect(sync()).rejects.toMatchObject({ code: 'CATALOG_SOURCE_EMPTY' });
  expect(await listBackups(db.database)).toHaveLength(3);
});

test('rows that a product wrote here itself are not touched', async () => {
  await insertPgtest1(db.database);
  await sync();
  await product.pool.query('DELETE FROM backup_jobs');
  await product.pool.query(
    `INSERT INTO backup_jobs (id, vm_backup_context_id, vm_name, status) VALUES ('${pgtest1.fullId}', 'ctx-a', 'stolen', 'failed')`,
  );
  await sync();
  await expect(getBackup(db.database, pgtest1.fullId)).resolves.toMatchObject({
    vmName: 'pgtest1',
    status: 'completed',
  });
  expect(await listBackups(db.database, { vmName: 'pgtest1' })).toHaveLength(4);
});

test('what a scan found before becomes what the database tells', async () => {
  await db.database.pool.query("INSERT INTO backup_repositories (id, name) VALUES ('vault', 'Vault')");
  const image = {
    format: 'qcow2',
    fileSizeBytes: 1,
    mtimeMs: 0,
    virtualSizeBytes: 1,
    backingRelPath: null,
  } as const;
  const backup = { backupType: 'full', createdAt: '2025-10-08T19:24:31Z' } as const;
  const disks = ['erp/d0-f.qcow2', 'erp/d1-f.qcow2'].map((relPath, diskIndex) => ({
    diskIndex,
    image: Object.assign({ relPath }, image),
  }));
  const other = [{ diskIndex: 0, image: { ...image, relPath: 'erp/unknown-there.qcow2' } }];
  const backups = [
    { ...backup, backupId: 'scan-1', disks },
    { ...backup, backupId: 'scan-2', disks: other },
  ];
  const contexts = [{ contextId: 'scan-ctx', vmName: 'erp', backups, sidecars: [], vmSpec: null }];
  await upsertScanned(db.database, { scan: { contexts, skipped: [] }, repositoryId: 'vault' });
  expect(await sync()).toMatchObject({ removed: 1 });
  const found = await listBackups(db.database, { vmName: 'erp' });
  expect(found.every((one) => one.contextId === 'scan-ctx')).toBe(true);
  expect(found.map((one) => one.id).toSorted()).toEqual(['a-1', 'a-2', 'scan-2']);
  expect(await sync()).toEqual(nothing);
});

test('a database without the tables, or without the right to read them, is told so', async () => {
  const empty = createDatabase({ url: await db.server.createDatabase('nothing_here') });
  const blind = createDatabase({ url: db.url.replace('root@', 'reader:secret@') });
  const wrong = createDatabase({ url: db.url.replace('root@', 'reader:wrong@') });
  const run = (from: Database) => syncFrom(db.database, { source: from, repositories: {} });
  await expect(run(empty)).rejects.toMatchObject({ code: 'CATALOG_SOURCE_UNREADABLE' });
  await expect(run(blind)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  await expect(run(wrong)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  await Promise.all([empty, blind, wrong].map((one) => one.close()));
});

test('the account that reads cannot write, and its password is in no error', async () => {
  const [grants] = await source.pool.query<RowDataPacket[]>('SHOW GRANTS');
  expect(JSON.stringify(grants)).toContain('SELECT');
  await expect(source.pool.query('DELETE FROM backup_jobs')).rejects.toMatchObject({
    code: 'ER_TABLEACCESS_DENIED_ERROR',
  });
  const wrong = createDatabase({ url: db.url.replace('root@', 'reader:hunter2@') });
  const error = await listBackups(wrong).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(JSON.stringify(error)).not.toContain('hunter2');
  expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE' });
  await wrong.close();
});

test('paths are kept as they were recorded', async () => {
  await insertPgtest1(db.database);
  expect((await getBackup(db.database, pgtest1.fullId)).disks[0]?.qcow2Path).toBe(
    pgtest1Path(0, '20251008-192431'),
  );
});
