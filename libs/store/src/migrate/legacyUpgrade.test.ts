import type { RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDatabase, type Database } from '../database.ts';
import { chainOf } from '../queries/chains.ts';
import { listBackups } from '../queries/backups.ts';
import { listJobs } from '../queries/listJobs.ts';
import { restorePoint } from '../queries/restorePoints.ts';
import { describeSchema } from '../testing/describeSchema.ts';
import { dyingAfter } from '../testing/dyingDatabase.ts';
import { startMariadb, type Mariadb } from '../testing/mariadb.ts';
import { migrate, migrateDown } from './migrate.ts';

let server: Mariadb;
const open: Database[] = [];

beforeAll(async () => {
  server = await startMariadb();
});

afterAll(async () => {
  await Promise.all(open.map((database) => database.close()));
  await server.stop();
});

async function databaseWith(statements: readonly string[]): Promise<Database> {
  const database = createDatabase({ url: await server.createDatabase() });
  open.push(database);
  for (const statement of statements) await database.pool.query(statement);
  return database;
}

async function rows(database: Database, statement: string): Promise<readonly unknown[]> {
  const [found] = await database.pool.query<RowDataPacket[]>(statement);
  return found.map((row) => Object.assign({}, row));
}

/** The oldest form: one file per backup_jobs row, mounts of whole backups; collations and columns of its own. */
const singleFile = [
  `CREATE TABLE backup_jobs (
    id VARCHAR(64) PRIMARY KEY,
    vm_context_id VARCHAR(191) NOT NULL,
    vm_name VARCHAR(255) NOT NULL,
    repository_id VARCHAR(64) NOT NULL,
    backup_type ENUM('full','incremental','differential') NOT NULL,
    status VARCHAR(20) NOT NULL,
    repository_path VARCHAR(512) NOT NULL,
    disk_id INT NOT NULL DEFAULT 0,
    change_id VARCHAR(191),
    compression_enabled BOOLEAN DEFAULT TRUE,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
  ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci`,
  `CREATE TABLE restore_mounts (
    id VARCHAR(64) PRIMARY KEY,
    backup_id VARCHAR(64) NOT NULL,
    mount_path VARCHAR(512) NOT NULL,
    nbd_device VARCHAR(32) NOT NULL,
    status ENUM('mounting','mounted','unmounting','failed') DEFAULT 'mounting',
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    UNIQUE KEY uk_nbd_device (nbd_device),
    FOREIGN KEY (backup_id) REFERENCES backup_jobs(id) ON DELETE CASCADE
  ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci`,
  `INSERT INTO backup_jobs (id, vm_context_id, vm_name, repository_id, backup_type, status, repository_path, disk_id, change_id, created_at)
   VALUES ('old-full', 'ctx-web', 'web', 'repo-a', 'full', 'completed', '/mnt/b/web/full.qcow2', 0, 'cbt-1', '2025-10-05 10:00:00'),
          ('old-inc', 'ctx-web', 'web', 'repo-a', 'incremental', 'completed', '/mnt/b/web/inc.qcow2', 0, 'cbt-2', '2025-10-06 10:00:00'),
          ('old-db', 'ctx-db', 'db', 'repo-a', 'full', 'verifying', '/mnt/b/db/full.qcow2', 1, NULL, '2025-10-05 11:00:00'),
          ('old-twin', 'ctx-db-again', 'db', 'repo-a', 'full', 'cancelled', '/mnt/b/db2/full.qcow2', 0, NULL, '2025-10-05 12:00:00')`,
  `INSERT INTO restore_mounts (id, backup_id, mount_path, nbd_device, status, created_at)
   VALUES ('m-old', 'old-full', '/mnt/r/1', '/dev/nbd0', 'mounted', '2025-10-07 10:00:00'),
          ('m-new', 'old-full', '/mnt/r/2', '/dev/nbd1', 'mounting', '2025-10-07 11:00:00'),
          ('m-db', 'old-db', '/mnt/r/3', '/dev/nbd2', 'mounted', '2025-10-07 12:00:00')`,
];

