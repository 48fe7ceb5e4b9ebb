import { AppError } from '@ascend/errors';
import { systemClock } from '@ascend/runtime';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { FakeAgent } from '../testing/fakeAgent.ts';
import { bringAgent, registerEstate, startRestore, untilRestore } from '../testing/testEstate.ts';
import { codeOf, startTestPlane, type TestPlane, type TestReplica } from '../testing/testPlane.ts';

let plane: TestPlane;
let api: TestReplica;
let agent: FakeAgent;

beforeAll(async () => {
  plane = await startTestPlane();
  api = await plane.replica();
  await registerEstate(plane, api);
});
const gates: PromiseWithResolvers<void>[] = [];
afterEach(async () => {
  for (const open of gates) open.resolve();
  await agent.stop();
});
afterAll(() => plane.close());

const state = (wanted: string) => (restore: { state: string }) => restore.state === wanted;

/** Resolves when the script has reached a point, and lets the test decide when it goes on. */
function gate() {
  const reached = Promise.withResolvers<void>();
  const open = Promise.withResolvers<void>();
  gates.push(open);
  return { reached, open };
}

test('a restore runs through all its steps in order and ends completed', async () => {
  agent = await bringAgent(plane);
  const started = await startRestore(api, 'whole');
  expect(started).toMatchObject({ restore_type: 'full_vm', target_vm_name: 'whole', state: 'running' });
  const done = await untilRestore(api, started.id, state('completed'));
  expect(done).toMatchObject({
    status: 'completed',
    progress_percent: 100,
    error_message: null,
    target_platform: 'kvm',
  });
  expect(done.completed_at).not.toBeNull();
  expect(done.steps.every((step) => step.status === 'completed' && step.attempt === 1)).toBe(true);
  const order = agent.commands.map((command) => command.split('#')[0]);
  expect(new Set(order)).toEqual(new Set(done.steps.map((step) => `run ${step.step_key}`)));
  expect(order).toHaveLength(done.steps.length);
  expect(order.indexOf('run create-vm')).toBeGreaterThan(order.indexOf('run transfer-disk:1'));
  expect(order.at(-1)).toBe('run finalize');
  expect(done.ledger.map((row) => `${row.kind} ${row.state}`).toSorted((a, b) => a.localeCompare(b))).toEqual(
    ['disk present', 'disk present', 'overlay present', 'vm present'],
  );
});

test('every event sent twice counts once', async () => {
  agent = await bringAgent(plane, { duplicateEvents: true });
  const started = await startRestore(api, 'twice');
  const done = await untilRestore(api, started.id, state('completed'));
  expect(done.steps.every((step) => step.attempt === 1)).toBe(true);
  expect(new Set(agent.commands).size).toBe(agent.commands.length);
});

test('a failure that may pass is tried again by itself', async () => {
  let tries = 0;
  agent = await bringAgent(plane, {
    script: {
      'validate-target': async () => {
        tries += 1;
        if (tries === 1) throw new AppError({ code: 'BUS_NOT_CONNECTED', message: 'call target: no route' });
        return null;
      },
    },
  });
  const started = await startRestore(api, 'again');
  const done = await untilRestore(api, started.id, state('completed'));
  expect(done.steps.find((step) => step.kind === 'validate-target')?.attempt).toBe(2);
});

test('a failure that stays ends the job failed; retry goes on at the failed step only', async () => {
  let broken = true;
  agent = await bringAgent(plane, {
    script: {
      'create-vm': async () => {
        if (broken) throw new AppError({ code: 'INPUT_INVALID', message: 'create vm: no such network' });
        return null;
      },
    },
  });
  const started = await startRestore(api, 'retried');
  const failed = await untilRestore(api, started.id, state('failed'));
  expect(failed).toMatchObject({
    status: 'failed',
    error_message: 'create vm: no such network',
    error: { code: 'INPUT_INVALID' },
  });
  broken = false;
  const retried = await api.call('POST', `/restores/${started.id}/retry`, {}, 'operator');
  expect(retried.status).toBe(200);
  const done = await untilRestore(api, started.id, state('completed'));
  expect(done.error_message).toBeNull();
  expect(agent.commands.filter((command) => command.startsWith('run transfer-disk'))).toHaveLength(2);
  expect(agent.commands).toContain('run create-vm#2');
});

