import { access, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { analyzeSource } from '../analyzeSource/handler.ts';
import { configureVm } from '../configureVm/handler.ts';
import { createVm } from '../createVm/handler.ts';
import { startAndVerify } from '../startAndVerify/handler.ts';
import { makeChain } from '../testing/sourceChain.ts';
import { createStepWorld, type StepWorld } from '../testing/stepWorld.ts';
import { transferDisk } from '../transferDisk/handler.ts';
import { validateTarget } from '../validateTarget/handler.ts';
import { finalize } from './handler.ts';

let world: StepWorld;
beforeEach(async () => {
  world = await createStepWorld();
  const layers = [[{ byte: 1, offsetBytes: 0, lengthBytes: 65_536 }]];
  const disks = {
    0: await makeChain({ rootPath: world.rootPath, diskIndex: 0, sizeBytes: 1_048_576, layers }),
  };
  await world.planFrom({
    disks,
    nics: [{ mac: '00:50:56:aa:bb:01', guestName: null, addresses: ['10.0.2.77/24'] }],
  });
  for (const step of [analyzeSource, validateTarget]) await world.run(step);
  await world.run(transferDisk, { diskIndex: 0 });
  for (const step of [createVm, startAndVerify, configureVm]) await world.run(step);
});
afterEach(() => world[Symbol.asyncDispose]());

const output = () => world.outputs['finalize'];
const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

it('reports planned against measured, with digests and evidence', async () => {
  await world.run(finalize);
  expect(output()).toMatchObject({
    report: {
      reportVersion: 1,
      jobId: 'job-1',
      vmName: 'restored',
      sourceUnchanged: true,
      disks: [
        {
          diskIndex: 0,
          relPath: 'disk-0/layer-0.qcow2',
          sizeBytes: 1_048_576,
          copiedBytes: 65_536,
          sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
        },
      ],
      nics: [{ mac: '00:50:56:aa:bb:01', addresses: ['10.0.2.77/24'] }],
      boot: { verdict: 'passed' },
      rehearsal: null,
      guest: null,
      plannedDurationMs: { p50: 1000, p90: 2000 },
      measuredDurationMs: expect.any(Number),
      vmId: [...world.platform.vms.keys()][0],
    },
  });
  expect(output()).toMatchObject({
    report: {
      steps: [
        { key: 'analyze-source' },
        { key: 'validate-target' },
        { key: 'transfer-disk:0' },
        { key: 'create-vm' },
        { key: 'start-and-verify' },
        { key: 'configure-vm' },
      ],
    },
  });
});

it('leaves nothing in the work folder, closes the ledger rows of the overlays, and may run again', async () => {
  await world.planFrom({ disks: { 0: 'disk-0/layer-0.qcow2' }, prepareGuest: true });
  const overlay = join(world.workDir, 'overlays', 'x.qcow2');
  world.outputs['prepare-guest'] = {
    startedAtMs: 1,
    endedAtMs: 3,
    sealId: 'op',
    overlays: { 0: overlay },
    diff: [{ path: '/etc/fstab', change: 'changed' }],
    findings: [],
    system: 'debian 12',
  };
  await mkdir(join(world.workDir, 'overlays'));
  await writeFile(overlay, '');
  const trace = await world.run(finalize);
  expect(await exists(world.workDir)).toBe(false);
  expect(trace.events).toEqual(['gone prepare-guest overlay:0']);
  expect(output()).toMatchObject({
    report: { guest: { system: 'debian 12', diff: [{ path: '/etc/fstab', change: 'changed' }] } },
  });
  await world.run(finalize);
  expect(world.platform.vms.size).toBe(1);
});

it('says that the restore point changed meanwhile, without failing a finished restore', async () => {
  await rm(join(world.rootPath, 'disk-0/layer-0.qcow2'));
  await world.run(finalize);
  expect(output()).toMatchObject({ report: { sourceUnchanged: false } });
});
