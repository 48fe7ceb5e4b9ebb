import type { BootReport } from '@ascend/domain';
import { isAppError } from '@ascend/errors';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createVm } from '../createVm/handler.ts';
import { configureVm } from '../configureVm/handler.ts';
import { bootOutputSchema } from '../bootTest/output.ts';
import { makeChain } from '../testing/sourceChain.ts';
import { createStepWorld, type StepWorld } from '../testing/stepWorld.ts';
import { transferDisk } from '../transferDisk/handler.ts';
import { startAndVerify } from './handler.ts';

let world: StepWorld;
let relPath: string;
beforeEach(async () => {
  world = await createStepWorld();
  const layers = [[{ byte: 1, offsetBytes: 0, lengthBytes: 512 }]];
  relPath = await makeChain({ rootPath: world.rootPath, diskIndex: 0, sizeBytes: 65_536, layers });
  await world.planFrom({ disks: { 0: relPath } });
  await world.run(transferDisk, { diskIndex: 0 });
  await world.run(createVm);
});
afterEach(() => world[Symbol.asyncDispose]());

function answer(change: Partial<BootReport>): void {
  world.platform.bootReport = { ...world.platform.bootReport, ...change };
}
const vm = () => [...world.platform.vms.values()][0]!;

it('starts the VM and keeps the evidence', async () => {
  await world.run(startAndVerify);
  expect(vm().running).toBe(true);
  expect(world.output('start-and-verify', bootOutputSchema).report.verdict).toBe('passed');
});

it('fails with the end of the serial log when the boot was not proven, and leaves the VM running', async () => {
  const evidence = [{ rung: 'serial-marker' as const, passed: false, summary: 'kernel panic', atMs: 1 }];
  answer({ verdict: 'failed', evidence, serialTail: `${'x'.repeat(10_000)}Kernel panic - not syncing` });
  const error: unknown = await world.run(startAndVerify).catch((cause: unknown) => cause);
  expect(error).toMatchObject({ code: 'STEP_BOOT_NOT_PROVEN', details: { verdict: 'failed' } });
  const tail = isAppError(error) ? String(error.details['serialTail']) : '';
  expect(tail).toMatch(/Kernel panic - not syncing$/);
  expect(tail.length).toBe(4096);
  expect(vm().running).toBe(true);
});

it('does not take a screenshot alone for a proof, unless none was demanded', async () => {
  answer({ verdict: 'inconclusive' });
  await expect(world.run(startAndVerify)).rejects.toMatchObject({ code: 'STEP_BOOT_NOT_PROVEN' });
  await world.planFrom({ disks: { 0: relPath }, evidence: 'none' });
  await world.run(startAndVerify);
  answer({ verdict: 'failed' });
  await expect(world.run(startAndVerify)).rejects.toMatchObject({ code: 'STEP_BOOT_NOT_PROVEN' });
});

it('adopts a running VM after a cut, but starts it afresh after a failed proof', async () => {
  world.platform.script.inject({ call: 'verifyBoot', nth: 1, kind: 'fail' });
  await expect(world.run(startAndVerify)).rejects.toMatchObject({ code: 'TARGET_UNREACHABLE' });
  answer({ verdict: 'failed' });
  await expect(world.run(startAndVerify)).rejects.toMatchObject({ code: 'STEP_BOOT_NOT_PROVEN' });
  expect(world.platform.script.count('powerOff')).toBe(0);
  answer({ verdict: 'passed' });
  await world.run(startAndVerify);
  expect(world.platform.script.count('powerOff')).toBe(1);
});

it('drops a picture that no message can carry', async () => {
  answer({ screenshotPng: 'A'.repeat(300_000) });
  await world.run(startAndVerify);
  expect(world.output('start-and-verify', bootOutputSchema).report.screenshotPng).toBeNull();
});

it('says so when the VM was removed by somebody', async () => {
  world.platform.vms.clear();
  await expect(world.run(startAndVerify)).rejects.toMatchObject({ code: 'TARGET_VM_MISSING' });
});

it('configures the VM, again and again', async () => {
  await world.run(configureVm);
  await world.run(configureVm);
  expect(vm().notes).toBe('restored by job job-1');
});
