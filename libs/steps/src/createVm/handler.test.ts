import { afterEach, beforeEach, expect, it } from 'vitest';
import { createStepWorld, type StepWorld } from '../testing/stepWorld.ts';
import { makeChain } from '../testing/sourceChain.ts';
import { transferDisk } from '../transferDisk/handler.ts';
import { createVm } from './handler.ts';
import { createVmOutputSchema } from './output.ts';

const sizeBytes = 1024 * 1024;
let world: StepWorld;
beforeEach(async () => {
  world = await createStepWorld();
  const layers = [[{ byte: 1, offsetBytes: 0, lengthBytes: 65_536 }]];
  const make = (diskIndex: number) => makeChain({ rootPath: world.rootPath, diskIndex, sizeBytes, layers });
  await world.planFrom({ disks: { 1: await make(1), 0: await make(0) } });
  await world.run(transferDisk, { diskIndex: 1 });
  await world.run(transferDisk, { diskIndex: 0 });
});
afterEach(() => world[Symbol.asyncDispose]());

const vms = () => [...world.platform.vms.values()];

it('creates the VM with its disks in the order of their indexes and notes the token before anything else', async () => {
  const trace = await world.run(createVm);
  expect(vms()).toHaveLength(1);
  expect(vms()[0]).toMatchObject({
    name: 'restored',
    ownedName: 'ascend-job-1-create-vm-vm',
    running: false,
    diskNames: ['ascend-job-1-transfer-disk-0-disk', 'ascend-job-1-transfer-disk-1-disk'],
  });
  expect(trace.events).toEqual(['present vm']);
  expect(world.output('create-vm', createVmOutputSchema).vm.id).toBe(vms()[0]!.id);
});

it('adopts the VM when the answer to the creating call was lost', async () => {
  world.platform.script.inject({ call: 'createVm', nth: 1, kind: 'lose-answer' });
  await expect(world.run(createVm)).rejects.toMatchObject({ code: 'TARGET_UNREACHABLE' });
  expect(vms()).toHaveLength(1);
  await world.run(createVm);
  expect(vms()).toHaveLength(1);
  expect(world.output('create-vm', createVmOutputSchema).vm.id).toBe(vms()[0]!.id);
});

it('creates nothing while a disk has not been moved', async () => {
  delete world.outputs['transfer-disk:1'];
  await expect(world.run(createVm)).rejects.toMatchObject({ code: 'STEP_OUTPUT_INVALID' });
  expect(vms()).toHaveLength(0);
});

it('removes a running VM on undo', async () => {
  await world.run(createVm);
  vms()[0]!.running = true;
  await world.undo(createVm, 'vm');
  expect(vms()).toHaveLength(0);
  expect(world.platform.script.count('powerOff')).toBe(1);
});

it('removes on undo a VM whose token was never noted, and calls it success when there is none', async () => {
  world.platform.script.inject({ call: 'createVm', nth: 1, kind: 'lose-answer' });
  await expect(world.run(createVm)).rejects.toMatchObject({ code: 'TARGET_UNREACHABLE' });
  expect(world.tokens.has('create-vm vm')).toBe(false);
  await world.undo(createVm, 'vm');
  expect(vms()).toHaveLength(0);
  await world.undo(createVm, 'vm');
});
