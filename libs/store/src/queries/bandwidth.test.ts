import { afterAll, beforeAll, expect, test } from 'vitest';
import { insertPgtest1, pgtest1 } from '../testing/pgtest1.ts';
import { jobChange, sampleJob } from '../testing/sampleJob.ts';
import { openTestDatabase, type TestDatabase } from '../testing/testDatabase.ts';
import { getAgent, noteHeartbeat, putAgent, putSite } from './agents.ts';
import { listJobBandwidth, setAgentBandwidth, setJobBandwidth } from './bandwidth.ts';
import { createJob } from './createJob.ts';
import { readEvents } from './jobEvents.ts';
import { loadJob, readRestore } from './loadJob.ts';
import { saveJob } from './saveJob.ts';

let db: TestDatabase;
const t0 = Date.parse('2026-11-21T06:00:00Z');
const view = { status: 'pending', progressPercent: 0, estimatedCompletionMs: null } as const;
const edge = {
  agentId: 'edge',
  siteId: 'here',
  publicKey: `U${'A'.repeat(55)}`,
  publicXkey: `X${'A'.repeat(55)}`,
  version: '1',
};

beforeAll(async () => {
  db = await openTestDatabase();
  await insertPgtest1(db.database);
  await putSite(db.database, { id: 'here', name: 'Here' });
  await putAgent(db.database, edge, t0);
});

afterAll(async () => {
  await db.close();
});

async function create(jobId: string) {
  const job = sampleJob(jobId, pgtest1.fullId);
  return createJob(db.database, { job, view, createdBy: 'ops', nowMs: t0 });
}

const set = (jobId: string, bytesPerSecond: number | null, nowMs = t0) =>
  setJobBandwidth(db.database, { jobId, bytesPerSecond, by: 'ops', nowMs });

test('a cap of a job is kept with it, and a change of the job in work is not refused for it', async () => {
  const before = await create('j1');
  expect(before.bandwidth).toBeNull();
  const cap = await set('j1', 2 ** 52);
  expect(cap).toEqual({ bytesPerSecond: 2 ** 52, revision: t0 });
  const after = { ...before.job, state: 'running' as const };
  const saved = await saveJob(db.database, { ...jobChange(after), before, nowMs: t0 });
  expect(saved).toMatchObject({ version: 2, lastEventSeq: 2 });
  const loaded = await loadJob(db.database, 'j1');
  expect(loaded).toMatchObject({ bandwidth: cap, job: { plan: before.job.plan } });
  const events = await readEvents(db.database, { jobId: 'j1', afterSeq: 1 });
  expect(events[0]).toMatchObject({
    seq: 2,
    type: 'bandwidth-limited',
    data: { bytes_per_second: 2 ** 52, by: 'ops' },
  });
});

test('a later change has a higher revision, also within one millisecond and after the clock was set back', async () => {
  await create('j2');
  const revisions = [];
  for (const nowMs of [t0, t0, t0 - 60_000, t0 + 60_000]) {
    revisions.push((await set('j2', null, nowMs)).revision);
  }
  expect(revisions).toEqual([t0, t0 + 1, t0 + 2, t0 + 60_000]);
});

test('only restores that have not ended and run on the agent are listed with their caps', async () => {
  const caps = await listJobBandwidth(db.database, 'edge');
  expect(Object.keys(caps).toSorted()).toEqual(['j1', 'j2']);
  expect(caps['j2']).toEqual({ bytesPerSecond: null, revision: t0 + 60_000 });
  expect(await listJobBandwidth(db.database, 'other')).toEqual({});
  await db.database.pool.query("UPDATE restore_jobs SET state = 'completed' WHERE id = 'j2'");
  expect(Object.keys(await listJobBandwidth(db.database, 'edge'))).toEqual(['j1']);
});

test.each(['completed', 'cancelled', 'rolled_back', 'cancelling', 'rolling_back'])(
  'a restore that is %s takes no cap and keeps the one it had',
  async (state) => {
    await db.database.pool.query('UPDATE restore_jobs SET state = ? WHERE id = ?', [state, 'j2']);
    await expect(set('j2', 7)).rejects.toMatchObject({
      code: 'RESTORE_TRANSITION_ILLEGAL',
      details: { state },
    });
    expect((await readRestore(db.database, 'j2')).job.bandwidthBytesPerSecond).toBeNull();
  },
);

test('a row of the older product and an unknown restore take no cap', async () => {
  await expect(set('nope', 7)).rejects.toMatchObject({ code: 'STORE_JOB_UNKNOWN' });
  await db.database.pool.query("UPDATE restore_jobs SET plan_id = NULL, plan = NULL WHERE id = 'j2'");
  await expect(set('j2', 7)).rejects.toMatchObject({ code: 'STORE_JOB_FOREIGN' });
});

test('the cap of an agent outlives heartbeats and a new enrolment, beside what its settings say', async () => {
  const beat = { agentId: 'edge', version: '2', openOps: [], nowMs: t0 };
  const able = {
    qemuVersion: null,
    qemuImgVersion: null,
    storageDaemonFuse: false,
    nbdKernel: false,
    kvmWorks: false,
    libguestfsVersion: null,
    fuse2fs: false,
    bubblewrap: false,
    runsAsRoot: false,
    cpuCount: 1,
    memoryBytes: 1,
    scratchFreeBytes: 1,
  };
  await noteHeartbeat(db.database, { ...beat, capabilities: able, configuredBandwidth: 100 });
  expect(await getAgent(db.database, 'edge')).toMatchObject({ configuredBandwidth: 100, bandwidth: null });
  const cap = await setAgentBandwidth(db.database, { agentId: 'edge', bytesPerSecond: null, nowMs: t0 });
  await noteHeartbeat(db.database, { ...beat, capabilities: able });
  await putAgent(db.database, { ...edge, version: '3' }, t0);
  expect(await getAgent(db.database, 'edge')).toMatchObject({ configuredBandwidth: 100, bandwidth: cap });
  expect((await readRestore(db.database, 'j1')).agents).toEqual([
    { agentId: 'edge', siteId: 'here', configuredBandwidth: 100, bandwidth: cap },
  ]);
  const unknown = setAgentBandwidth(db.database, { agentId: 'nope', bytesPerSecond: 1, nowMs: t0 });
  await expect(unknown).rejects.toMatchObject({ code: 'STORE_AGENT_UNKNOWN' });
});
