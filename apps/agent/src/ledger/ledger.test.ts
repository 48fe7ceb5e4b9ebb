import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AppError } from '@ascend/errors';
import type { Clock } from '@ascend/runtime';
import { openLedger, type OpLedger } from './ledger.ts';

let dir: string;
let ledger: OpLedger;
let now = 0;
const clock: Clock = { now: () => now, sleep: async () => await Promise.resolve() };
const head = { opId: 'op-1', jobId: 'job-1', stepKey: 'create-vm', epoch: 3 };

beforeEach(async () => {
  now = 1_000;
  dir = await mkdtemp(join(tmpdir(), 'ascend-ledger-'));
  ledger = openLedger(join(dir, 'ledger.sqlite'), clock);
});

afterEach(async () => {
  ledger.close();
  await rm(dir, { recursive: true, force: true });
});

/** Takes all queued events out, as `type`. */
function drain(): string[] {
  const types: string[] = [];
  for (let next = ledger.nextEvent(); next !== null; next = ledger.nextEvent()) {
    types.push(next.event.type);
    ledger.sent(next.seq);
  }
  return types;
}

test('an operation goes from accepted to finished, and each change queues its event in order', () => {
  expect(ledger.find('op-1')).toBeNull();
  ledger.accept(head, 'run');
  expect(ledger.find('op-1')).toEqual({ state: 'accepted', checkpoint: null });
  ledger.running(head);
  ledger.checkpoint(head, { at: 1 });
  ledger.present(head, 'vm', { id: 'x' });
  expect(ledger.find('op-1')).toEqual({ state: 'running', checkpoint: { at: 1 } });
  expect(ledger.openOps()).toEqual([head]);
  ledger.finish(head, { type: 'succeeded', output: { ok: true } });
  expect(ledger.openOps()).toEqual([]);
  expect(drain()).toEqual(['accepted', 'checkpoint', 'ledger-present', 'succeeded']);
});

test('of several unsent checkpoints only the last is kept', () => {
  ledger.accept(head, 'run');
  for (const at of [1, 2, 3]) ledger.checkpoint(head, at);
  expect(drain()).toEqual(['accepted', 'checkpoint']);
  ledger.checkpoint(head, 4);
  expect(ledger.nextEvent()?.event).toMatchObject({ type: 'checkpoint', data: 4 });
});

test('the first result stays, and is repeated with the same event id', () => {
  ledger.accept(head, 'run');
  ledger.finish(head, { type: 'cancelled' });
  ledger.finish(head, { type: 'succeeded', output: null });
  expect(drain()).toEqual(['accepted', 'cancelled']);
  ledger.repeat('op-1');
  expect(ledger.nextEvent()?.event).toMatchObject({ type: 'cancelled', eventId: 'op-1:result' });
  ledger.repeat('op-1');
  expect(drain()).toEqual(['cancelled']);
});

test('a refused operation is finished without having been accepted', () => {
  const error = new AppError({ code: 'INPUT_INVALID', message: 'no', details: { names: ['a', 'b'] } });
  ledger.finish(head, { type: 'failed', error });
  expect(ledger.find('op-1')?.state).toBe('finished');
  expect(ledger.nextEvent()?.event).toMatchObject({
    type: 'failed',
    error: { details: { names: ['a', 'b'] } },
  });
});

test('a forgotten operation is over, without a result; only facts about resources are still told', () => {
  ledger.accept(head, 'run');
  ledger.checkpoint(head, 1);
  ledger.present(head, 'vm', {});
  ledger.forget('op-1');
  ledger.repeat('op-1');
  expect(drain()).toEqual(['ledger-present']);
  expect(ledger.find('op-1')?.state).toBe('finished');
});

test('the fence of a step only rises', () => {
  expect(ledger.highestEpoch('job-1', 'create-vm', 'run')).toBe(0);
  ledger.accept(head, 'run');
  ledger.accept({ ...head, opId: 'op-0', epoch: 1 }, 'run');
  expect(ledger.highestEpoch('job-1', 'create-vm', 'run')).toBe(3);
  expect(ledger.highestEpoch('job-1', 'transfer-disk:0', 'run')).toBe(0);
});

test('an undo fences all runs of its job, but no other undo', () => {
  ledger.accept({ ...head, opId: 'op-undo', epoch: 4 }, 'undo');
  expect(ledger.highestEpoch('job-1', 'transfer-disk:0', 'run')).toBe(4);
  expect(ledger.highestEpoch('job-1', 'transfer-disk:0', 'undo')).toBe(0);
  expect(ledger.highestEpoch('job-2', 'transfer-disk:0', 'run')).toBe(0);
});

test('resource facts keep the newest state, and a removed one its token and its owner', () => {
  ledger.accept(head, 'run');
  ledger.present(head, 'vm', { id: 1 });
  ledger.present(head, 'vm', { id: 2 });
  const finalize = { ...head, opId: 'op-9', stepKey: 'finalize' };
  ledger.accept(finalize, 'run');
  ledger.gone(finalize, 'vm', 'create-vm');
  expect(ledger.resources('job-1')).toEqual([
    { stepKey: 'create-vm', resourceKey: 'vm', state: 'gone', token: { id: 2 } },
  ]);
  for (let next = ledger.nextEvent(); next?.event.type !== 'ledger-gone'; next = ledger.nextEvent()) {
    ledger.sent(next?.seq ?? 0);
  }
  expect(ledger.nextEvent()?.event).toMatchObject({ opId: 'op-9', stepKey: 'create-vm', resourceKey: 'vm' });
});

test('everything survives closing and opening, as after a kill', () => {
  ledger.accept(head, 'run');
  ledger.running(head);
  ledger.checkpoint(head, { at: 7 });
  ledger.close();
  ledger = openLedger(join(dir, 'ledger.sqlite'), clock);
  expect(ledger.find('op-1')).toEqual({ state: 'running', checkpoint: { at: 7 } });
  expect(drain()).toEqual(['accepted', 'checkpoint']);
});

test('a second opening of the same file is refused', () => {
  expect(() => openLedger(join(dir, 'ledger.sqlite'), clock)).toThrow(/another process/);
});

test('a place that cannot be written is a coded error', () => {
  expect(() => openLedger(join(dir, 'ledger.sqlite', 'ledger.sqlite'), clock)).toThrow(
    expect.objectContaining({ code: 'AGENT_LEDGER_FAILED' }),
  );
});

test('old finished operations go, unsent results stay however old', () => {
  ledger.finish(head, { type: 'cancelled' });
  ledger.finish({ ...head, opId: 'op-2' }, { type: 'cancelled' });
  const first = ledger.nextEvent();
  ledger.sent(first?.seq ?? 0);
  now = 100_000;
  ledger.prune(50_000);
  expect(ledger.find('op-1')).toBeNull();
  expect(ledger.find('op-2')?.state).toBe('finished');
});

test('an event can be replaced by another under its place and id', () => {
  ledger.finish(head, { type: 'succeeded', output: 'large' });
  const next = ledger.nextEvent();
  if (next === null) throw new Error('nothing queued');
  const { v, eventId, opId, jobId, stepKey, epoch, atMs } = next.event;
  ledger.replace(next.seq, { v, eventId, opId, jobId, stepKey, epoch, atMs, type: 'cancelled' });
  expect(drain()).toEqual(['cancelled']);
});
