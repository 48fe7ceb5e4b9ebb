import { afterEach, beforeEach, expect, test } from 'vitest';
import { createBench, type Bench } from './testing/bench.ts';

let bench: Bench;

beforeEach(async () => {
  bench = await createBench();
});

afterEach(async () => {
  await bench.dispose();
});

const checkpoints = (): number => bench.events.filter((event) => event.type === 'checkpoint').length;
const results = (opId: string): string[] =>
  bench.events.filter((event) => event.eventId === `${opId}:result`).map((event) => event.type);

async function kill(child: { readonly pid: number; readonly ended: Promise<unknown> }): Promise<void> {
  process.kill(child.pid, 'SIGKILL');
  await child.ended;
}

test('an agent killed in the middle of a step goes on at the last checkpoint after its restart: one result', async () => {
  const first = bench.startProcess();
  await bench.command({ ticks: 40, tickMs: 50 }, { opId: 'op-a' });
  await bench.until(() => checkpoints() >= 5, 'five checkpoints');
  await kill(first);
  bench.startProcess();
  await bench.until(() => bench.result('op-a') !== undefined, 'the result', 50_000);
  const lines = await bench.lines();
  const resumedFrom = Number(/from (\d+)/.exec(lines[1] ?? '')?.[1]);
  expect(lines[0]).toBe('start op-a from 0');
  expect(resumedFrom).toBeGreaterThanOrEqual(5);
  expect(lines.slice(2)).toEqual(['end op-a']);
  expect(results('op-a')).toEqual(['succeeded']);
  expect(bench.result('op-a')).toMatchObject({ output: { copied: 40, resumedFrom } });
  expect(bench.hellos.some((open) => open.includes('op-a'))).toBe(true);
});

test.each([
  ['stop', ['cancelled']],
  ['forget', []],
] as const)(
  'an interrupted operation that is answered with %s is not run again',
  async (verdict, expected) => {
    const first = bench.startProcess();
    await bench.command({ ticks: 1_000, tickMs: 50 }, { opId: 'op-a' });
    await bench.until(() => checkpoints() >= 2, 'two checkpoints');
    await kill(first);
    bench.verdicts.set('op-a', verdict);
    bench.startProcess();
    await bench.command({}, { opId: 'op-b', jobId: 'job-2' });
    await bench.until(() => bench.result('op-b') !== undefined, 'the other operation');
    await new Promise((resolve) => setTimeout(resolve, 7_000));
    expect(results('op-a')).toEqual(expected);
    expect((await bench.lines()).filter((line) => line.startsWith('start op-a'))).toHaveLength(1);
  },
);

test('SIGTERM suspends a step without a result, and the next process goes on with it soon', async () => {
  const first = bench.startProcess();
  await bench.command({ ticks: 40, tickMs: 50 }, { opId: 'op-a' });
  await bench.until(() => checkpoints() >= 3, 'three checkpoints');
  process.kill(first.pid, 'SIGTERM');
  expect((await first.ended).exitCode).toBe(0);
  expect(results('op-a')).toEqual([]);
  const stopped = await bench.lines();
  expect(stopped.at(-1)).toMatch(/^stopped op-a at \d+$/);
  bench.startProcess();
  await bench.until(() => bench.result('op-a') !== undefined, 'the result', 15_000);
  expect(results('op-a')).toEqual(['succeeded']);
  expect((await bench.lines())[2]).toMatch(/^start op-a from [1-9]/);
});

test('a result that was stored but not sent before a kill is sent by the next process', async () => {
  const first = bench.startProcess();
  await bench.command({ ticks: 10, tickMs: 100 }, { opId: 'op-a' });
  await bench.until(() => checkpoints() >= 1, 'the first checkpoint');
  await bench.server.kill();
  let lines = await bench.lines();
  for (let round = 0; !lines.includes('end op-a') && round < 100; round += 1) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    lines = await bench.lines();
  }
  await kill(first);
  await bench.server.start();
  bench.startProcess();
  await bench.until(() => bench.result('op-a') !== undefined, 'the result');
  expect(results('op-a')).toEqual(['succeeded']);
  expect((await bench.lines()).filter((line) => line.startsWith('start'))).toHaveLength(1);
});

test.each([
  ['before the first connection', false],
  ['while the bus is away and a step runs', true],
])('SIGTERM %s ends the process cleanly', async (_, connected) => {
  if (!connected) await bench.server.stop();
  const child = bench.startProcess();
  if (connected) {
    await bench.command({ ticks: 1_000, tickMs: 50 }, { opId: 'op-a' });
    await bench.until(() => checkpoints() >= 1, 'the first checkpoint');
    await bench.server.stop();
  }
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  const before = Date.now();
  process.kill(child.pid, 'SIGTERM');
  expect((await child.ended).exitCode).toBe(0);
  expect(Date.now() - before).toBeLessThan(8_000);
  await bench.server.start();
});

test('a second process on the same folder refuses to start', async () => {
  const first = bench.startProcess();
  await bench.until(() => bench.hellos.length > 0, 'the first hello');
  const second = await bench.startProcess().ended;
  expect(second.exitCode).toBe(1);
  expect(second.stderr).toContain('AGENT_LEDGER_IN_USE');
  await first.stop();
});

test('an operation that is delivered again while it still runs is not started twice', async () => {
  await bench.startHere();
  const command = await bench.command({ ticks: 30, tickMs: 50 }, { opId: 'op-a' });
  await bench.until(() => checkpoints() >= 2, 'two checkpoints');
  const signal = AbortSignal.timeout(10_000);
  await bench.control.publishCommand({ siteId: 'north', agentId: 'alpha' }, command, {
    signal,
    msgId: 'op-a#2',
  });
  await bench.until(() => bench.result('op-a') !== undefined, 'the result');
  expect(await bench.lines()).toEqual(['start op-a from 0', 'end op-a']);
});
