import type { StoredError } from '@ascend/domain';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { insertPgtest1, pgtest1 } from '../testing/pgtest1.ts';
import { dispatchedJob, jobChange, sampleJob, withStep } from '../testing/sampleJob.ts';
import { openTestDatabase, type TestDatabase } from '../testing/testDatabase.ts';
import { findAttempts, listAttempts, listOpenAttempts } from './attempts.ts';
import { createJob } from './createJob.ts';
import { readEvents } from './jobEvents.ts';
import type { JobView, StoredJob } from './jobView.ts';
import { readLedger } from './ledger.ts';
import { listActiveJobs, listJobs, saveProgress } from './listJobs.ts';
import { loadJob, readRestore } from './loadJob.ts';
import { takeOutbox } from './outbox.ts';
import { readReport } from './reports.ts';
import { saveJob } from './saveJob.ts';

let db: TestDatabase;
const run = async (statement: string): Promise<unknown> => db.database.pool.query(statement);
const t0 = Date.parse('2026-11-21T06:00:00Z');
const view: JobView = { status: 'pending', progressPercent: 0, estimatedCompletionMs: null };
const boom: StoredError = { code: 'DISK_X', message: 'it broke', hint: 'mend it', details: {}, causes: [] };

beforeAll(async () => {
  db = await openTestDatabase();
});

beforeEach(async () => {
  for (const table of [
    'vm_backup_contexts',
    'backup_jobs',
    'backup_repositories',
    'ledger',
    'outbox',
    'inbox',
  ]) {
    await run(`DELETE FROM ${table}`);
  }
  await run('DELETE FROM restore_reports');
  await run('DELETE FROM job_events');
  await insertPgtest1(db.database);
});

afterAll(async () => {
  await db.close();
});

async function create(jobId: string): Promise<StoredJob> {
  const job = sampleJob(jobId, pgtest1.fullId);
  return createJob(db.database, { job, view, createdBy: 'ops', nowMs: t0 });
}

const command = {
  msgId: 'op-1',
  type: 'command',
  jobId: 'j1',
  siteId: 'main',
  agentId: 'edge',
  kind: 'transfer-disk',
  payload: { v: 1, text: 'größer', list: [1, null, true] },
} as const;

describe('a new job', () => {
  test('is read back as it was made, with all older columns filled', async () => {
    const stored = await create('j1');
    expect(stored).toMatchObject({ version: 1, lastEventSeq: 1 });
    expect(await loadJob(db.database, 'j1')).toEqual(stored);
    const { job, steps } = await readRestore(db.database, 'j1');
    expect(job).toMatchObject({
      backupJobId: pgtest1.fullId,
      sourcePlatform: 'unknown',
      restoreType: 'full_vm',
      status: 'pending',
      targetConfig: { target_id: 'local', policy: stored.job.plan.policy },
      progressPercent: 0,
      errorMessage: null,
      targetVmId: null,
      targetVmName: 'again',
      createdAt: new Date(t0),
      startedAt: null,
      completedAt: null,
      state: 'queued',
      planId: 'plan-j1',
      createdBy: 'ops',
    });
    expect(steps.map((step) => [step.stepOrder, step.stepKey, step.stepName, step.status])).toEqual([
      [1, 'analyze-source', 'Check the restore point', 'pending'],
      [2, 'transfer-disk:0', 'Transfer disk', 'pending'],
      [3, 'create-vm', 'Create the VM', 'pending'],
      [4, 'finalize', 'Report and clean up', 'pending'],
    ]);
    expect(steps[1]?.metadata).toEqual({
      kind: 'transfer-disk',
      disk_index: 0,
      agent_id: 'edge',
      bytes: 512,
      depends_on: ['analyze-source'],
    });
    expect(await readEvents(db.database, { jobId: 'j1', afterSeq: 0 })).toMatchObject([
      { seq: 1, type: 'job-created', data: { planId: 'plan-j1' } },
    ]);
  });

  test('of a backup that is gone, or under a taken id, is refused and leaves nothing', async () => {
    await create('j1');
    await expect(create('j1')).rejects.toMatchObject({ code: 'STORE_JOB_EXISTS' });
    await run('DELETE FROM backup_jobs');
    await expect(create('j2')).rejects.toMatchObject({ code: 'CATALOG_BACKUP_UNKNOWN' });
    await expect(loadJob(db.database, 'j2')).rejects.toMatchObject({ code: 'STORE_JOB_UNKNOWN' });
    await expect(readReport(db.database, 'j2')).rejects.toMatchObject({ code: 'STORE_JOB_UNKNOWN' });
  });

  test('is listed by status, state, backup and target', async () => {
    await create('j1');
    await createJob(db.database, {
      job: sampleJob('j2', pgtest1.fullId),
      view,
      createdBy: 'x',
      nowMs: t0 + 1000,
    });
    const ids = async (filter: Parameters<typeof listJobs>[1]): Promise<readonly string[]> =>
      (await listJobs(db.database, filter)).map((job) => job.id);
    expect(await ids({})).toEqual(['j2', 'j1']);
    expect(await ids({ limit: 1 })).toEqual(['j2']);
    expect(await ids({ status: 'pending', states: ['queued'], targetId: 'local' })).toEqual(['j2', 'j1']);
    expect(await ids({ status: 'failed' })).toEqual([]);
    expect(await ids({ backupId: 'other' })).toEqual([]);
    expect(await listActiveJobs(db.database)).toEqual(['j1', 'j2']);
  });
});

