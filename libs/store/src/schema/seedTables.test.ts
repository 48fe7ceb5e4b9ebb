import type { RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeSchema, type TableDescription } from '../testing/describeSchema.ts';
import { openTestDatabase, type TestDatabase } from '../testing/testDatabase.ts';

/** A table as the catalogue documents define it: what must be there by name, type, key and cascade. */
interface SeedTable {
  readonly name: string;
  readonly primaryKey: string;
  readonly columns: Readonly<Record<string, string>>;
  /** Values that the design adds to an enum. */
  readonly extended?: Readonly<Record<string, readonly string[]>>;
  readonly unique?: readonly (readonly string[])[];
  readonly indexes?: Readonly<Record<string, readonly string[]>>;
  readonly cascades?: Readonly<Record<string, string>>;
  readonly references?: Readonly<Record<string, string>>;
  readonly defaults?: Readonly<Record<string, string>>;
  readonly notNull?: readonly string[];
}

const platforms = "enum('vmware','cloudstack','hyperv','aws','azure','nutanix')";
const moreStatuses = ['cancelled', 'rolled_back', 'paused', 'awaiting_approval'];

const seedTables: readonly SeedTable[] = [
  {
    name: 'vm_backup_contexts',
    primaryKey: 'context_id',
    columns: {
      context_id: 'varchar(64)',
      vm_name: 'varchar(255)',
      vmware_vm_id: 'varchar(255)',
      vm_path: 'varchar(500)',
      vcenter_host: 'varchar(255)',
      datacenter: 'varchar(255)',
      repository_id: 'varchar(64)',
      total_backups_run: 'int',
      successful_backups: 'int',
      last_backup_id: 'varchar(64)',
      last_backup_type: "enum('full','incremental')",
      last_backup_at: 'timestamp',
    },
    unique: [['vm_name', 'repository_id']],
    references: { repository_id: 'backup_repositories.id' },
  },
  {
    name: 'backup_jobs',
    primaryKey: 'id',
    columns: {
      id: 'varchar(64)',
      vm_backup_context_id: 'varchar(64)',
      vm_name: 'varchar(255)',
      backup_type: "enum('full','incremental','differential')",
      status: "enum('pending','running','completed','failed','cancelled')",
      repository_id: 'varchar(64)',
      repository_path: 'varchar(512)',
      disk_id: 'int',
      change_id: 'varchar(255)',
      created_at: 'timestamp',
      completed_at: 'timestamp',
    },
    cascades: { vm_backup_context_id: 'vm_backup_contexts.context_id' },
  },
  {
    name: 'backup_disks',
    primaryKey: 'id',
    columns: {
      id: 'bigint',
      vm_backup_context_id: 'varchar(64)',
      backup_job_id: 'varchar(64)',
      disk_index: 'int',
      vmware_disk_key: 'int',
      size_gb: 'bigint',
      unit_number: 'int',
      disk_change_id: 'varchar(255)',
      qcow2_path: 'varchar(512)',
      bytes_transferred: 'bigint',
      status: "enum('pending','running','completed','failed')",
      error_message: 'text',
      completed_at: 'timestamp',
      source_format: "enum('qcow2','vhd','vhdx','vmdk','raw','ebs-snapshot')",
      source_ref: 'varchar(512)',
    },
    unique: [['backup_job_id', 'disk_index']],
    indexes: { idx_change_id_lookup: ['vm_backup_context_id', 'disk_index', 'status'] },
    cascades: {
      vm_backup_context_id: 'vm_backup_contexts.context_id',
      backup_job_id: 'backup_jobs.id',
    },
    defaults: { source_format: 'qcow2' },
  },
  {
    name: 'backup_chains',
    primaryKey: 'id',
    columns: {
      id: 'varchar(64)',
      vm_context_id: 'varchar(64)',
      disk_id: 'int',
      full_backup_id: 'varchar(64)',
      latest_backup_id: 'varchar(64)',
      total_backups: 'int',
      total_size_bytes: 'bigint',
    },
    unique: [['vm_context_id', 'disk_id']],
    cascades: { vm_context_id: 'vm_backup_contexts.context_id' },
  },
  {
    name: 'restore_jobs',
    primaryKey: 'id',
    columns: {
      id: 'varchar(64)',
      backup_job_id: 'varchar(64)',
      source_platform: platforms,
      target_platform: platforms,
      restore_type: "enum('full_vm','file_level')",
      status: "enum('pending','converting','uploading','creating','completed','failed')",
      target_config: 'json',
      progress_percent: 'decimal(5,2)',
      estimated_completion: 'timestamp',
      error_message: 'text',
      target_vm_id: 'varchar(255)',
      target_vm_name: 'varchar(255)',
      created_at: 'timestamp',
      started_at: 'timestamp',
      completed_at: 'timestamp',
    },
    extended: {
      source_platform: ['kvm', 'unknown'],
      target_platform: ['kvm'],
      status: moreStatuses,
    },
    indexes: { idx_status: ['status'], idx_created: ['created_at'] },
    cascades: { backup_job_id: 'backup_jobs.id' },
    defaults: { progress_percent: '0.00', created_at: 'CURRENT_TIMESTAMP' },
    notNull: [
      'backup_job_id',
      'source_platform',
      'target_platform',
      'restore_type',
      'status',
      'target_config',
    ],
  },
  {
    name: 'restore_steps',
    primaryKey: 'id',
    columns: {
      id: 'varchar(64)',
      restore_job_id: 'varchar(64)',
      step_name: 'varchar(255)',
      step_order: 'int',
      status: "enum('pending','running','completed','failed')",
      started_at: 'timestamp',
      completed_at: 'timestamp',
      error_message: 'text',
      metadata: 'json',
    },
    extended: { status: moreStatuses },
    indexes: { idx_restore_job: ['restore_job_id'], idx_order: ['restore_job_id', 'step_order'] },
    cascades: { restore_job_id: 'restore_jobs.id' },
    notNull: ['restore_job_id', 'step_name', 'step_order', 'status'],
  },
  {
    name: 'restore_mounts',
    primaryKey: 'id',
    columns: {
      id: 'varchar(64)',
      backup_disk_id: 'bigint',
      disk_index: 'int',
      nbd_device: 'varchar(255)',
      expires_at: 'timestamp',
    },
    unique: [['backup_disk_id']],
    indexes: { uk_backup_disk: ['backup_disk_id'] },
    cascades: { backup_disk_id: 'backup_disks.id' },
    defaults: { disk_index: '0' },
    notNull: ['backup_disk_id', 'disk_index'],
  },
];