test('cancel stops the running operation and keeps what was made; rollback removes it in reverse', async () => {
  const { reached, open } = gate();
  agent = await bringAgent(plane, {
    script: {
      'create-vm': async ({ signal, send }) => {
        await send({ type: 'ledger-present', resourceKey: 'vm', token: { id: 'v' } });
        reached.resolve();
        const aborted = Promise.withResolvers<void>();
        signal.addEventListener('abort', () => aborted.resolve());
        await Promise.race([aborted.promise, open.promise]);
        if (signal.aborted)
          throw new AppError({ code: 'OPERATION_CANCELLED', message: 'create vm: cancelled' });
        return null;
      },
    },
  });
  const started = await startRestore(api, 'cancelled');
  await reached.promise;
  expect((await api.call('POST', `/restores/${started.id}/cancel`, {})).status).toBe(200);
  const cancelled = await untilRestore(api, started.id, state('cancelled'));
  expect(cancelled.ledger.filter((row) => row.state === 'present')).toHaveLength(4);
  expect(codeOf(await api.call('POST', `/restores/${started.id}/retry`))).toBe('RESTORE_TRANSITION_ILLEGAL');
  await api.call('POST', `/restores/${started.id}/rollback`);
  const gone = await untilRestore(api, started.id, state('rolled_back'));
  expect(gone.ledger.every((row) => row.state === 'gone')).toBe(true);
  const undone = agent.commands
    .filter((command) => command.startsWith('undo'))
    .map((one) => one.split('#')[0]);
  expect(undone[0]).toBe('undo create-vm');
  expect(undone.at(-1)).toBe('undo prepare-guest');
  open.resolve();
});

test('cancel with rollback stops and removes in one order, also before anything was made', async () => {
  const { reached, open } = gate();
  agent = await bringAgent(plane, {
    script: {
      'prepare-guest': async ({ send, signal }) => {
        await send({ type: 'ledger-present', resourceKey: 'overlay:0', token: {} });
        reached.resolve();
        const aborted = Promise.withResolvers<void>();
        signal.addEventListener('abort', () => aborted.resolve());
        await Promise.race([aborted.promise, open.promise]);
        throw new AppError({ code: 'OPERATION_CANCELLED', message: 'prepare guest: cancelled' });
      },
    },
  });
  const started = await startRestore(api, 'cancelled-at-once');
  await reached.promise;
  await api.call('POST', `/restores/${started.id}/cancel`, { rollback: true }, 'operator');
  const gone = await untilRestore(api, started.id, state('rolled_back'));
  expect(gone).toMatchObject({ status: 'rolled_back', cancel_requested: true, rollback_requested: true });
  expect(gone.ledger.map((row) => `${row.resource_key} ${row.state}`)).toEqual(['overlay:0 gone']);
  expect(agent.commands.at(-1)).toMatch(/^undo prepare-guest/);
});

test('pause lets running steps end and starts no new one until resume', async () => {
  const { reached, open } = gate();
  agent = await bringAgent(plane, {
    script: {
      'analyze-source': async () => {
        reached.resolve();
        await open.promise;
        return null;
      },
    },
  });
  const started = await startRestore(api, 'paused');
  await reached.promise;
  await api.call('POST', `/restores/${started.id}/pause`);
  open.resolve();
  const paused = await untilRestore(api, started.id, state('paused'));
  expect(paused).toMatchObject({ status: 'paused', pause_requested: true });
  await systemClock.sleep(400);
  expect(agent.commands.some((command) => command.startsWith('run prepare-guest'))).toBe(false);
  await api.call('POST', `/restores/${started.id}/resume`);
  await untilRestore(api, started.id, state('completed'));
});

test('two restores share what only one may use at a time', async () => {
  let starting = 0;
  let most = 0;
  agent = await bringAgent(plane, {
    script: {
      'start-and-verify': async () => {
        starting += 1;
        most = Math.max(most, starting);
        await systemClock.sleep(300);
        starting -= 1;
        return null;
      },
    },
  });
  const started = [await startRestore(api, 'left'), await startRestore(api, 'right')];
  for (const { id } of started) await untilRestore(api, id, state('completed'));
  expect(most).toBe(1);
});

test('two restores that want the same name on the target cannot run at once', async () => {
  const { reached, open } = gate();
  agent = await bringAgent(plane, {
    script: {
      'analyze-source': async () => {
        reached.resolve();
        await open.promise;
        return null;
      },
    },
  });
  const first = await startRestore(api, 'same-name');
  await reached.promise;
  await expect(startRestore(api, 'same-name')).rejects.toThrow('API_RESTORE_NAME_BUSY');
  open.resolve();
  await untilRestore(api, first.id, state('completed'));
});