describe('saving a job', () => {
  test('writes steps, ledger, attempt, message and events together', async () => {
    const before = await create('j1');
    const after = dispatchedJob(before.job);
    const saved = await saveJob(db.database, {
      ...jobChange(after, {
        view: { status: 'uploading', progressPercent: 12.345, estimatedCompletionMs: t0 + 60_000 },
        outbox: [command],
        events: [
          { type: 'step-dispatched', data: { step: 'transfer-disk:0' } },
          { type: 'note', data: null },
        ],
      }),
      before,
      nowMs: t0 + 5000,
    });
    expect(saved).toMatchObject({ version: 2, lastEventSeq: 3 });
    expect(await loadJob(db.database, 'j1')).toEqual(saved);
    const { job } = await readRestore(db.database, 'j1');
    expect(job).toMatchObject({
      status: 'uploading',
      progressPercent: 12.35,
      estimatedCompletion: new Date(t0 + 60_000),
      startedAt: new Date(t0 + 5000),
      completedAt: null,
    });
    expect(await listAttempts(db.database, 'j1')).toMatchObject([
      {
        opId: 'op-1',
        stepKey: 'transfer-disk:0',
        attempt: 1,
        mode: 'run',
        state: 'dispatched',
        agentId: 'edge',
      },
    ]);
    expect(await takeOutbox(db.database, { limit: 10 })).toMatchObject([{ ...command, tries: 0 }]);
    const events = await readEvents(db.database, { jobId: 'j1', afterSeq: 1, limit: 1 });
    expect(events).toEqual([
      { seq: 2, type: 'step-dispatched', data: { step: 'transfer-disk:0' }, at: new Date(t0 + 5000) },
    ]);
  });

  test('from an outdated reading is refused and writes nothing', async () => {
    const before = await create('j1');
    await saveJob(db.database, { ...jobChange({ ...before.job, state: 'paused' }), before, nowMs: t0 });
    const late = jobChange(dispatchedJob(before.job), {
      outbox: [command],
      events: [{ type: 'x', data: {} }],
    });
    await expect(saveJob(db.database, { ...late, before, nowMs: t0 })).rejects.toMatchObject({
      code: 'STORE_JOB_CHANGED',
      details: { version: 2, expected: 1 },
    });
    expect((await loadJob(db.database, 'j1')).job.state).toBe('paused');
    expect(await readLedger(db.database, 'j1')).toEqual([]);
    expect(await takeOutbox(db.database, { limit: 10 })).toEqual([]);
    expect(await readEvents(db.database, { jobId: 'j1', afterSeq: 1 })).toEqual([]);
  });

  test('follows failure, retry and success in every older column', async () => {
    const first = await create('j1');
    const sent = await saveJob(db.database, {
      ...jobChange(dispatchedJob(first.job)),
      before: first,
      nowMs: t0 + 1000,
    });
    const failed = withStep(sent.job, 'transfer-disk:0', {
      state: 'failed',
      error: boom,
      startedAtMs: t0 + 1100,
      completedAtMs: t0 + 2000,
      checkpoint: { offset: 256 },
    });
    const broken = await saveJob(db.database, {
      ...jobChange({ ...failed, state: 'failed', error: boom }, { view: { ...view, status: 'failed' } }),
      before: sent,
      nowMs: t0 + 2000,
    });
    let rows = await readRestore(db.database, 'j1');
    expect(rows.job).toMatchObject({
      status: 'failed',
      errorMessage: 'it broke',
      error: boom,
      completedAt: new Date(t0 + 2000),
    });
    expect(rows.steps[1]).toMatchObject({ status: 'failed', errorMessage: 'it broke', startedMs: t0 + 1100 });
    expect(await readReport(db.database, 'j1')).toMatchObject({ state: 'failed', error: boom });

    const again = withStep({ ...broken.job, state: 'running', error: null }, 'transfer-disk:0', {
      state: 'dispatched',
      attempt: 2,
      opId: 'op-2',
      error: null,
      completedAtMs: null,
    });
    const retried = await saveJob(db.database, { ...jobChange(again), before: broken, nowMs: t0 + 3000 });
    rows = await readRestore(db.database, 'j1');
    expect(rows.job).toMatchObject({ errorMessage: null, completedAt: null, startedAt: new Date(t0 + 1000) });
    expect((await readReport(db.database, 'j1')).endedAt).toBeNull();

    const done = withStep(
      withStep(retried.job, 'transfer-disk:0', { state: 'succeeded', output: { sha256: 'x' } }),
      'finalize',
      { state: 'succeeded', output: { planned: 1, measured: 2 } },
    );
    const vm = {
      ...done.ledger[0]!,
      stepKey: 'create-vm',
      resourceKey: 'vm',
      kind: 'vm' as const,
      state: 'present' as const,
      token: { id: 'vm-77' },
      undoOrder: 2,
    };
    const ended = {
      ...done,
      state: 'completed' as const,
      ledger: [...done.ledger, vm],
    };
    await saveJob(db.database, {
      ...jobChange(ended, { view: { status: 'completed', progressPercent: 180, estimatedCompletionMs: 5 } }),
      before: retried,
      nowMs: t0 + 4000,
    });
    rows = await readRestore(db.database, 'j1');
    expect(rows.job).toMatchObject({
      status: 'completed',
      progressPercent: 100,
      estimatedCompletion: null,
      targetVmId: 'vm-77',
      completedAt: new Date(t0 + 4000),
    });
    expect(rows.ledger.map((entry) => [entry.resourceKey, entry.state, entry.tag])).toEqual([
      ['disk', 'intended', 'j1'],
      ['vm', 'present', 'j1'],
    ]);
    const attempts = await listAttempts(db.database, 'j1');
    expect(attempts.map((one) => [one.opId, one.attempt, one.state, one.error])).toEqual([
      ['op-1', 1, 'failed', boom],
      ['op-2', 2, 'succeeded', null],
    ]);
    expect(await listActiveJobs(db.database)).toEqual([]);
    expect(await readReport(db.database, 'j1')).toMatchObject({
      state: 'completed',
      report: { planned: 1, measured: 2 },
      endedAt: new Date(t0 + 4000),
    });
  });

  test('keeps one attempt per removal of a resource', async () => {
    const first = await create('j1');
    const sent = await saveJob(db.database, {
      ...jobChange(dispatchedJob(first.job)),
      before: first,
      nowMs: t0,
    });
    const entry = sent.job.ledger[0]!;
    const deleting = {
      ...sent.job,
      state: 'rolling_back' as const,
      ledger: [{ ...entry, state: 'deleting' as const, opId: 'undo-1' }],
    };
    const undoing = await saveJob(db.database, { ...jobChange(deleting), before: sent, nowMs: t0 + 1 });
    expect(await findAttempts(db.database, ['undo-1', 'nope'])).toMatchObject([
      { opId: 'undo-1', mode: 'undo', resourceKey: 'disk', state: 'dispatched' },
    ]);
    const gone = { ...undoing.job, ledger: [{ ...entry, state: 'gone' as const, opId: 'undo-1' }] };
    await saveJob(db.database, { ...jobChange(gone), before: undoing, nowMs: t0 + 2 });
    expect(await findAttempts(db.database, ['undo-1'])).toMatchObject([{ state: 'succeeded' }]);
    expect((await listOpenAttempts(db.database)).map((one) => one.opId)).toEqual(['op-1']);
  });

  test('an attempt that another one replaced is closed', async () => {
    const first = await create('j1');
    const sent = await saveJob(db.database, {
      ...jobChange(dispatchedJob(first.job)),
      before: first,
      nowMs: t0,
    });
    const moved = withStep(sent.job, 'transfer-disk:0', { opId: 'op-9', epoch: 2, attempt: 2 });
    await saveJob(db.database, { ...jobChange(moved), before: sent, nowMs: t0 + 1 });
    expect((await listAttempts(db.database, 'j1')).map((one) => [one.opId, one.state, one.epoch])).toEqual([
      ['op-1', 'superseded', 1],
      ['op-9', 'dispatched', 2],
    ]);
  });
});

