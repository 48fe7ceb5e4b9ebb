import { AppError } from '@ascend/errors';
import type { Restore } from '@ascend/protocol';
import { systemClock } from '@ascend/runtime';
import { listSlots, listVanishedJobs, readReport } from '@ascend/store';
import { pgtest1 } from '@ascend/store/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { FakeAgent } from '../testing/fakeAgent.ts';
import { bringAgent, registerEstate, startRestore, untilRestore } from '../testing/testEstate.ts';
import { codeOf, startTestPlane, type TestPlane } from '../testing/testPlane.ts';

let plane: TestPlane;
let agent: FakeAgent | undefined;
const gates: PromiseWithResolvers<void>[] = [];

beforeEach(async () => {
  plane = await startTestPlane();
});
afterEach(async () => {
  for (const open of gates) open.resolve();
  await agent?.stop();
  agent = undefined;
  await plane.close();
});

function gate() {
  const reached = Promise.withResolvers<void>();
  const open = Promise.withResolvers<void>();
  gates.push(open);
  return { reached, open };
}

async function until(what: string, probe: () => Promise<boolean>): Promise<void> {
  const limitMs = systemClock.now() + 20_000;
  while (!(await probe())) {
    if (systemClock.now() > limitMs) {
      throw new AppError({ code: 'INTERNAL_BUG', message: `wait until ${what}: in vain` });
    }
    await systemClock.sleep(30);
  }
}

const completed = (restore: { state: string }) => restore.state === 'completed';

test('commands committed by a control plane that died before it could publish are sent by the next one', async () => {
  const first = await plane.replica({
    hinder: (bus) => ({
      ...bus,
      publishCommand: async () => {
        throw new AppError({ code: 'BUS_NOT_CONNECTED', message: 'publish command: cut' });
      },
    }),
  });
  await registerEstate(plane, first);
  agent = await bringAgent(plane);
  const started = await startRestore(first, 'left-behind');
  await systemClock.sleep(300);
  expect(agent.commands).toEqual([]);
  await first.stop();
  const second = await plane.replica();
  const done = await untilRestore(second, started.id, completed);
  expect(done.steps.every((step) => step.attempt === 1)).toBe(true);
  expect(new Set(agent.commands).size).toBe(agent.commands.length);
});

test('two replicas at once run several restores, and no command is given twice', async () => {
  const [left, right] = [await plane.replica(), await plane.replica()];
  await registerEstate(plane, left);
  agent = await bringAgent(plane);
  const started = [
    await startRestore(left, 'one'),
    await startRestore(right, 'two'),
    await startRestore(left, 'three'),
  ];
  for (const { id } of started) {
    const done = await untilRestore(right, id, completed);
    expect(done.steps.every((step) => step.attempt === 1)).toBe(true);
  }
  expect(agent.commands).toHaveLength(started.length * started[0]!.steps.length);
  expect(await listSlots(plane.db)).toEqual([]);
});

test('a bus that lost everything it had stored is filled again and the restore goes on', async () => {
  const { reached, open } = gate();
  const api = await plane.replica({ times: { republishAfterMs: 500 } });
  await registerEstate(plane, api);
  agent = await bringAgent(plane, {
    script: {
      'prepare-guest': async ({ send }) => {
        reached.resolve();
        await open.promise;
        await send({ type: 'ledger-present', resourceKey: 'overlay:0', token: {} });
        return null;
      },
    },
  });
  const started = await startRestore(api, 'volume-lost');
  await reached.promise;
  await plane.nats.kill();
  open.resolve();
  await plane.nats.start({ loseStore: true });
  const done = await untilRestore(api, started.id, completed);
  expect(done.steps.every((step) => step.state === 'succeeded')).toBe(true);
});

test('an operation whose agent is gone for too long is given out again with a higher epoch', async () => {
  const { reached, open } = gate();
  const api = await plane.replica({ times: { onlineWithinMs: 1_500, agentLostAfterMs: 2_500 } });
  await registerEstate(plane, api);
  const epochs: number[] = [];
  agent = await bringAgent(plane, {
    script: {
      'analyze-source': async ({ command }) => {
        epochs.push(command.epoch);
        reached.resolve();
        await open.promise;
        return null;
      },
    },
  });
  const started = await startRestore(api, 'agent-lost');
  await reached.promise;
  await agent.kill();
  await until('the operation is lost', async () => {
    const restore = await untilRestore(api, started.id, () => true);
    return restore.steps.some((step) => step.error?.code === 'RESTORE_AGENT_LOST');
  });
  agent = await bringAgent(plane, {
    script: {
      'analyze-source': async ({ command }) => {
        epochs.push(command.epoch);
        return null;
      },
    },
  });
  const done = await untilRestore(api, started.id, completed);
  expect(done.steps.find((step) => step.kind === 'analyze-source')?.attempt).toBeGreaterThan(1);
  expect(epochs.at(-1)).toBeGreaterThan(epochs[0]!);
});