let db: TestDatabase;
let tables: ReadonlyMap<string, TableDescription>;

beforeAll(async () => {
  db = await openTestDatabase();
  tables = new Map((await describeSchema(db.database)).map((table) => [table.name, table]));
});

afterAll(async () => {
  await db.close();
});

/** `enum('a','b')` as its values. */
function enumValues(type: string): readonly string[] | null {
  const list = /^enum\((.*)\)$/.exec(type)?.[1];
  return list === undefined ? null : list.split(',').map((value) => value.replaceAll("'", ''));
}

/** Found column types, an enum cut to the values that the documents list: more may follow, none may move. */
function foundTypes(seed: SeedTable): Readonly<Record<string, string>> {
  const found = tables.get(seed.name)?.columns ?? [];
  return Object.fromEntries(
    Object.entries(seed.columns).map(([name, type]) => {
      const foundType = found.find((column) => column.name === name)?.type ?? 'missing';
      const values = enumValues(foundType)?.slice(0, enumValues(type)?.length ?? 0);
      return [name, values === undefined ? foundType : `enum(${values.map((one) => `'${one}'`).join(',')})`];
    }),
  );
}

test.each(seedTables)('$name has every column of the catalogue documents with its type', (seed) => {
  expect(foundTypes(seed)).toEqual(seed.columns);
});

