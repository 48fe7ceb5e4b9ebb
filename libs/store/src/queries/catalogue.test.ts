import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { insertPgtest1, pgtest1, pgtest1Path } from '../testing/pgtest1.ts';
import { openTestDatabase, type TestDatabase } from '../testing/testDatabase.ts';
import { getBackup, getDisk, listBackups, listDisks } from './backups.ts';
import { chainOf } from './chains.ts';
import { readRestorePoint, restorePoint } from './restorePoints.ts';
import { getVmSpec, putVmSpec, readPointFacts, writePointFacts } from './vmSpecs.ts';
import { samplePlan } from '../testing/sampleJob.ts';

let db: TestDatabase;
const run = async (statement: string): Promise<unknown> => db.database.pool.query(statement);

beforeAll(async () => {
  db = await openTestDatabase();
});

beforeEach(async () => {
  await run('DELETE FROM vm_backup_contexts');
  await run('DELETE FROM backup_jobs');
  await run('DELETE FROM backup_repositories');
  await insertPgtest1(db.database);
});

afterAll(async () => {
  await db.close();
});

async function countOf(filter: Parameters<typeof listBackups>[1]): Promise<number> {
  return (await listBackups(db.database, filter)).length;
}

describe('backups', () => {
  test('are listed newest first with their disks in order', async () => {
    const backups = await listBackups(db.database, { vmName: 'pgtest1', status: 'completed' });
    expect(backups.map((backup) => backup.id)).toEqual([
      ...pgtest1.incrementalIds.toReversed(),
      pgtest1.fullId,
    ]);
    expect(backups.at(-1)).toMatchObject({
      backupType: 'full',
      status: 'completed',
      contextId: pgtest1.contextId,
      repositoryId: 'repo-1',
      createdAt: new Date('2025-10-08T19:24:31Z'),
      sourcePlatform: 'unknown',
      hasVmSpec: false,
    });
    expect(backups.at(-1)?.disks).toMatchObject([
      { diskIndex: 0, vmwareDiskKey: 2000, sizeGb: 102, qcow2Path: pgtest1Path(0, '20251008-192431') },
      { diskIndex: 1, vmwareDiskKey: 2001, sizeGb: 5, qcow2Path: pgtest1Path(1, '20251008-192431') },
    ]);
  });

  test('are filtered by name, status, repository and number', async () => {
    await run("UPDATE backup_jobs SET status = 'failed' WHERE backup_type = 'full'");
    expect(await countOf({})).toBe(4);
    expect(await countOf({ status: 'failed' })).toBe(1);
    expect(await countOf({ vmName: 'PGTEST1' })).toBe(0);
    expect(await countOf({ repositoryId: 'repo-2' })).toBe(0);
    expect(await countOf({ limit: 2 })).toBe(2);
  });

  test('one that is not there is unknown, by every way to ask for it', async () => {
    for (const ask of [getBackup, listDisks, readRestorePoint, restorePoint]) {
      await expect(ask(db.database, 'nope')).rejects.toMatchObject({
        code: 'CATALOG_BACKUP_UNKNOWN',
        details: { backupId: 'nope' },
      });
    }
  });

  test('a single disk is found by its index, and why not is told', async () => {
    await expect(getDisk(db.database, pgtest1.fullId, 1)).resolves.toMatchObject({ sizeGb: 5 });
    await expect(getDisk(db.database, pgtest1.fullId, 7)).rejects.toMatchObject({
      code: 'CATALOG_DISK_UNKNOWN',
      details: { diskIndexes: ['0', '1'] },
    });
    await run("UPDATE backup_disks SET status = 'failed' WHERE disk_index = 1");
    await expect(getDisk(db.database, pgtest1.fullId, 1)).rejects.toMatchObject({
      code: 'CATALOG_DISK_NOT_COMPLETED',
    });
    await run("UPDATE backup_jobs SET status = 'running'");
    await expect(getDisk(db.database, pgtest1.fullId, 0)).rejects.toMatchObject({
      code: 'CATALOG_BACKUP_NOT_COMPLETED',
    });
  });
});