test('an error message of any length and alphabet is kept and never stops a save', async () => {
  const first = await create('j1');
  const long = { ...boom, message: '💾ü'.repeat(60_000) };
  const failed = withStep(first.job, 'create-vm', { state: 'failed', error: long });
  await saveJob(db.database, {
    ...jobChange({ ...failed, state: 'failed', error: long }),
    before: first,
    nowMs: t0,
  });
  const { job, steps } = await readRestore(db.database, 'j1');
  expect(job.error).toEqual(long);
  expect(long.message.startsWith((job.errorMessage ?? '').slice(0, -1))).toBe(true);
  expect(job.errorMessage?.length).toBe(16_000);
  expect(steps[2]?.errorMessage?.length).toBe(16_000);
});

test('progress is stored beside the job without changing its version, and not after its end', async () => {
  const first = await create('j1');
  const progress = {
    stepKey: 'transfer-disk:0',
    phase: 'copy',
    bytesDone: 10,
    bytesTotal: 512,
    bytesSkipped: 1,
    atMs: t0,
  };
  const save = (progressPercent: number): Promise<void> =>
    saveProgress(db.database, {
      jobId: 'j1',
      progress: [progress],
      view: { progressPercent, estimatedCompletionMs: t0 + 1000 },
    });
  await save(42.5);
  const rows = await readRestore(db.database, 'j1');
  expect(rows.job).toMatchObject({ progressPercent: 42.5, version: 1 });
  expect(rows.steps[1]?.progress).toEqual(progress);
  const ended = { ...first.job, state: 'failed' as const };
  await saveJob(db.database, { ...jobChange(ended), before: first, nowMs: t0 });
  await save(99);
  expect((await readRestore(db.database, 'j1')).job).toMatchObject({ progressPercent: 0 });
});

test('a row of an older product is shown but not carried on', async () => {
  await create('j1');
  await run('UPDATE restore_jobs SET plan = NULL');
  await expect(readRestore(db.database, 'j1')).resolves.toMatchObject({ job: { plan: null } });
  await expect(loadJob(db.database, 'j1')).rejects.toMatchObject({ code: 'STORE_JOB_FOREIGN' });
});