test.each(seedTables)('$name has the enums extended as the design says', (seed) => {
  for (const [name, values] of Object.entries(seed.extended ?? {})) {
    const column = tables.get(seed.name)?.columns.find((one) => one.name === name);
    expect(enumValues(column?.type ?? '')).toEqual(expect.arrayContaining([...values]));
  }
});

test.each(seedTables)('$name has every key and index of the catalogue documents', (seed) => {
  const indexes = tables.get(seed.name)?.indexes ?? [];
  expect(indexes).toContainEqual({ name: 'PRIMARY', unique: true, columns: [seed.primaryKey] });
  for (const columns of seed.unique ?? []) {
    expect(indexes).toContainEqual(expect.objectContaining({ unique: true, columns }));
  }
  for (const [name, columns] of Object.entries(seed.indexes ?? {})) {
    expect(indexes).toContainEqual(expect.objectContaining({ name, columns }));
  }
});

test.each(seedTables)('$name has every reference and cascade of the catalogue documents', (seed) => {
  const keys = tables.get(seed.name)?.foreignKeys ?? [];
  for (const [column, references] of Object.entries(seed.cascades ?? {})) {
    expect(keys).toContainEqual(expect.objectContaining({ column, references, onDelete: 'CASCADE' }));
  }
  for (const [column, references] of Object.entries(seed.references ?? {})) {
    expect(keys).toContainEqual(expect.objectContaining({ column, references }));
  }
});

test.each(seedTables)('$name has the defaults and NOT NULLs of the catalogue documents', (seed) => {
  const columns = new Map(tables.get(seed.name)?.columns.map((column) => [column.name, column]));
  for (const [name, fallback] of Object.entries(seed.defaults ?? {})) {
    expect(columns.get(name)?.default).toBe(fallback);
  }
  for (const name of seed.notNull ?? []) expect(columns.get(name)?.nullable).toBe(false);
});

test('deleting a VM takes its backups, disks, mounts and restores along, and nothing else', async () => {
  const { pool } = db.database;
  await pool.query("INSERT INTO vm_backup_contexts (context_id, vm_name) VALUES ('c', 'vm'), ('d', 'other')");
  await pool.query(
    "INSERT INTO backup_jobs (id, vm_backup_context_id, vm_name) VALUES ('b', 'c', 'vm'), ('x', 'd', 'other')",
  );
  await pool.query(
    "INSERT INTO backup_disks (id, vm_backup_context_id, backup_job_id) VALUES (1, 'c', 'b'), (2, 'd', 'x')",
  );
  await pool.query("INSERT INTO restore_mounts (id, backup_disk_id) VALUES ('m', 1), ('n', 2)");
  await pool.query("INSERT INTO backup_chains (id, vm_context_id) VALUES ('h', 'c'), ('i', 'd')");
  await pool.query(
    `INSERT INTO restore_jobs (id, backup_job_id, source_platform, target_platform, restore_type, status, target_config)
     VALUES ('r', 'b', 'unknown', 'kvm', 'full_vm', 'pending', '{}'), ('s', 'x', 'vmware', 'aws', 'full_vm', 'pending', '{}')`,
  );
  await pool.query(
    `INSERT INTO restore_steps (id, restore_job_id, step_name, step_order, status, step_key, kind)
     VALUES ('t', 'r', 'one', 1, 'pending', 'k', 'k'), ('u', 's', 'one', 1, 'pending', 'k', 'k')`,
  );
  await expect(
    pool.query("INSERT INTO restore_mounts (id, backup_disk_id) VALUES ('o', 1)"),
  ).rejects.toMatchObject({ code: 'ER_DUP_ENTRY' });
  await pool.query("DELETE FROM vm_backup_contexts WHERE context_id = 'c'");
  const left = await Promise.all(
    ['backup_jobs', 'backup_disks', 'restore_mounts', 'backup_chains', 'restore_jobs', 'restore_steps'].map(
      async (table) => {
        const [rows] = await pool.query<RowDataPacket[]>(`SELECT id FROM ${table}`);
        return rows.map((row) => String(row['id'])).join(',');
      },
    ),
  );
  expect(left).toEqual(['x', '2', 'n', 'i', 's', 'u']);
});
