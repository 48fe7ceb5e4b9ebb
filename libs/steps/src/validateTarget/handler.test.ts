import { afterEach, beforeEach, expect, it } from 'vitest';
import { analyzeSource } from '../analyzeSource/handler.ts';
import { createVm } from '../createVm/handler.ts';
import { makeChain } from '../testing/sourceChain.ts';
import { createStepWorld, type StepWorld } from '../testing/stepWorld.ts';
import { transferDisk } from '../transferDisk/handler.ts';
import { validateTarget } from './handler.ts';

let world: StepWorld;
let relPath: string;
beforeEach(async () => {
  world = await createStepWorld();
  const layers = [[{ byte: 1, offsetBytes: 0, lengthBytes: 512 }], []];
  relPath = await makeChain({ rootPath: world.rootPath, diskIndex: 0, sizeBytes: 65_536, layers });
  await world.planFrom({ disks: { 0: relPath } });
});
afterEach(() => world[Symbol.asyncDispose]());

it('passes a VM that fits and creates nothing', async () => {
  await world.run(validateTarget);
  expect(world.platform.vms.size + world.platform.disks.size).toBe(0);
});

it('fails with the code of the obstacle, its evidence and what to do', async () => {
  await world.planFrom({ disks: { 0: relPath }, storage: 'tiny' });
  await expect(world.run(validateTarget)).rejects.toMatchObject({
    code: 'TARGET_STORAGE_FULL',
    hint: expect.stringContaining('Free space'),
    details: { evidence: expect.stringContaining('tiny') },
  });
  await world.planFrom({
    disks: { 0: relPath },
    network: 'nowhere',
    nics: [{ mac: null, guestName: null, addresses: [] }],
  });
  await expect(world.run(validateTarget)).rejects.toMatchObject({ code: 'TARGET_NETWORK_UNKNOWN' });
});

it('does not trip over what an earlier attempt of the same job made', async () => {
  await world.run(transferDisk, { diskIndex: 0 });
  await world.run(createVm);
  await world.run(validateTarget);
  expect(world.outputs['validate-target']).toMatchObject({ findings: [] });
});

it('names the layers of the restore point and fails when it changed', async () => {
  await world.run(analyzeSource);
  expect(world.outputs['analyze-source']).toMatchObject({
    fingerprint: world.plan().source.fingerprint,
    disks: [{ diskIndex: 0, virtualSizeBytes: 65_536, layerCount: 2 }],
  });
  await makeChain({ rootPath: world.rootPath, diskIndex: 0, sizeBytes: 131_072, layers: [[], []] });
  await expect(world.run(analyzeSource)).rejects.toMatchObject({ code: 'DISK_SOURCE_CHANGED' });
});
