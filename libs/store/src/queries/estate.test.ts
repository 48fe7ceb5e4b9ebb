import type { HostCapabilities } from '@ascend/domain';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { transaction } from '../database.ts';
import { insertPgtest1, pgtest1 } from '../testing/pgtest1.ts';
import { jobChange, sampleJob, samplePlan } from '../testing/sampleJob.ts';
import { openTestDatabase, type TestDatabase } from '../testing/testDatabase.ts';
import {
  agentView,
  getAgent,
  listAgents,
  listSites,
  noteHeartbeat,
  putAgent,
  putSite,
  revokeAgent,
} from './agents.ts';
import { createJob } from './createJob.ts';
import { consumeEnrollmentToken, createEnrollmentToken, listEnrollmentTokens } from './enrollmentTokens.ts';
import { getPlan, prunePlans, putPlan } from './plans.ts';
import {
  getRepository,
  listRepositories,
  noteAgentRoots,
  putRepository,
  removeRepository,
} from './repositories.ts';
import {
  getTarget,
  listTargets,
  putTarget,
  readTargetFacts,
  removeTarget,
  writeTargetFacts,
} from './targets.ts';

let db: TestDatabase;
const t0 = Date.parse('2026-11-21T06:00:00Z');

beforeAll(async () => {
  db = await openTestDatabase();
});

beforeEach(async () => {
  for (const table of [
    'vm_backup_contexts',
    'backup_jobs',
    'backup_repositories',
    'agents',
    'targets',
    'enrollment_tokens',
    'sites',
  ]) {
    await db.database.pool.query(`DELETE FROM ${table}`);
  }
  await putSite(db.database, { id: 'main', name: 'Main' });
});

afterAll(async () => {
  await db.close();
});

function agent(agentId: string) {
  return { agentId, siteId: 'main', publicKey: `U-${agentId}`, publicXkey: `X-${agentId}`, version: '1' };
}

const capabilities: HostCapabilities = {
  qemuVersion: '7.2',
  qemuImgVersion: '7.2',
  storageDaemonFuse: true,
  nbdKernel: false,
  kvmWorks: false,
  libguestfsVersion: null,
  fuse2fs: true,
  bubblewrap: true,
  runsAsRoot: true,
  cpuCount: 2,
  memoryBytes: 8_000_000_000,
  scratchFreeBytes: 100_000_000_000,
};

describe('repositories', () => {
  const vault = { id: 'vault', name: 'Vault', type: 'nfs', siteId: 'main' };

  test('are made, replaced with their roots, and listed', async () => {
    const twice = ['/a', '/b'].map((rootPath) => ({ agentId: 'edge', rootPath }));
    await putRepository(db.database, { ...vault, roots: twice });
    expect((await getRepository(db.database, 'vault')).roots).toEqual(twice.slice(1));
    await putRepository(db.database, { ...vault, name: 'V2', roots: [{ agentId: 'far', rootPath: '/b' }] });
    await putRepository(db.database, { id: 'aaa', name: 'A', type: 'local', siteId: null, roots: [] });
    expect(await listRepositories(db.database)).toEqual([
      { id: 'aaa', name: 'A', type: 'local', siteId: null, roots: [] },
      { ...vault, name: 'V2', roots: [{ agentId: 'far', rootPath: '/b' }] },
    ]);
    await expect(
      putRepository(db.database, { ...vault, siteId: 'nowhere', roots: [] }),
    ).rejects.toMatchObject({
      code: 'STORE_SITE_UNKNOWN',
    });
  });

  test('learn where agents see them, and only those that exist', async () => {
    await putRepository(db.database, { ...vault, roots: [{ agentId: 'edge', rootPath: '/old' }] });
    expect(await noteAgentRoots(db.database, 'edge', { vault: '/new', ghost: '/g' })).toEqual(['ghost']);
    expect(await noteAgentRoots(db.database, 'edge', {})).toEqual([]);
    expect((await getRepository(db.database, 'vault')).roots).toEqual([
      { agentId: 'edge', rootPath: '/new' },
    ]);
  });

  test('go only when no VM is in them', async () => {
    await insertPgtest1(db.database);
    await expect(removeRepository(db.database, pgtest1.repositoryId)).rejects.toMatchObject({
      code: 'CATALOG_REPOSITORY_IN_USE',
    });
    await db.database.pool.query('DELETE FROM vm_backup_contexts');
    await removeRepository(db.database, pgtest1.repositoryId);
    await expect(removeRepository(db.database, pgtest1.repositoryId)).rejects.toMatchObject({
      code: 'CATALOG_REPOSITORY_UNKNOWN',
    });
    await expect(getRepository(db.database, pgtest1.repositoryId)).rejects.toMatchObject({
      code: 'CATALOG_REPOSITORY_UNKNOWN',
    });
  });
});