describe('chains', () => {
  test('are the full with its incrementals and their sizes', async () => {
    const chain = await chainOf(db.database, { vmName: 'pgtest1' });
    expect(chain).toMatchObject({
      chainId: 'chain-ctx-backup-pgtest1-20251006-203401-disk0',
      contextId: pgtest1.contextId,
      diskIndex: 0,
    });
    expect(chain.images.map((image) => image.sizeBytes)).toEqual([
      19_643_564_032, 60_555_264, 31_129_600, 34_734_080,
    ]);
    expect(chain.images.map((image) => image.backupType)).toEqual([
      'full',
      'incremental',
      'incremental',
      'incremental',
    ]);
    expect(chain.images.reduce((sum, image) => sum + image.sizeBytes, 0)).toBe(19_769_982_976);
  });

  test('begin anew with each full; a backup names its own', async () => {
    const [first, second, third] = pgtest1.incrementalIds;
    await run(`UPDATE backup_jobs SET backup_type = 'full' WHERE id = '${second}'`);
    const newest = await chainOf(db.database, { vmName: 'pgtest1', diskIndex: 1 });
    expect(newest.images.map((image) => image.backupId)).toEqual([second, third]);
    const older = await chainOf(db.database, { backupId: first ?? '' });
    expect(older.images.map((image) => image.backupId)).toEqual([pgtest1.fullId, first]);
  });

  test('hold only what is completed, and may be empty', async () => {
    await run(`UPDATE backup_disks SET status = 'failed' WHERE disk_index = 0`);
    expect((await chainOf(db.database, { vmName: 'pgtest1' })).images).toEqual([]);
    expect((await chainOf(db.database, { vmName: 'pgtest1', diskIndex: 1 })).images).toHaveLength(4);
  });

  test('a disk that the VM does not have is told with those it has', async () => {
    await expect(chainOf(db.database, { vmName: 'pgtest1', diskIndex: 2 })).rejects.toMatchObject({
      code: 'CATALOG_DISK_UNKNOWN',
      details: { diskIndexes: ['0', '1'] },
    });
  });

  test('a VM name in two repositories needs a choice', async () => {
    await run("INSERT INTO backup_repositories (id, name) VALUES ('repo-2', 'Second')");
    await run(
      "INSERT INTO vm_backup_contexts (context_id, vm_name, repository_id) VALUES ('ctx-2', 'pgtest1', 'repo-2')",
    );
    await expect(chainOf(db.database, { vmName: 'pgtest1' })).rejects.toMatchObject({
      code: 'CATALOG_VM_AMBIGUOUS',
      details: {
        repositoryIds: ['repo-1', 'repo-2'],
        candidates: [`repo-1: ${pgtest1.contextId}`, 'repo-2: ctx-2'],
      },
    });
    const chosen = await chainOf(db.database, { vmName: 'pgtest1', repositoryId: 'repo-2' });
    expect(chosen).toMatchObject({ contextId: 'ctx-2', images: [], chainId: 'chain-ctx-2-disk0' });
    const named = await chainOf(db.database, { vmName: 'pgtest1', backupId: pgtest1.fullId });
    expect(named.contextId).toBe(pgtest1.contextId);
  });

  test.each([
    [{}, 'INPUT_INVALID'],
    [{ vmName: 'nobody' }, 'CATALOG_VM_UNKNOWN'],
    [{ vmName: 'pgtest1', repositoryId: 'repo-9' }, 'CATALOG_VM_UNKNOWN'],
    [{ backupId: 'nope' }, 'CATALOG_BACKUP_UNKNOWN'],
    [{ vmName: 'other', backupId: pgtest1.fullId }, 'CATALOG_BACKUP_UNKNOWN'],
    [{ repositoryId: 'repo-9', backupId: pgtest1.fullId }, 'CATALOG_BACKUP_UNKNOWN'],
  ])('%j is refused as %s', async (params, code) => {
    await expect(chainOf(db.database, params)).rejects.toMatchObject({ code });
  });

  test('a backup that did not complete has no chain', async () => {
    await run("UPDATE backup_jobs SET status = 'running'");
    await expect(chainOf(db.database, { backupId: pgtest1.fullId })).rejects.toMatchObject({
      code: 'CATALOG_BACKUP_NOT_COMPLETED',
    });
  });
});

