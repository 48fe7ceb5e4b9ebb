import { afterEach, beforeEach, expect, test } from 'vitest';
import type { GuestSources } from '@ascend/guest';
import { createBench, type Bench } from './testing/bench.ts';

let bench: Bench;
beforeEach(async () => {
  bench = await createBench();
});
afterEach(async () => {
  await bench.dispose();
});

test('a step is told where this agent keeps drivers and packages', async () => {
  const seen: (GuestSources | undefined)[] = [];
  await bench.startHere({
    handlers: async () =>
      await Promise.resolve({
        'transfer-disk': {
          kind: 'transfer-disk',
          run: async (context) => {
            seen.push(context.guestSources);
            return await Promise.resolve(null);
          },
        },
      }),
  });
  const { opId } = await bench.command({});
  await bench.until(() => bench.result(opId) !== undefined, 'the step has ended');
  expect(bench.result(opId)?.type).toBe('succeeded');
  expect(seen).toEqual([{ windowsDrivers: null, agentPackages: bench.dir }]);
});