const make = () =>
  createEnrollmentToken(db.database, { siteId: 'main', createdBy: 'ops', ttlMs: 900_000, nowMs: t0 });

function enrol(token: string, agentId: string, nowMs = t0 + 1) {
  return transaction(db.database, async (tx) => {
    const siteId = await consumeEnrollmentToken(tx, { token, agentId, nowMs });
    await putAgent(tx, { ...agent(agentId), siteId }, nowMs);
    return siteId;
  });
}

describe('enrolment', () => {
  test('of many agents with one token exactly one gets in', async () => {
    const { token } = await make();
    const tries = await Promise.allSettled(
      Array.from({ length: 6 }, (_, index) => enrol(token, `a${index}`)),
    );
    expect(tries.filter((one) => one.status === 'fulfilled')).toHaveLength(1);
    for (const one of tries) {
      expect(one.status === 'rejected' ? one.reason : { code: 'STORE_ENROLLMENT_REFUSED' }).toMatchObject({
        code: 'STORE_ENROLLMENT_REFUSED',
      });
    }
    const agents = await listAgents(db.database);
    expect(agents).toHaveLength(1);
    expect(await listEnrollmentTokens(db.database)).toMatchObject([
      { siteId: 'main', createdBy: 'ops', usedByAgent: agents[0]?.agentId },
    ]);
  });

  test('with an unknown, used or expired token is refused, and a failed one leaves the token', async () => {
    const { token, expiresAt } = await make();
    await expect(enrol('enr_x', 'a')).rejects.toMatchObject({ code: 'STORE_ENROLLMENT_REFUSED' });
    await expect(enrol(token, 'a', expiresAt.getTime())).rejects.toMatchObject({
      code: 'STORE_ENROLLMENT_REFUSED',
    });
    await putAgent(db.database, { ...agent('b'), publicKey: 'U-a' }, t0);
    await expect(enrol(token, 'a')).rejects.toMatchObject({ code: 'STORE_AGENT_KEY_TAKEN' });
    expect(await enrol(token, 'c')).toBe('main');
    await expect(enrol(token, 'c')).rejects.toMatchObject({ code: 'STORE_ENROLLMENT_REFUSED' });
  });

  test('keeps no token in the database', async () => {
    const { token } = await make();
    const [rows] = await db.database.pool.query('SELECT * FROM enrollment_tokens');
    expect(JSON.stringify(rows)).not.toContain(token);
    const secret = token.split('_').at(-1) ?? '';
    expect(JSON.stringify(rows)).not.toContain(secret);
    expect(JSON.stringify(await listEnrollmentTokens(db.database))).not.toContain('256');
  });

  test('needs a site', async () => {
    const params = { siteId: 'nowhere', createdBy: 'ops', ttlMs: 1, nowMs: t0 };
    await expect(createEnrollmentToken(db.database, params)).rejects.toMatchObject({
      code: 'STORE_SITE_UNKNOWN',
    });
    await expect(putAgent(db.database, { ...agent('a'), siteId: 'nowhere' }, t0)).rejects.toMatchObject({
      code: 'STORE_SITE_UNKNOWN',
    });
    expect(await listSites(db.database)).toEqual([{ id: 'main', name: 'Main' }]);
  });
});

const beat = (nowMs: number, openOps: readonly string[] = []) =>
  noteHeartbeat(db.database, { agentId: 'edge', version: '2', capabilities, openOps, nowMs });

describe('agents', () => {
  test('are online while they are heard, never after they were revoked', async () => {
    await putAgent(db.database, agent('edge'), t0);
    const view = async (nowMs: number) => agentView(await getAgent(db.database, 'edge'), nowMs, 30_000);
    expect(await view(t0)).toMatchObject({ online: false, lastSeenAt: null });
    await beat(t0 + 1000, ['op-1']);
    expect(await view(t0 + 31_000)).toMatchObject({ online: true, version: '2', capabilities });
    expect(await view(t0 + 31_001)).toMatchObject({ online: false });
    expect(await getAgent(db.database, 'edge')).toMatchObject({ openOps: ['op-1'] });
    await revokeAgent(db.database, 'edge', t0 + 2000);
    await revokeAgent(db.database, 'edge', t0 + 9000);
    expect(await view(t0 + 2000)).toMatchObject({ online: false });
    expect((await getAgent(db.database, 'edge')).revokedAt).toEqual(new Date(t0 + 2000));
    await putAgent(db.database, agent('edge'), t0 + 10_000);
    expect((await getAgent(db.database, 'edge')).revokedAt).toBeNull();
  });

  test('a late heartbeat does not turn the clock back', async () => {
    await putAgent(db.database, agent('edge'), t0);
    await beat(t0 + 5000);
    await beat(t0 + 1000);
    expect((await getAgent(db.database, 'edge')).lastSeenAt).toEqual(new Date(t0 + 5000));
  });

  test('show their repositories and targets', async () => {
    await putAgent(db.database, agent('edge'), t0);
    await putRepository(db.database, {
      id: 'vault',
      name: 'V',
      type: 'local',
      siteId: null,
      roots: [{ agentId: 'edge', rootPath: '/v' }],
    });
    await putTarget(db.database, target('local', ['edge', 'far']), t0);
    const [row] = await listAgents(db.database);
    expect(row).toMatchObject({ repositories: { vault: '/v' }, targets: ['local'] });
  });

  test('that are not there are unknown', async () => {
    const asks = [
      () => getAgent(db.database, 'edge'),
      () => beat(t0),
      () => revokeAgent(db.database, 'edge', t0),
    ];
    for (const ask of asks) await expect(ask()).rejects.toMatchObject({ code: 'STORE_AGENT_UNKNOWN' });
  });
});

