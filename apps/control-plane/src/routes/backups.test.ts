import { backupDisksSchema, backupListSchema, backupSchema, chainSchema } from '@ascend/protocol';
import { createDatabase, migrate } from '@ascend/store';
import { insertPgtest1, pgtest1 } from '@ascend/store/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { vmSpec } from '../testing/plans.ts';
import { codeOf, startTestPlane, type TestPlane, type TestReplica } from '../testing/testPlane.ts';

let plane: TestPlane;
let api: TestReplica;

beforeAll(async () => {
  plane = await startTestPlane();
  await insertPgtest1(plane.db);
  api = await plane.replica();
});
afterAll(() => plane.close());

const folder = '/mnt/sendense-backups/ctx-pgtest1-20251006-203401';

test('lists the restore points of a VM as existing callers know them', async () => {
  const answer = await api.call('GET', '/backups?vm_name=pgtest1&status=completed');
  expect(answer.status).toBe(200);
  const { backups } = backupListSchema.parse(answer.json);
  expect(backups).toHaveLength(4);
  expect(JSON.stringify(backups.at(-1))).toBe(
    JSON.stringify({
      backup_id: 'backup-pgtest1-1759947871',
      vm_name: 'pgtest1',
      backup_type: 'full',
      status: 'completed',
      created_at: '2025-10-08T19:24:31Z',
      disk_results: [
        { disk_id: 0, qcow2_path: `${folder}/disk-0/backup-pgtest1-disk0-20251008-192431.qcow2` },
        { disk_id: 1, qcow2_path: `${folder}/disk-1/backup-pgtest1-disk1-20251008-192431.qcow2` },
      ],
    }),
  );
  expect(backupListSchema.parse((await api.call('GET', '/backups?vm_name=other')).json).backups).toEqual([]);
  expect(backupListSchema.parse((await api.call('GET', '/backups?limit=2')).json).backups).toHaveLength(2);
});

test('shows the chain of a disk with sizes and sums', async () => {
  const answer = await api.call('GET', '/backups/chain?vm_name=pgtest1');
  expect(chainSchema.parse(answer.json)).toEqual({
    chain_id: `chain-${pgtest1.contextId}-disk0`,
    full_backup_id: 'backup-pgtest1-disk0-20251008-192431',
    backups: [
      {
        id: 'backup-pgtest1-disk0-20251008-192431',
        type: 'full',
        size_bytes: 19_643_564_032,
        backup_id: pgtest1.fullId,
      },
      ...[
        ['200751', 60_555_264],
        ['201358', 31_129_600],
        ['201743', 34_734_080],
      ].map(([time, size], index) => ({
        id: `backup-pgtest1-disk0-20251008-${time}`,
        type: 'incremental',
        size_bytes: size,
        backup_id: pgtest1.incrementalIds[index],
      })),
    ],
    total_backups: 4,
    total_size_bytes: 19_769_982_976,
  });
  const byBackup = await api.call('GET', `/backups/chain?backup_id=${pgtest1.fullId}&disk_index=1`);
  expect(chainSchema.parse(byBackup.json).full_backup_id).toBe('backup-pgtest1-disk1-20251008-192431');
});