/** The later form, still with mounts of whole backups. */
const perDisk = [
  'CREATE TABLE backup_repositories (id VARCHAR(64) PRIMARY KEY, name VARCHAR(255), config JSON)',
  `CREATE TABLE vm_backup_contexts (
    context_id VARCHAR(64) PRIMARY KEY, vm_name VARCHAR(255), vmware_vm_id VARCHAR(255), vm_path VARCHAR(500),
    vcenter_host VARCHAR(255), datacenter VARCHAR(255), repository_id VARCHAR(64), total_backups_run INT,
    successful_backups INT, last_backup_id VARCHAR(64), last_backup_type ENUM('full','incremental'),
    last_backup_at TIMESTAMP NULL, UNIQUE KEY (vm_name, repository_id),
    FOREIGN KEY (repository_id) REFERENCES backup_repositories(id))`,
  `CREATE TABLE backup_jobs (
    id VARCHAR(64) PRIMARY KEY, vm_backup_context_id VARCHAR(64), vm_name VARCHAR(255),
    backup_type ENUM('full','incremental','differential'),
    status ENUM('pending','running','completed','failed','cancelled'), repository_id VARCHAR(64),
    repository_path VARCHAR(512), created_at TIMESTAMP NULL, completed_at TIMESTAMP NULL,
    FOREIGN KEY (vm_backup_context_id) REFERENCES vm_backup_contexts(context_id) ON DELETE CASCADE)`,
  `CREATE TABLE backup_disks (
    id BIGINT PRIMARY KEY AUTO_INCREMENT, vm_backup_context_id VARCHAR(64), backup_job_id VARCHAR(64),
    disk_index INT, vmware_disk_key INT, size_gb BIGINT, unit_number INT, disk_change_id VARCHAR(255),
    qcow2_path VARCHAR(512), bytes_transferred BIGINT, status ENUM('pending','running','completed','failed'),
    error_message TEXT, completed_at TIMESTAMP NULL, UNIQUE KEY (backup_job_id, disk_index),
    FOREIGN KEY (backup_job_id) REFERENCES backup_jobs(id) ON DELETE CASCADE)`,
  `CREATE TABLE backup_chains (
    id VARCHAR(64) PRIMARY KEY, vm_context_id VARCHAR(64), disk_id INT, full_backup_id VARCHAR(64),
    latest_backup_id VARCHAR(64), total_backups INT, total_size_bytes BIGINT, UNIQUE KEY (vm_context_id, disk_id),
    FOREIGN KEY (vm_context_id) REFERENCES vm_backup_contexts(context_id) ON DELETE CASCADE)`,
  `CREATE TABLE restore_mounts (
    id VARCHAR(64) PRIMARY KEY, backup_id VARCHAR(64) NOT NULL, disk_index INT NOT NULL DEFAULT 0,
    nbd_device VARCHAR(32) NOT NULL, expires_at TIMESTAMP NULL,
    FOREIGN KEY (backup_id) REFERENCES backup_jobs(id) ON DELETE CASCADE)`,
  `CREATE TABLE restore_jobs (
    id VARCHAR(64) PRIMARY KEY, backup_job_id VARCHAR(64) NOT NULL,
    source_platform ENUM('vmware','cloudstack') NOT NULL, target_platform ENUM('vmware','cloudstack') NOT NULL,
    restore_type ENUM('full_vm','file_level') NOT NULL,
    status ENUM('pending','converting','uploading','creating','completed','failed') NOT NULL,
    target_config JSON NOT NULL, created_at TIMESTAMP NULL,
    FOREIGN KEY (backup_job_id) REFERENCES backup_jobs(id) ON DELETE CASCADE)`,
  `CREATE TABLE restore_steps (
    id VARCHAR(64) PRIMARY KEY, restore_job_id VARCHAR(64) NOT NULL, step_name VARCHAR(255) NOT NULL,
    step_order INT NOT NULL, status ENUM('pending','running','completed','failed') NOT NULL,
    FOREIGN KEY (restore_job_id) REFERENCES restore_jobs(id) ON DELETE CASCADE)`,
  "INSERT INTO backup_repositories VALUES ('repo-a', 'Main', '{}')",
  `INSERT INTO vm_backup_contexts VALUES ('ctx-erp', 'erp', '4205', '/dc/vm/erp', 'vc', 'dc', 'repo-a', 2, 2, 'b-2',
    'incremental', '2025-10-08 20:07:51')`,
  `INSERT INTO backup_jobs VALUES
    ('b-1', 'ctx-erp', 'erp', 'full', 'completed', 'repo-a', '/mnt/b/erp', '2025-10-08 19:24:31', NULL),
    ('b-2', 'ctx-erp', 'erp', 'incremental', 'completed', 'repo-a', '/mnt/b/erp', '2025-10-08 20:07:51', NULL)`,
  `INSERT INTO backup_disks (id, vm_backup_context_id, backup_job_id, disk_index, vmware_disk_key, size_gb, qcow2_path,
    bytes_transferred, status)
   VALUES (11, 'ctx-erp', 'b-1', 0, 2000, 102, '/mnt/b/erp/disk-0/f.qcow2', 1000, 'completed'),
          (12, 'ctx-erp', 'b-1', 1, 2001, 5, '/mnt/b/erp/disk-1/f.qcow2', 100, 'completed'),
          (13, 'ctx-erp', 'b-2', 0, 2000, 102, '/mnt/b/erp/disk-0/i.qcow2', 10, 'completed'),
          (14, 'ctx-erp', 'b-2', 1, 2001, 5, '/mnt/b/erp/disk-1/i.qcow2', 1, 'completed')`,
  "INSERT INTO backup_chains VALUES ('chain-erp-0', 'ctx-erp', 0, 'b-1', 'b-2', 2, 1010)",
  `INSERT INTO restore_mounts VALUES ('m-1', 'b-1', 1, '/dev/nbd0', NULL), ('m-2', 'b-2', 0, '/dev/nbd1', NULL)`,
  `INSERT INTO restore_jobs VALUES
    ('r-1', 'b-1', 'vmware', 'cloudstack', 'full_vm', 'completed', '{"zone":"z"}', '2025-10-09 00:00:00'),
    ('r-2', 'b-2', 'vmware', 'vmware', 'full_vm', 'uploading', '{}', '2025-10-09 00:00:00')`,
  "INSERT INTO restore_steps VALUES ('s-1', 'r-1', 'Upload', 1, 'completed'), ('s-2', 'r-2', 'Upload', 1, 'running')",
];