function target(targetId: string, agentIds: readonly string[] = []) {
  const { target: planned } = samplePlan('p', 'b');
  return {
    targetId,
    name: `Target ${targetId}`,
    platform: planned.platform,
    connection: { state_dir: '/s', nested: { list: [1, 'zwei'] } },
    sealedCredentials: 'v1.abc.def',
    secretNames: ['password'],
    agentIds,
  };
}

describe('targets', () => {
  test('are made, replaced and removed', async () => {
    await putTarget(db.database, target('local', ['far', 'edge', 'far']), t0);
    expect(await getTarget(db.database, 'local')).toEqual({
      ...target('local', ['far', 'edge']),
      createdAt: new Date(t0),
    });
    await putTarget(
      db.database,
      { ...target('local', ['edge']), name: 'New', sealedCredentials: null, secretNames: [] },
      t0 + 5,
    );
    expect(await listTargets(db.database)).toMatchObject([
      { name: 'New', agentIds: ['edge'], sealedCredentials: null, createdAt: new Date(t0) },
    ]);
    await expect(putTarget(db.database, { ...target('two'), name: 'New' }, t0)).rejects.toMatchObject({
      code: 'STORE_NAME_TAKEN',
      details: { holder: 'local' },
    });
    await removeTarget(db.database, 'local');
    for (const ask of [getTarget, removeTarget]) {
      await expect(ask(db.database, 'local')).rejects.toMatchObject({ code: 'STORE_TARGET_UNKNOWN' });
    }
  });

  test('stay while a restore uses them', async () => {
    await insertPgtest1(db.database);
    await putTarget(db.database, target('local'), t0);
    const job = sampleJob('j1', pgtest1.fullId);
    await createJob(db.database, { job, view: jobChange(job).view, createdBy: 'ops', nowMs: t0 });
    await expect(removeTarget(db.database, 'local')).rejects.toMatchObject({ code: 'STORE_TARGET_IN_USE' });
  });

  test('keep their facts until their settings change', async () => {
    const facts = {
      targetId: 'local',
      apiVersion: '1',
      storages: [{ name: 's', freeBytes: 1e15, totalBytes: 2e15 }],
      networks: [],
      vmNames: ['ünïcode'],
      cpuCount: 1,
      memoryBytes: 1,
      acceleration: 'tcg' as const,
      fetchedAt: '2026-11-21T06:00:00.000Z',
    };
    await expect(writeTargetFacts(db.database, facts, 'edge')).rejects.toMatchObject({
      code: 'STORE_TARGET_UNKNOWN',
    });
    await putTarget(db.database, target('local'), t0);
    expect(await readTargetFacts(db.database, 'local')).toBeNull();
    await writeTargetFacts(db.database, { ...facts, cpuCount: 9 }, 'edge');
    await writeTargetFacts(db.database, facts, 'edge');
    expect(await readTargetFacts(db.database, 'local')).toEqual(facts);
    await putTarget(db.database, target('local'), t0);
    expect(await readTargetFacts(db.database, 'local')).toBeNull();
  });
});

test('a plan is kept unchanged until it is too old', async () => {
  const plan = samplePlan('p1', 'b1');
  await putPlan(db.database, plan, 'ops');
  await putPlan(db.database, { ...plan, inputsHash: 'other' }, 'ops');
  expect(await getPlan(db.database, 'p1')).toEqual(plan);
  expect(await prunePlans(db.database, Date.parse(plan.createdAt))).toBe(0);
  expect(await prunePlans(db.database, Date.parse(plan.createdAt) + 1)).toBe(1);
  await expect(getPlan(db.database, 'p1')).rejects.toMatchObject({ code: 'STORE_PLAN_UNKNOWN' });
});
