import { silentLogger, systemClock } from '@ascend/runtime';
import { expect, test } from 'vitest';
import { startLoop } from './loop.ts';

async function until(reached: () => boolean): Promise<void> {
  while (!reached()) await systemClock.sleep(2);
}

test('runs at once, rests, and runs again when woken', async () => {
  let runs = 0;
  const loop = startLoop({
    name: 'test',
    intervalMs: 60_000,
    clock: systemClock,
    logger: silentLogger,
    work: async () => {
      runs += 1;
      return 'rest';
    },
  });
  await until(() => runs === 1);
  loop.wake();
  await until(() => runs === 2);
  await loop.stop();
  loop.wake();
  expect(runs).toBe(2);
});

test('goes on without rest while there is more to do, and a wake during a run is not lost', async () => {
  let runs = 0;
  const loop = startLoop({
    name: 'test',
    intervalMs: 60_000,
    clock: systemClock,
    logger: silentLogger,
    work: async () => {
      runs += 1;
      if (runs === 4) loop.wake();
      return runs < 4 ? 'again' : 'rest';
    },
  });
  await until(() => runs === 5);
  await loop.stop();
  expect(runs).toBe(5);
});

test('survives what its work throws', async () => {
  let runs = 0;
  const loop = startLoop({
    name: 'test',
    intervalMs: 1,
    clock: systemClock,
    logger: silentLogger,
    work: async () => {
      runs += 1;
      throw new Error('broken');
    },
  });
  await until(() => runs >= 3);
  await loop.stop();
  expect(runs).toBeGreaterThanOrEqual(3);
});
