import { afterAll, beforeAll, expect, it } from 'vitest';
import { agentRssMib, peakAgentRssMib } from '../system/agentMemory.ts';
import { startAscend, type AscendSystem } from '../system/ascendSystem.ts';
import { addMicroBackup, startMicro, untilState } from '../system/microRestore.ts';

// What a user is told to reserve: an idle agent, and what each disk in flight adds.
const idleMib = 110;
const diskMib = 56;

let system: AscendSystem;

beforeAll(async () => {
  system = await startAscend();
  await addMicroBackup(system);
});

afterAll(async () => {
  await system?.stop();
});

it('the agent stays within its idle size plus 56 MiB for each of two disks in flight', async () => {
  expect(await agentRssMib(system)).toBeLessThan(idleMib);
  const id = await startMicro(system, 'inc2', 'memory');
  const peak = await peakAgentRssMib(system, id);
  expect((await untilState(system, id, ['completed', 'failed'])).error).toBeNull();
  expect(peak).toBeLessThan(idleMib + 2 * diskMib);
});