test('rows of one file each become backups with one disk, and mounts find their disk', async () => {
  const database = await databaseWith(singleFile);
  await migrate(database);
  const backups = await listBackups(database, { vmName: 'web' });
  expect(backups).toMatchObject([
    {
      id: 'old-inc',
      contextId: 'ctx-web',
      backupType: 'incremental',
      repositoryId: 'repo-a',
      status: 'completed',
    },
    {
      id: 'old-full',
      createdAt: new Date('2025-10-05T10:00:00Z'),
      disks: [
        { diskIndex: 0, qcow2Path: '/mnt/b/web/full.qcow2', status: 'completed', sourceFormat: 'qcow2' },
      ],
    },
  ]);
  await expect(restorePoint(database, 'old-inc')).resolves.toMatchObject({
    repositoryId: 'repo-a',
    disks: [{ path: '/mnt/b/web/inc.qcow2' }],
  });
  // Their contexts had one VM name in one repository: that is one VM now. A status nobody knows is no success.
  expect(await listBackups(database, { vmName: 'db' })).toMatchObject([
    { id: 'old-twin', contextId: 'ctx-db', status: 'cancelled', disks: [{ status: 'failed' }] },
    { id: 'old-db', contextId: 'ctx-db', status: 'failed', disks: [{ diskIndex: 1 }] },
  ]);
  const mounts = await rows(
    database,
    `SELECT m.id, d.backup_job_id, m.disk_index, m.nbd_device, m.mount_path, m.state FROM restore_mounts m
     JOIN backup_disks d ON d.id = m.backup_disk_id ORDER BY m.id`,
  );
  expect(mounts).toEqual([
    {
      id: 'm-db',
      backup_job_id: 'old-db',
      disk_index: 1,
      nbd_device: '/dev/nbd2',
      mount_path: '/mnt/r/3',
      state: 'mounted',
    },
    {
      id: 'm-new',
      backup_job_id: 'old-full',
      disk_index: 0,
      nbd_device: '/dev/nbd1',
      mount_path: '/mnt/r/2',
      state: 'mounting',
    },
  ]);
  // One mount per disk: the older one of the same disk is kept where it was.
  expect(await rows(database, 'SELECT id FROM legacy_restore_mounts ORDER BY id')).toHaveLength(3);
});

