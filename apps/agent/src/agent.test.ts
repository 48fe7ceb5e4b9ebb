import { afterEach, beforeEach, expect, test } from 'vitest';
import { sampleCommand } from '@ascend/bus/testing';
import type { LedgerEntry } from '@ascend/domain';
import type { StepContext, StepHandler } from '@ascend/steps';
import { address, createBench, type Bench } from './testing/bench.ts';

let bench: Bench;

beforeEach(async () => {
  bench = await createBench();
});

afterEach(async () => {
  await bench.dispose();
});

const typesOf = (opId: string): string[] =>
  bench.events.filter((event) => event.opId === opId).map((event) => event.type);

test('a command is accepted, run, and its facts and result reach the control plane in order', async () => {
  const progress: number[] = [];
  bench.control.subscribeProgress((message) => progress.push(message.bytesDone));
  await bench.startHere();
  await bench.command({ ticks: 2 }, { opId: 'op-a' });
  await bench.until(() => bench.result('op-a') !== undefined, 'the result');
  const types = typesOf('op-a');
  expect([types[0], types.at(-2), types.at(-1)]).toEqual(['accepted', 'ledger-present', 'succeeded']);
  expect(bench.result('op-a')).toMatchObject({ output: { copied: 2, resumedFrom: 0 }, epoch: 1 });
  expect(bench.events.find((event) => event.type === 'ledger-present')).toMatchObject({
    resourceKey: 'disk',
    token: { name: 'ascend-job-1-transfer-disk-0-disk' },
  });
  await bench.until(() => progress.includes(2), 'the last progress');
  expect(await bench.lines()).toEqual(['start op-a from 0', 'end op-a']);
});

test('a command that comes again after its end is answered again and not run again', async () => {
  const agent = await bench.startHere();
  const command = await bench.command({}, { opId: 'op-a' });
  await bench.until(() => bench.result('op-a') !== undefined, 'the result');
  bench.events.length = 0;
  await bench.control.publishCommand(address, command, {
    signal: AbortSignal.timeout(10_000),
    msgId: 'op-a#2',
  });
  await bench.command({}, { opId: 'op-b', jobId: 'job-2' });
  await bench.until(() => bench.result('op-b') !== undefined, 'the next result');
  expect(await bench.lines()).toEqual(['start op-a from 0', 'end op-a', 'start op-b from 0', 'end op-b']);
  await agent.stop();
});

test('all operations of an agent share the one cap that it was given', async () => {
  const caps: StepContext['bandwidth'][] = [];
  const handler: StepHandler = {
    kind: 'transfer-disk',
    run: async ({ bandwidth }) => {
      caps.push(bandwidth);
      await Promise.resolve();
      return {};
    },
  };
  await bench.startHere({ handlers: async () => await Promise.resolve({ 'transfer-disk': handler }) });
  await bench.command({}, { opId: 'op-a' });
  await bench.command({}, { opId: 'op-b', jobId: 'job-2' });
  await bench.until(() => caps.length === 2, 'both operations');
  expect(caps[0]?.bytesPerSecond).toBe(64 * 1024 ** 2);
  expect(caps[1]).toBe(caps[0]);
});

test('caps change while an operation runs: of its restore by request, of the whole agent by hello', async () => {
  const contexts: StepContext[] = [];
  const handler: StepHandler = {
    kind: 'transfer-disk',
    run: async (context) => {
      contexts.push(context);
      if (contexts.length === 1) await bench.until(() => contexts.length > 1, 'the second operation');
      return {};
    },
  };
  bench.bandwidth.current = { agent: { bytesPerSecond: 32, revision: 1 }, jobs: {} };
  await bench.startHere({ handlers: async () => await Promise.resolve({ 'transfer-disk': handler }) });
  await bench.command({}, { opId: 'op-a', bandwidth: { bytesPerSecond: 7, revision: 1 } });
  await bench.until(() => contexts.length === 1, 'the first operation');
  const [first] = contexts;
  expect(first?.bandwidth?.bytesPerSecond).toBe(32);
  expect(first?.streamBandwidth?.bytesPerSecond).toBe(7);
  const limit = { jobId: 'job-1', cap: { bytesPerSecond: null, revision: 3 } };
  expect(await bench.control.request(address, 'limit', limit, { deadlineMs: 2_000 })).toBeNull();
  expect(first?.streamBandwidth?.bytesPerSecond).toBeNull();
  // A command that lay on the bus since before the change must not bring the old cap back.
  await bench.command(
    {},
    { opId: 'op-b', stepKey: 'transfer-disk:1', bandwidth: { bytesPerSecond: 7, revision: 1 } },
  );
  await bench.until(() => contexts.length === 2, 'the second operation');
  expect(contexts[1]?.streamBandwidth?.bytesPerSecond).toBeNull();
  const whole = { jobId: null, cap: { bytesPerSecond: 64, revision: 2 } };
  await bench.control.request(address, 'limit', whole, { deadlineMs: 2_000 });
  expect(first?.bandwidth?.bytesPerSecond).toBe(64);
});

test('a failure arrives with code, hint and details', async () => {
  await bench.startHere();
  await bench.command({ fail: true }, { opId: 'op-a' });
  await bench.until(() => bench.result('op-a') !== undefined, 'the result');
  expect(bench.result('op-a')).toMatchObject({
    type: 'failed',
    error: { code: 'INPUT_INVALID', message: 'copy: told to fail' },
  });
});