test('shows one restore point and its disks', async () => {
  const disks = await api.call('GET', `/backups/${pgtest1.fullId}/disks`);
  expect(JSON.stringify(disks.json)).toBe(
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
  expect(backupDisksSchema.parse(disks.json).disks).toHaveLength(2);
  const backup = backupSchema.parse((await api.call('GET', `/backups/${pgtest1.fullId}`)).json);
  expect(backup).toEqual({
    backup_id: 'backup-pgtest1-1759947871',
    context_id: 'ctx-backup-pgtest1-20251006-203401',
    vm_name: 'pgtest1',
    repository_id: 'repo-1',
    backup_type: 'full',
    status: 'completed',
    created_at: '2025-10-08T19:24:31Z',
    completed_at: '2025-10-08T19:24:31Z',
    error_message: null,
    source_platform: 'unknown',
    has_vm_spec: false,
    disks: backupDisksSchema
      .parse(disks.json)
      .disks.map((disk) => Object.assign({ source_format: 'qcow2' }, disk)),
  });
});

test.each([
  ['GET', '/backups/nope', 404, 'CATALOG_BACKUP_UNKNOWN'],
  ['GET', '/backups/nope/disks', 404, 'CATALOG_BACKUP_UNKNOWN'],
  ['GET', '/backups/nope/spec', 404, 'CATALOG_BACKUP_UNKNOWN'],
  ['GET', '/backups/chain', 422, 'INPUT_INVALID'],
  ['GET', '/backups/chain?vm_name=nobody', 404, 'CATALOG_VM_UNKNOWN'],
  ['GET', '/backups/chain?vm_name=pgtest1&disk_index=7', 404, 'CATALOG_DISK_UNKNOWN'],
  ['GET', '/backups/chain?vm_name=pgtest1&disk_index=-1', 422, 'API_INPUT_INVALID'],
  ['GET', '/backups/chain?vm_name=pgtest1&disk_index=first', 422, 'API_INPUT_INVALID'],
  ['GET', '/backups?status=finished', 422, 'API_INPUT_INVALID'],
  ['GET', '/backups?limit=0', 422, 'API_INPUT_INVALID'],
  ['POST', '/backups', 405, 'API_METHOD_UNSUPPORTED'],
])('%s %s is answered with %i %s', async (method, path, status, code) => {
  const answer = await api.call(method, path);
  expect(answer.status).toBe(status);
  expect(codeOf(answer)).toBe(code);
});

test('a VM of one name in two repositories needs to be told apart', async () => {
  const body = { id: 'repo-2', name: 'Second' };
  expect((await api.call('POST', '/repositories', body)).status).toBe(201);
  await plane.db.pool.query(
    "INSERT INTO vm_backup_contexts (context_id, vm_name, repository_id) VALUES ('ctx-2', 'pgtest1', 'repo-2')",
  );
  const answer = await api.call('GET', '/backups/chain?vm_name=pgtest1');
  expect(codeOf(answer)).toBe('CATALOG_VM_AMBIGUOUS');
  expect(answer).toMatchObject({
    status: 409,
    json: { evidence: { repositoryIds: ['repo-1', 'repo-2'] } },
  });
  const one = await api.call('GET', '/backups/chain?vm_name=pgtest1&repository_id=repo-1');
  expect(one.status).toBe(200);
});

test('another catalogue is taken over, again without change, and without what was deleted there', async () => {
  const url = await plane.newDatabase();
  const source = createDatabase({ url });
  await migrate(source);
  await insertPgtest1(source);
  const target = await startTestPlane();
  try {
    const other = await target.replica({ environment: { THEIR_CATALOGUE: url } });
    const body = { source: 'env:THEIR_CATALOGUE', repositories: { 'repo-1': 'vault' } };
    await other.call('POST', '/repositories', { id: 'vault', name: 'Vault' });
    const first = await other.call('POST', '/catalog/sync', body);
    expect(first).toMatchObject({ status: 200, json: { contexts: 1, backups: 4, disks: 8, removed: 0 } });
    const list = backupListSchema.parse((await other.call('GET', '/backups?vm_name=pgtest1')).json);
    expect(list.backups).toHaveLength(4);
    const again = await other.call('POST', '/catalog/sync', body);
    expect(again).toMatchObject({ json: { backups: 0, removed: 0 } });
    await source.pool.query('DELETE FROM backup_jobs WHERE id = ?', [pgtest1.incrementalIds[2]]);
    expect(await other.call('POST', '/catalog/sync', body)).toMatchObject({ json: { removed: 1 } });
    const lied = await other.call('POST', '/catalog/sync', { source: 'file:/etc/hostname' });
    expect(codeOf(lied)).toMatch(/^(CATALOG_SOURCE_UNREADABLE|STORE_UNAVAILABLE)$/);
  } finally {
    await source.close();
    await target.close();
  }
});

test("the operator's VM specification is stored and comes back; a typo in it is refused", async () => {
  const { name, firmware, tpm, disks, nics, notes, tags } = vmSpec;
  const spec = {
    name,
    cpu_count: 2,
    cores_per_socket: null,
    memory_bytes: 2 ** 30,
    firmware,
    secure_boot: false,
    tpm,
    disks: disks.map((disk) => ({
      disk_index: disk.diskIndex,
      size_bytes: disk.sizeBytes,
      bus: null,
      boot_order: null,
      vmware_disk_key: disk.vmwareDiskKey,
    })),
    nics: nics.map((nic) => ({ nic_index: 0, mac: nic.mac, network: null, model: null, addresses: [] })),
    os_id: null,
    notes,
    tags,
  };
  const path = `/backups/${pgtest1.fullId}/spec`;
  expect(codeOf(await api.call('GET', path))).toBe('API_SPEC_MISSING');
  expect((await api.call('PUT', path, spec, 'viewer')).status).toBe(403);
  const put = await api.call('PUT', path, spec, 'operator');
  expect(put).toMatchObject({ status: 200, json: { provenance: 'operator', spec } });
  expect((await api.call('GET', path)).json).toEqual(put.json);
  const typo = await api.call('PUT', path, { ...spec, memory_byte: 1 });
  expect(codeOf(typo)).toBe('API_INPUT_INVALID');
  const upper = { ...spec, nics: [{ ...spec.nics[0], mac: '00:50:56:AA:BB:01' }] };
  expect(codeOf(await api.call('PUT', path, upper))).toBe('API_INPUT_INVALID');
});
