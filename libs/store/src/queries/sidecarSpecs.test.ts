import type { ScannedBackup, ScannedRepository, VmSpec } from '@ascend/domain';
import type { RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { insertPgtest1, pgtest1 } from '../testing/pgtest1.ts';
import { samplePlan } from '../testing/sampleJob.ts';
import { openTestDatabase, type TestDatabase } from '../testing/testDatabase.ts';
import { getBackup } from './backups.ts';
import { upsertScanned } from './scanned.ts';
import { getVmSpec, putVmSpec, type SpecProvenance } from './vmSpecs.ts';

let db: TestDatabase;
const { vm } = samplePlan('p', 'b');
const relFolder = pgtest1.folder.split('/').at(-1) ?? '';

beforeAll(async () => {
  db = await openTestDatabase();
});

beforeEach(async () => {
  for (const table of ['vm_backup_contexts', 'backup_jobs', 'backup_repositories']) {
    await db.database.pool.query(`DELETE FROM ${table}`);
  }
  await insertPgtest1(db.database);
});

afterAll(async () => {
  await db.close();
});

function backup(backupId: string, stamp: string): ScannedBackup {
  const image = {
    relPath: `${relFolder}/disk-0/backup-pgtest1-disk0-${stamp}.qcow2`,
    format: 'qcow2' as const,
    fileSizeBytes: 1,
    mtimeMs: 0,
    virtualSizeBytes: 1024 ** 3,
    backingRelPath: null,
  };
  return {
    backupId,
    backupType: 'full',
    createdAt: '2025-10-08T19:24:31.000Z',
    disks: [{ diskIndex: 0, image }],
  };
}

/** A scan that finds the sample VM's full, which the database tells, and one backup more. */
function scanOf(vmSpec: VmSpec | null): ScannedRepository {
  const backups = [backup('told-already', '20251008-192431'), backup('new-one', '20260101-000000')];
  const context = { contextId: 'ctx-scan', vmName: pgtest1.vmName, backups, sidecars: [], vmSpec };
  return { contexts: [context], skipped: [] };
}

async function scan(vmSpec: VmSpec | null): Promise<void> {
  await upsertScanned(db.database, { scan: scanOf(vmSpec), repositoryId: pgtest1.repositoryId });
}

async function storedSpecs(): Promise<unknown> {
  const [rows] = await db.database.pool.query<RowDataPacket[]>(
    'SELECT backup_id, provenance, source_platform, updated_at FROM backup_vm_specs ORDER BY backup_id',
  );
  return rows;
}

test('a sidecar describes every backup of its folder: scanned ones and those that a database told', async () => {
  await scan({ ...vm, name: 'from-sidecar' });
  for (const id of [pgtest1.fullId, 'new-one']) {
    expect(await getVmSpec(db.database, id)).toMatchObject({
      spec: { ...vm, name: 'from-sidecar' },
      provenance: 'sidecar',
      sourcePlatform: 'unknown',
    });
  }
  // The increments are not in this folder.
  expect(await getVmSpec(db.database, pgtest1.incrementalIds[0] ?? '')).toBeNull();
  expect(await getBackup(db.database, 'new-one')).toMatchObject({ hasVmSpec: true });
});

test('the same sidecar again writes nothing, a later one replaces it, a lost one is remembered', async () => {
  await scan(vm);
  const before = await storedSpecs();
  await scan(structuredClone(vm));
  expect(await storedSpecs()).toEqual(before);
  await scan({ ...vm, name: 'later' });
  expect((await getVmSpec(db.database, 'new-one'))?.spec.name).toBe('later');
  await scan(null);
  expect((await getVmSpec(db.database, 'new-one'))?.spec.name).toBe('later');
});

test.each<[SpecProvenance, string]>([
  ['operator', 'told'],
  ['api', 'told'],
  ['sidecar', 'scanned'],
  ['guest-probe', 'scanned'],
])('over a specification that %s told, the VM is the %s one', async (provenance, name) => {
  await putVmSpec(db.database, {
    backupId: pgtest1.fullId,
    spec: { ...vm, name: 'told' },
    sourcePlatform: 'aws',
    provenance,
    nowMs: 1,
  });
  await scan({ ...vm, name: 'scanned' });
  const stored = await getVmSpec(db.database, pgtest1.fullId);
  expect(stored).toMatchObject({ spec: { name }, sourcePlatform: 'aws' });
  expect(stored?.provenance).toBe(name === 'told' ? provenance : 'sidecar');
});

test('what is known of the platform of the VM is kept with the specification', async () => {
  await db.database.pool.query("UPDATE vm_backup_contexts SET source_platform = 'azure'");
  await scan(vm);
  expect(await getBackup(db.database, 'new-one')).toMatchObject({ sourcePlatform: 'azure', hasVmSpec: true });
});
