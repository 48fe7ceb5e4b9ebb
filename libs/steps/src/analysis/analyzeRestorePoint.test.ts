import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { silentLogger, systemClock } from '@ascend/runtime';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { hashTree, makeChain } from '../testing/sourceChain.ts';
import { createStepWorld, type StepWorld } from '../testing/stepWorld.ts';
import { analyzeRestorePoint } from './analyzeRestorePoint.ts';

let world: StepWorld;
let disks: { diskIndex: number; path: string; format: 'qcow2' }[];
beforeEach(async () => {
  world = await createStepWorld();
  const make = (diskIndex: number) =>
    makeChain({
      rootPath: world.rootPath,
      diskIndex,
      sizeBytes: 8 << 20,
      layers: [
        [{ byte: 1, offsetBytes: 0, lengthBytes: 1 << 20 }],
        [{ byte: 2, offsetBytes: 4 << 20, lengthBytes: 65_536 }],
      ],
    });
  disks = [
    { diskIndex: 1, path: await make(1), format: 'qcow2' },
    { diskIndex: 0, path: await make(0), format: 'qcow2' },
  ];
});
afterEach(() => world[Symbol.asyncDispose]());

const analyze = (signal = new AbortController().signal) =>
  analyzeRestorePoint({
    backupId: 'backup-1',
    rootPath: world.rootPath,
    disks,
    workDir: world.workDir,
    clock: { ...systemClock, now: () => 0 },
    logger: silentLogger,
    signal,
  });

it('tells layers, allocated bytes and the fingerprint that every step compares, and writes nothing', async () => {
  const before = await hashTree(world.rootPath);
  const facts = await analyze();
  await world.planFrom({ disks: { 0: 'disk-0/layer-1.qcow2', 1: 'disk-1/layer-1.qcow2' } });
  expect(facts).toMatchObject({
    backupId: 'backup-1',
    fingerprint: world.plan().source.fingerprint,
    analyzedAt: '1970-01-01T00:00:00.000Z',
    guest: { family: 'unknown', root: null },
  });
  expect(facts.disks.map((disk) => disk.diskIndex)).toEqual([0, 1]);
  expect(facts.disks[0]).toMatchObject({ virtualSizeBytes: 8 << 20, allocatedBytes: (1 << 20) + 65_536 });
  expect(facts.disks[0]?.layers.map((layer) => layer.relPath)).toEqual([
    'disk-0/layer-1.qcow2',
    'disk-0/layer-0.qcow2',
  ]);
  expect(await hashTree(world.rootPath)).toEqual(before);
  expect(await hashTree(world.workDir)).toEqual({});
});

it('names the file that is missing from a chain', async () => {
  await rm(join(world.rootPath, 'disk-1/layer-0.qcow2'));
  await expect(analyze()).rejects.toMatchObject({
    code: 'DISK_BACKING_MISSING',
    message: expect.stringContaining('disk-1/layer-1.qcow2'),
  });
});

it('stops when it is cancelled', async () => {
  await expect(analyze(AbortSignal.abort())).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' });
});
