import type { StoredError } from '@ascend/domain';
import type { RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { transaction } from '../database.ts';
import { insertPgtest1, pgtest1 } from '../testing/pgtest1.ts';
import { dispatchedJob, jobChange, sampleJob, withStep } from '../testing/sampleJob.ts';
import { openTestDatabase, type TestDatabase } from '../testing/testDatabase.ts';
import { changeJob, pruneInbox, takeAgentEvent } from './changeJob.ts';
import { createJob } from './createJob.ts';
import { appendEvents, readEvents } from './jobEvents.ts';
import type { JobView, StoredJob } from './jobView.ts';
import { listOrphanedLedger, noteLedger, readLedger } from './ledger.ts';
import { loadJob } from './loadJob.ts';
import { closeReport, countUsage, listVanishedJobs, readReport } from './reports.ts';
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

describe('events of a job', () => {
  test('have numbers without gap or double, whoever writes at the same time', async () => {
    await create('j1');
    await Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        if (index % 2 === 0) {
          await appendEvents(db.database, {
            jobId: 'j1',
            events: [
              { type: 'a', data: index },
              { type: 'b', data: 'text' },
            ],
            nowMs: t0,
          });
        } else {
          await changeJob(db.database, {
            jobId: 'j1',
            nowMs: t0,
            decide: ({ job }) => jobChange({ ...job }, { events: [{ type: 'c', data: { index } }] }),
          });
        }
      }),
    );
    const events = await readEvents(db.database, { jobId: 'j1', afterSeq: 0 });
    expect(events.map((event) => event.seq)).toEqual(Array.from({ length: 31 }, (_, index) => index + 1));
    expect(events.filter((event) => event.type === 'b').every((event) => event.data === 'text')).toBe(true);
    expect(await loadJob(db.database, 'j1')).toMatchObject({ version: 11, lastEventSeq: 31 });
  });

  test('of a job that is not there are refused', async () => {
    await expect(appendEvents(db.database, { jobId: 'nope', events: [], nowMs: t0 })).rejects.toMatchObject({
      code: 'STORE_JOB_UNKNOWN',
    });
  });
});

describe('changing a job', () => {
  test('two at once are made one after the other, none is lost', async () => {
    await create('j1');
    const add = (key: string): Promise<StoredJob> =>
      changeJob(db.database, {
        jobId: 'j1',
        nowMs: t0,
        decide: async ({ job }) => {
          await new Promise((resolve) => setTimeout(resolve, 20));
          const attempt = (job.steps.find((step) => step.key === key)?.attempt ?? 0) + 1;
          return jobChange(withStep(job, key, { attempt }));
        },
      });
    await Promise.all(Array.from({ length: 8 }, () => add('create-vm')));
    const { job, version } = await loadJob(db.database, 'j1');
    expect(version).toBe(9);
    expect(job.steps.find((step) => step.key === 'create-vm')?.attempt).toBe(8);
  });

  test('to nothing new writes nothing, and a decision that throws leaves everything', async () => {
    await create('j1');
    await changeJob(db.database, { jobId: 'j1', nowMs: t0, decide: () => null });
    await changeJob(db.database, { jobId: 'j1', nowMs: t0, decide: ({ job }) => jobChange(job) });
    await expect(
      changeJob(db.database, {
        jobId: 'j1',
        nowMs: t0,
        decide: async ({ job }, tx) => {
          await appendEvents(tx, { jobId: job.jobId, events: [{ type: 'half', data: {} }], nowMs: t0 });
          throw new Error('no');
        },
      }),
    ).rejects.toMatchObject({ code: 'INTERNAL_BUG' });
    expect(await loadJob(db.database, 'j1')).toMatchObject({ version: 1, lastEventSeq: 1 });
  });
});