test('an operation that its agent does not know any more is given out again', async () => {
  const { reached, open } = gate();
  const api = await plane.replica({ times: { missingAfterMs: 500 } });
  await registerEstate(plane, api);
  let tries = 0;
  agent = await bringAgent(plane, {
    beatEveryMs: 0,
    script: {
      'validate-target': async () => {
        tries += 1;
        if (tries > 1) return null;
        reached.resolve();
        await open.promise;
        return null;
      },
    },
  });
  const started = await startRestore(api, 'ledger-lost');
  await reached.promise;
  expect(await agent.hello([])).toEqual({});
  const done = await untilRestore(api, started.id, completed);
  expect(done.steps.find((step) => step.kind === 'validate-target')?.attempt).toBe(2);
});

function isHalfWay(restore: Restore): boolean {
  return restore.steps.some((step) => step.progress?.bytes_done === 4_000_000);
}

test('progress is shown again after a restart, from what the bus still holds', async () => {
  const { reached, open } = gate();
  const first = await plane.replica();
  await registerEstate(plane, first);
  agent = await bringAgent(plane, {
    script: {
      'transfer-disk:0': async ({ progress }) => {
        progress(4_000_000, 10_000_000);
        reached.resolve();
        await open.promise;
        return null;
      },
    },
  });
  const started = await startRestore(first, 'half-way');
  await reached.promise;
  await untilRestore(first, started.id, isHalfWay);
  await first.stop();
  const second = await plane.replica();
  expect(isHalfWay(await untilRestore(second, started.id, () => true))).toBe(true);
  open.resolve();
  await untilRestore(second, started.id, completed);
});

test('hello says what to do with each open operation', async () => {
  const { reached, open } = gate();
  const api = await plane.replica();
  await registerEstate(plane, api);
  const seen: string[] = [];
  agent = await bringAgent(plane, {
    script: {
      'analyze-source': async ({ command }) => {
        seen.push(command.opId);
        reached.resolve();
        await open.promise;
        return null;
      },
    },
  });
  const started = await startRestore(api, 'verdicts');
  await reached.promise;
  expect(await agent.hello([seen[0]!, 'op-unknown'])).toEqual({
    [seen[0]!]: 'continue',
    'op-unknown': 'stop',
  });
  await api.call('POST', `/restores/${started.id}/cancel`);
  expect(await agent.hello([seen[0]!])).toEqual({ [seen[0]!]: 'stop' });
});

test('a backup deleted under its restore ends it with a stated reason and leaves the ledger', async () => {
  const { reached, open } = gate();
  const api = await plane.replica();
  await registerEstate(plane, api);
  const seen: string[] = [];
  agent = await bringAgent(plane, {
    script: {
      'prepare-guest': async ({ command, send }) => {
        seen.push(command.opId);
        reached.resolve();
        await open.promise;
        await send({ type: 'ledger-present', resourceKey: 'overlay:0', token: { path: '/x' } });
        return null;
      },
    },
  });
  const started = await startRestore(api, 'backup-gone');
  await reached.promise;
  await plane.db.pool.query('DELETE FROM backup_jobs WHERE id = ?', [pgtest1.incrementalIds[0]]);
  await until('the report is closed', async () => (await listVanishedJobs(plane.db)).length === 0);
  expect(codeOf(await api.call('GET', `/restores/${started.id}`))).toBe('STORE_JOB_UNKNOWN');
  const report = await readReport(plane.db, started.id);
  expect(report).toMatchObject({ state: 'failed', error: { code: 'CATALOG_BACKUP_UNKNOWN' } });
  expect(await agent.hello([seen[0]!])).toEqual({ [seen[0]!]: 'stop' });
  open.resolve();
  await until('the fact about the overlay is noted', async () => {
    const [rows] = await plane.db.pool.query('SELECT state FROM ledger WHERE job_id = ?', [started.id]);
    return JSON.stringify(rows).includes('present');
  });
});