test('rows with disks keep their ids, mounts their disk index, finished restores their end', async () => {
  const database = await databaseWith(perDisk);
  await migrate(database);
  expect(await rows(database, 'SELECT id, backup_job_id, disk_index FROM backup_disks ORDER BY id')).toEqual([
    { id: 11, backup_job_id: 'b-1', disk_index: 0 },
    { id: 12, backup_job_id: 'b-1', disk_index: 1 },
    { id: 13, backup_job_id: 'b-2', disk_index: 0 },
    { id: 14, backup_job_id: 'b-2', disk_index: 1 },
  ]);
  expect(
    await rows(database, 'SELECT id, backup_disk_id, disk_index FROM restore_mounts ORDER BY id'),
  ).toEqual([
    { id: 'm-1', backup_disk_id: 12, disk_index: 1 },
    { id: 'm-2', backup_disk_id: 13, disk_index: 0 },
  ]);
  await expect(restorePoint(database, 'b-2')).resolves.toMatchObject({ sourcePlatform: 'vmware' });
  await expect(chainOf(database, { vmName: 'erp' })).resolves.toMatchObject({
    chainId: 'chain-erp-0',
    images: [
      { backupId: 'b-1', sizeBytes: 1000 },
      { backupId: 'b-2', sizeBytes: 10 },
    ],
  });
  const jobs = await listJobs(database);
  expect(jobs.map((job) => [job.id, job.status, job.state, job.targetConfig])).toEqual([
    ['r-2', 'failed', 'failed', {}],
    ['r-1', 'completed', 'completed', { zone: 'z' }],
  ]);
  expect(await rows(database, 'SELECT id, status, state FROM restore_steps ORDER BY id')).toEqual([
    { id: 's-1', status: 'completed', state: 'succeeded' },
    { id: 's-2', status: 'failed', state: 'failed' },
  ]);
});

test.each([
  ['the single-file form', singleFile],
  ['the per-disk form', perDisk],
])('an upgraded database of %s has the schema of a new one', async (_form, statements) => {
  const fresh = await databaseWith([]);
  await migrate(fresh);
  const database = await databaseWith(statements);
  await migrate(database);
  const tables = await describeSchema(database);
  expect(tables.filter((table) => !table.name.startsWith('legacy_'))).toEqual(await describeSchema(fresh));
});

test('an upgrade that dies again and again loses and doubles no row', async () => {
  const tables = [
    'vm_backup_contexts',
    'backup_jobs',
    'backup_disks',
    'backup_chains',
    'restore_mounts',
    'restore_jobs',
  ];
  const content = (database: Database): Promise<readonly unknown[]> =>
    Promise.all(tables.map((table) => rows(database, `SELECT * FROM ${table} ORDER BY 1`)));
  const whole = await databaseWith(perDisk);
  await migrate(whole);
  const database = await databaseWith(perDisk);
  let deaths = 0;
  for (let isDone = false; !isDone;) {
    isDone = await migrate(dyingAfter(6 + deaths, database)).then(
      () => true,
      () => false,
    );
    deaths += isDone ? 0 : 1;
    expect(deaths).toBeLessThan(500);
  }
  expect(deaths).toBeGreaterThan(10);
  expect(await content(database)).toEqual(await content(whole));
  expect(await describeSchema(database)).toEqual(await describeSchema(whole));
});

test('taking the migrations back gives the old tables and all their rows back', async () => {
  const database = await databaseWith(singleFile);
  const tables = ['backup_jobs', 'restore_mounts'];
  const before = await Promise.all(
    tables.map((table) => rows(database, `SELECT * FROM ${table} ORDER BY id`)),
  );
  await migrate(database);
  await migrateDown(database, 0);
  const after = await Promise.all(
    tables.map((table) => rows(database, `SELECT * FROM ${table} ORDER BY id`)),
  );
  expect(after).toMatchObject(before);
  expect((await describeSchema(database)).map((table) => table.name)).toEqual([
    ...tables,
    'schema_migrations',
  ]);
  await migrate(database);
  expect(await listBackups(database)).toHaveLength(4);
});

test('copying legacy rows a second time changes nothing', async () => {
  const database = await databaseWith(perDisk);
  await migrate(database);
  const count = async (): Promise<readonly unknown[]> =>
    rows(
      database,
      `SELECT (SELECT COUNT(*) FROM backup_disks) AS d, (SELECT COUNT(*) FROM backup_jobs) AS j,
       (SELECT COUNT(*) FROM restore_mounts) AS m, (SELECT COUNT(*) FROM restore_steps) AS s`,
    );
  const before = await count();
  await database.pool.query('DELETE FROM schema_migrations WHERE version = 2');
  expect(await migrate(database)).toEqual(['0002_legacy_rows']);
  expect(await count()).toEqual(before);
});
