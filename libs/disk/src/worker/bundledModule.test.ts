import { expect, test } from 'vitest';
import { bundledModule } from './bundledModule.ts';

test.each([
  ['file:///app/libs/disk/src/worker/copyInWorker.ts', 'file:///app/libs/disk/src/worker/copyWorker.ts'],
  ['file:///opt/ascend/agent.mjs', 'file:///opt/ascend/copyWorker.mjs'],
  ['file:///opt/with%20space/agent.js', 'file:///opt/with%20space/copyWorker.js'],
])('the thread that %s starts is %s', (from, expected) => {
  expect(bundledModule(new URL('./copyWorker.ts', from), from)).toBe(expected);
});