test('a result that no message can hold becomes a failure, and later events are not held up by it', async () => {
  await bench.startHere();
  await bench.command({ outputBytes: 9 * 1024 * 1024 }, { opId: 'op-a' });
  await bench.command({}, { opId: 'op-b', jobId: 'job-2' });
  await bench.until(() => bench.result('op-b') !== undefined, 'the small result');
  await bench.until(() => bench.result('op-a') !== undefined, 'the large result');
  expect(bench.result('op-a')).toMatchObject({
    type: 'failed',
    error: { code: 'BUS_MESSAGE_TOO_LARGE', details: { limitBytes: 8 * 1024 * 1024 } },
  });
});

test('a running operation is cancelled by message within seconds', async () => {
  await bench.startHere();
  await bench.command({ ticks: 10_000 }, { opId: 'op-a' });
  await bench.until(() => typesOf('op-a').includes('checkpoint'), 'the first checkpoint');
  const before = Date.now();
  bench.control.cancel(address, 'op-a');
  await bench.until(() => bench.result('op-a') !== undefined, 'the result', 10_000);
  expect(bench.result('op-a')?.type).toBe('cancelled');
  expect(Date.now() - before).toBeLessThan(5_000);
});

test('a running operation is cancelled by the polled flag within 10 s', async () => {
  await bench.startHere();
  await bench.command({ ticks: 10_000 }, { opId: 'op-a' });
  await bench.until(() => typesOf('op-a').includes('checkpoint'), 'the first checkpoint');
  bench.verdicts.set('op-a', 'stop');
  await bench.until(() => bench.result('op-a') !== undefined, 'the result', 10_000);
  expect(bench.result('op-a')?.type).toBe('cancelled');
});

test('a result made while the bus is away arrives when it is back', async () => {
  await bench.startHere();
  await bench.command({ ticks: 15, tickMs: 100 }, { opId: 'op-a' });
  await bench.until(() => typesOf('op-a').includes('checkpoint'), 'the first checkpoint');
  await bench.server.kill();
  let lines = await bench.lines();
  for (let round = 0; !lines.includes('end op-a') && round < 100; round += 1) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    lines = await bench.lines();
  }
  expect(lines).toContain('end op-a');
  await bench.server.start();
  await bench.until(() => bench.result('op-a') !== undefined, 'the result');
  expect(bench.result('op-a')?.type).toBe('succeeded');
  expect((await bench.lines()).filter((line) => line.startsWith('start'))).toEqual(['start op-a from 0']);
});

test('a command of an older epoch and one after its latest start are refused with their codes', async () => {
  await bench.startHere();
  await bench.command({}, { opId: 'op-new', epoch: 5 });
  await bench.until(() => bench.result('op-new') !== undefined, 'the first result');
  await bench.command({}, { opId: 'op-old', epoch: 4 });
  await bench.command({}, { opId: 'op-late', jobId: 'job-2', deadlineMs: Date.now() - 1_000 });
  await bench.until(() => bench.result('op-old') !== undefined, 'the fenced result');
  await bench.until(() => bench.result('op-late') !== undefined, 'the late result');
  expect(bench.result('op-old')).toMatchObject({ type: 'failed', error: { code: 'AGENT_COMMAND_FENCED' } });
  expect(bench.result('op-late')).toMatchObject({ type: 'failed', error: { code: 'AGENT_DEADLINE_PASSED' } });
  expect(await bench.lines()).toEqual(['start op-new from 0', 'end op-new']);
});

test('an undo works on the token that this agent stored, even if the control plane never got it', async () => {
  await bench.startHere();
  await bench.command({}, { opId: 'op-a' });
  await bench.until(() => bench.result('op-a') !== undefined, 'the result');
  const entry: LedgerEntry = {
    jobId: 'job-1',
    stepKey: 'transfer-disk:0',
    resourceKey: 'disk',
    targetId: 'target-1',
    kind: 'disk',
    name: 'ascend-job-1-transfer-disk-0-disk',
    token: null,
    state: 'intended',
    undoOrder: 1,
    opId: null,
  };
  await bench.command({}, { opId: 'op-undo', mode: 'undo', resourceKey: 'disk', ledger: [entry] });
  await bench.command({}, { opId: 'op-lost', mode: 'undo', resourceKey: 'other', ledger: [entry] });
  await bench.until(() => bench.result('op-lost') !== undefined, 'the last result');
  await bench.until(() => bench.result('op-undo') !== undefined, 'the undo');
  expect(typesOf('op-undo')).toEqual(['accepted', 'ledger-gone', 'undone']);
  expect(bench.result('op-lost')).toMatchObject({ type: 'undo-failed', error: { code: 'INPUT_INVALID' } });
  expect(await bench.lines()).toContain('undo disk {"name":"ascend-job-1-transfer-disk-0-disk"}');
});

test('a command of another version and an unknown platform fail with codes, an unsafe job id is dropped', async () => {
  await bench.startHere();
  const signal = AbortSignal.timeout(20_000);
  const odd = { ...sampleCommand({ opId: 'op-odd' }), plan: { planVersion: 9 } };
  // @ts-expect-error a plan of another version
  await bench.control.publishCommand(address, odd, { signal });
  await bench.command({}, { opId: 'op-path', jobId: '..' });
  const target = { targetId: 't', platform: 'toaster', connection: {} };
  await bench.command({}, { opId: 'op-toaster', target });
  for (const opId of ['op-odd', 'op-toaster']) {
    await bench.until(() => bench.result(opId) !== undefined, opId);
  }
  expect(bench.result('op-odd')).toMatchObject({ type: 'failed', error: { code: 'BUS_MESSAGE_INVALID' } });
  expect(bench.result('op-toaster')).toMatchObject({ error: { code: 'AGENT_CONNECTOR_MISSING' } });
  expect(await bench.lines()).toEqual([]);
});