describe('restore points', () => {
  test('are the backup in the words of a plan', async () => {
    expect(await restorePoint(db.database, pgtest1.fullId)).toEqual({
      backupId: pgtest1.fullId,
      contextId: pgtest1.contextId,
      vmName: 'pgtest1',
      repositoryId: 'repo-1',
      backupType: 'full',
      status: 'completed',
      sourcePlatform: 'unknown',
      createdAt: '2025-10-08T19:24:31Z',
      disks: [0, 1].map((diskIndex) => ({
        diskIndex,
        vmwareDiskKey: 2000 + diskIndex,
        sizeGb: diskIndex === 0 ? 102 : 5,
        path: pgtest1Path(diskIndex, '20251008-192431'),
        format: 'qcow2',
        status: 'completed',
      })),
    });
  });

  const obstacles: readonly (readonly [string, string])[] = [
    ["UPDATE backup_jobs SET status = 'failed'", 'CATALOG_BACKUP_NOT_COMPLETED'],
    ["UPDATE backup_jobs SET backup_type = 'differential'", 'CATALOG_BACKUP_DIFFERENTIAL'],
    ["UPDATE backup_disks SET status = 'running' WHERE disk_index = 1", 'CATALOG_DISK_NOT_COMPLETED'],
    ['DELETE FROM backup_disks WHERE disk_index = 0', 'CATALOG_DISK_GAP'],
    ['UPDATE backup_disks SET disk_index = 5 WHERE disk_index = 1', 'CATALOG_DISK_GAP'],
    ['DELETE FROM backup_disks', 'CATALOG_DISKS_MISSING'],
    ['UPDATE backup_disks SET qcow2_path = NULL', 'CATALOG_DISKS_MISSING'],
    ['DELETE FROM backup_chains', 'none'],
  ];

  test.each(obstacles)('after %s: %s', async (statement, code) => {
    await run(statement);
    const outcome = await restorePoint(db.database, pgtest1.fullId).then(
      () => 'none',
      (error: { code: string }) => error.code,
    );
    expect(outcome).toBe(code);
  });

  test('one in no repository is refused', async () => {
    await run('UPDATE backup_jobs SET repository_id = NULL');
    await expect(restorePoint(db.database, pgtest1.fullId)).resolves.toMatchObject({
      repositoryId: 'repo-1',
    });
    await run('UPDATE vm_backup_contexts SET repository_id = NULL');
    await expect(restorePoint(db.database, pgtest1.fullId)).rejects.toMatchObject({
      code: 'CATALOG_REPOSITORY_UNKNOWN',
    });
  });

  test('obstacles can be left to the planner', async () => {
    await run("UPDATE backup_jobs SET backup_type = 'differential', status = 'failed'");
    await expect(readRestorePoint(db.database, pgtest1.fullId)).resolves.toMatchObject({
      backupType: 'differential',
      status: 'failed',
    });
  });
});

describe('what is known of a VM', () => {
  const { vm: spec } = samplePlan('p', pgtest1.fullId);
  const put = (provenance: 'operator' | 'sidecar', name: string): Promise<boolean> =>
    putVmSpec(db.database, {
      backupId: pgtest1.fullId,
      spec: { ...spec, name },
      sourcePlatform: 'aws',
      provenance,
      nowMs: 1,
    });

  test('is stored, replaced by a better source and kept from a worse one', async () => {
    expect(await getVmSpec(db.database, pgtest1.fullId)).toBeNull();
    expect(await put('sidecar', 'one')).toBe(true);
    expect(await put('operator', 'two')).toBe(true);
    expect(await put('sidecar', 'three')).toBe(false);
    expect(await getVmSpec(db.database, pgtest1.fullId)).toEqual({
      backupId: pgtest1.fullId,
      spec: { ...spec, name: 'two' },
      sourcePlatform: 'aws',
      provenance: 'operator',
    });
    await expect(getBackup(db.database, pgtest1.fullId)).resolves.toMatchObject({
      hasVmSpec: true,
      sourcePlatform: 'aws',
    });
  });

  test('of a backup that is not there is refused', async () => {
    await run('DELETE FROM backup_jobs');
    await expect(put('operator', 'x')).rejects.toMatchObject({ code: 'CATALOG_BACKUP_UNKNOWN' });
  });

  test('facts of an analysis are cached, replaced, and go with the backup', async () => {
    const facts = {
      backupId: pgtest1.fullId,
      fingerprint: 'abc',
      disks: [],
      guest: {
        family: 'unknown' as const,
        distribution: null,
        version: null,
        arch: null,
        hostname: null,
        root: null,
        firmware: 'unknown' as const,
        initramfsTool: 'none' as const,
        kernels: [],
        nics: [],
        remarks: ['größer 💾'],
      },
      analyzedAt: '2026-11-21T06:00:00.123Z',
    };
    expect(await readPointFacts(db.database, pgtest1.fullId)).toBeNull();
    await writePointFacts(db.database, facts, 'edge');
    await writePointFacts(db.database, { ...facts, fingerprint: 'def' }, 'edge');
    expect(await readPointFacts(db.database, pgtest1.fullId)).toEqual({ ...facts, fingerprint: 'def' });
    await run('DELETE FROM backup_jobs');
    expect(await readPointFacts(db.database, pgtest1.fullId)).toBeNull();
    await expect(writePointFacts(db.database, facts, 'edge')).rejects.toMatchObject({
      code: 'CATALOG_BACKUP_UNKNOWN',
    });
  });
});