describe("an agent's event", () => {
  const event = { eventId: 'e-1', jobId: 'j1', opId: 'op-1', type: 'succeeded' };

  test('counts exactly once, however often and wherever it arrives', async () => {
    await create('j1');
    const outcomes = await Promise.all(
      Array.from({ length: 6 }, () =>
        takeAgentEvent(db.database, {
          event,
          nowMs: t0,
          decide: ({ job }) =>
            jobChange(withStep(job, 'create-vm', { attempt: (job.steps[2]?.attempt ?? 0) + 1 })),
        }),
      ),
    );
    expect(outcomes.map((one) => one.outcome).toSorted()).toEqual([
      'applied',
      ...Array.from({ length: 5 }, () => 'duplicate'),
    ]);
    expect((await loadJob(db.database, 'j1')).job.steps[2]?.attempt).toBe(1);
  });

  test('that changes nothing is noted with the reason', async () => {
    await create('j1');
    const taken = await takeAgentEvent(db.database, {
      event,
      nowMs: t0,
      decide: () => ({ ignored: 'older attempt' }),
    });
    expect(taken).toMatchObject({ outcome: 'applied', stored: { version: 1 } });
    const [rows] = await db.database.pool.query<RowDataPacket[]>('SELECT event_id, ignored FROM inbox');
    expect(rows).toMatchObject([{ event_id: 'e-1', ignored: 'older attempt' }]);
    expect(await pruneInbox(db.database, t0 + 1)).toBe(1);
  });

  test('whose decision failed is not seen: it comes again and counts', async () => {
    await create('j1');
    const fail = takeAgentEvent(db.database, {
      event,
      nowMs: t0,
      decide: () => {
        throw new Error('not now');
      },
    });
    await expect(fail).rejects.toMatchObject({ code: 'INTERNAL_BUG' });
    const again = await takeAgentEvent(db.database, {
      event,
      nowMs: t0,
      decide: ({ job }) => jobChange({ ...job }),
    });
    expect(again).toMatchObject({ outcome: 'applied', stored: { version: 2 } });
  });

  test('of a job that is gone is noted, and the ledger still learns the truth', async () => {
    const first = await create('j1');
    await saveJob(db.database, { ...jobChange(dispatchedJob(first.job)), before: first, nowMs: t0 });
    await run('DELETE FROM vm_backup_contexts');
    const taken = await takeAgentEvent(db.database, { event, nowMs: t0, decide: () => ({ ignored: '' }) });
    expect(taken).toEqual({ outcome: 'job-unknown' });
    const row = { jobId: 'j1', stepKey: 'transfer-disk:0', resourceKey: 'disk' };
    const noted = { ...row, state: 'present' as const, token: { path: '/d' }, nowMs: t0 };
    expect(await noteLedger(db.database, noted)).toBe(true);
    expect(await noteLedger(db.database, { ...noted, resourceKey: 'other' })).toBe(false);
    expect(await listOrphanedLedger(db.database)).toMatchObject([
      { ...row, state: 'present', token: { path: '/d' }, name: 'ascend-j1-disk' },
    ]);
  });
});

test('a job whose backup is deleted leaves its ledger, events and report, and can be ended with a reason', async () => {
  const first = await create('j1');
  await saveJob(db.database, { ...jobChange(dispatchedJob(first.job)), before: first, nowMs: t0 });
  await create('j2');
  await run(`DELETE FROM backup_jobs WHERE id = '${pgtest1.fullId}'`);
  await expect(loadJob(db.database, 'j1')).rejects.toMatchObject({ code: 'STORE_JOB_UNKNOWN' });
  expect(await readLedger(db.database, 'j1')).toHaveLength(1);
  expect(await readEvents(db.database, { jobId: 'j1', afterSeq: 0 })).toHaveLength(1);
  const vanished = await listVanishedJobs(db.database);
  expect(vanished.map((one) => [one.jobId, one.state, one.plan.target.agentId])).toEqual([
    ['j1', 'running', 'edge'],
    ['j2', 'queued', 'edge'],
  ]);
  for (const jobId of ['j1', 'j2', 'j1'])
    await closeReport(db.database, { jobId, error: boom, nowMs: t0 + 9 });
  expect(await listVanishedJobs(db.database)).toEqual([]);
  expect(await readReport(db.database, 'j1')).toMatchObject({ state: 'failed', error: boom });
  expect(await countUsage(db.database)).toEqual([
    { vmName: 'pgtest1', restoreType: 'full_vm', state: 'failed', restores: 2 },
  ]);
});

test('transactions in each other’s way are tried again until both are done', async () => {
  await create('j1');
  await create('j2');
  const tries: string[] = [];
  const met = Promise.withResolvers<void>();
  const cross = (one: string, other: string): Promise<void> =>
    transaction(db.database, async (tx) => {
      await loadJob(tx, one, { lock: true });
      // Both hold their first row before they ask for the second: a deadlock on the first try.
      tries.push(one);
      if (tries.length === 2) met.resolve();
      await met.promise;
      await appendEvents(tx, { jobId: other, events: [{ type: 'crossed', data: {} }], nowMs: t0 });
    });
  await Promise.all([cross('j1', 'j2'), cross('j2', 'j1')]);
  expect(tries.length).toBeGreaterThan(2);
  for (const jobId of ['j1', 'j2']) {
    expect(await readEvents(db.database, { jobId, afterSeq: 1 })).toHaveLength(1);
  }
});
