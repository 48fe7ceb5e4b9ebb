import { chmod, mkdir, rm, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createBandwidthLimiter, createOverlay, openChain, sealOverlay } from '@ascend/disk';
import { runProcess } from '@ascend/runtime';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { digestOf } from '@ascend/connector/testing';
import { createStepWorld, type StepWorld } from '../testing/stepWorld.ts';
import { expectedBytes, hashTree, makeChain, type PatternWrite } from '../testing/sourceChain.ts';
import { transferDisk } from './handler.ts';
import { transferDiskOutputSchema } from './output.ts';

const mib = 1024 * 1024;
const sizeBytes = 8 * mib;
const layers: readonly (readonly PatternWrite[])[] = [
  [{ byte: 0x11, offsetBytes: 0, lengthBytes: 2 * mib }],
  [{ byte: 0x22, offsetBytes: mib, lengthBytes: 3 * mib }],
  [{ byte: 0x33, offsetBytes: 6 * mib, lengthBytes: 65_536 }],
];

let world: StepWorld;
beforeEach(async () => {
  world = await createStepWorld();
  const relPath = await makeChain({ rootPath: world.rootPath, diskIndex: 0, sizeBytes, layers });
  await world.planFrom({ disks: { 0: relPath } });
});
afterEach(() => world[Symbol.asyncDispose]());

const diskName = 'ascend-job-1-transfer-disk-0-disk';
const output = () => world.output('transfer-disk:0', transferDiskOutputSchema);
const transfer = (signal?: AbortSignal) =>
  world.run(transferDisk, { diskIndex: 0, ...(signal === undefined ? {} : { signal }) });

function wholeDisk(writes = layers): boolean {
  const disk = world.platform.disks.get(diskName)!;
  const isSame = Buffer.from(disk.read(0, sizeBytes)).equals(expectedBytes(sizeBytes, writes));
  return isSame && disk.state === 'finished' && output().sha256 === digestOf(disk);
}

/** A sealed overlay as prepare-guest would leave it, with one write in it. */
async function putOverlay(sealId: string, write: PatternWrite): Promise<string> {
  const partialPath = join(world.workDir, 'overlays', `${sealId}.partial.qcow2`);
  const finalPath = join(world.workDir, 'overlays', `${sealId}.qcow2`);
  await mkdir(dirname(partialPath), { recursive: true });
  const path = world.plan().source.disks[0]!.relPath;
  const chain = await openChain({ rootPath: world.rootPath, path, format: 'qcow2' });
  await createOverlay({ image: { chain, overlays: [] }, path: partialPath });
  const command = `write -P ${write.byte} ${write.offsetBytes} ${write.lengthBytes}`;
  await runProcess({ program: 'qemu-io', args: ['-f', 'qcow2', '-c', command, partialPath] });
  await sealOverlay({ partialPath, finalPath });
  world.outputs['prepare-guest'] = {
    startedAtMs: 0,
    endedAtMs: 0,
    sealId,
    overlays: { 0: finalPath },
    diff: [],
    findings: [],
    system: 'test',
  };
  return finalPath;
}

async function planWithOverlay(): Promise<void> {
  await world.planFrom({ disks: { 0: world.plan().source.disks[0]!.relPath }, prepareGuest: true });
}

it('moves the chosen point of a chain and leaves the restore point as it was', async () => {
  const before = await hashTree(world.rootPath);
  const trace = await transfer();
  expect(wholeDisk()).toBe(true);
  expect(output()).toMatchObject({ resumedFromBytes: 0, readBack: false, sizeBytes });
  expect(trace.events[0]).toBe('present disk');
  const last = trace.progress.at(-1)!;
  expect(last.bytesDone).toBe(last.bytesTotal);
  expect(await hashTree(world.rootPath)).toEqual(before);
});

it('moves the sealed overlay together with the chain', async () => {
  await planWithOverlay();
  const edit = { byte: 0x44, offsetBytes: 3 * mib, lengthBytes: 65_536 };
  await putOverlay('seal-1', edit);
  await transfer();
  expect(wholeDisk([...layers, [edit]])).toBe(true);
});

it('refuses an overlay that is gone or that somebody can still write', async () => {
  await planWithOverlay();
  const path = await putOverlay('seal-1', { byte: 1, offsetBytes: 0, lengthBytes: 512 });
  await chmod(path, 0o644);
  await expect(transfer()).rejects.toMatchObject({ code: 'STEP_OVERLAY_MISSING' });
  await rm(path);
  await expect(transfer()).rejects.toMatchObject({ code: 'STEP_OVERLAY_MISSING' });
  expect(world.platform.disks.size).toBe(0);
});

it('goes on at the confirmed offset after a failure and proves the disk by reading it back', async () => {
  world.platform.script.inject({ call: 'finish', nth: 1, kind: 'fail' });
  await expect(transfer()).rejects.toMatchObject({ code: 'TARGET_UNREACHABLE' });
  const written = world.platform.script.count('write');
  await transfer();
  expect(world.platform.script.count('write')).toBe(written);
  expect(wholeDisk()).toBe(true);
  expect(output()).toMatchObject({ resumedFromBytes: sizeBytes, readBack: true });
});

it('adopts a disk that was finished although the answer was lost, with the result of that attempt', async () => {
  world.platform.script.inject({ call: 'finish', nth: 1, kind: 'lose-answer' });
  await expect(transfer()).rejects.toMatchObject({ code: 'TARGET_UNREACHABLE' });
  const written = world.platform.script.count('write');
  await transfer();
  expect(world.platform.script.count('write')).toBe(written);
  expect(wholeDisk()).toBe(true);
  expect(output().bytesCopied).toBeGreaterThan(0);
});

it('finds out when the target does not hold what was confirmed', async () => {
  world.platform.script.inject({ call: 'finish', nth: 1, kind: 'fail' });
  await expect(transfer()).rejects.toMatchObject({ code: 'TARGET_UNREACHABLE' });
  world.platform.disks.get(diskName)!.write(mib, new Uint8Array(512).fill(0x99));
  await expect(transfer()).rejects.toMatchObject({ code: 'STEP_DISK_MISMATCH' });
});

it('starts at zero when the target lost what was confirmed', async () => {
  world.platform.script.inject({ call: 'finish', nth: 1, kind: 'fail' });
  await expect(transfer()).rejects.toMatchObject({ code: 'TARGET_UNREACHABLE' });
  world.platform.disks.clear();
  await transfer();
  expect(wholeDisk()).toBe(true);
  expect(output().resumedFromBytes).toBe(0);
});

it('starts at zero when the guest was prepared anew since the checkpoint', async () => {
  await planWithOverlay();
  await putOverlay('seal-1', { byte: 0x55, offsetBytes: 5 * mib, lengthBytes: mib });
  world.platform.script.inject({ call: 'finish', nth: 1, kind: 'lose-answer' });
  await expect(transfer()).rejects.toMatchObject({ code: 'TARGET_UNREACHABLE' });
  const edit = { byte: 0x66, offsetBytes: 7 * mib, lengthBytes: 65_536 };
  await putOverlay('seal-2', edit);
  await transfer();
  expect(wholeDisk([...layers, [edit]])).toBe(true);
  expect(output().resumedFromBytes).toBe(0);
});

it('keeps what was written when the body is cut, and finishes with the next attempt', async () => {
  world.platform.script.inject({ call: 'write', nth: 2, kind: 'cut' });
  await expect(transfer()).rejects.toMatchObject({ code: 'TARGET_UNREACHABLE' });
  expect(world.platform.disks.has(diskName)).toBe(true);
  await transfer();
  expect(wholeDisk()).toBe(true);
});

it('creates nothing when the restore point is not the planned one any more', async () => {
  const path = join(world.rootPath, world.plan().source.disks[0]!.relPath);
  await utimes(path, new Date(), new Date(Date.now() + 60_000));
  await expect(transfer()).rejects.toMatchObject({ code: 'DISK_SOURCE_CHANGED' });
  expect(world.platform.disks.size).toBe(0);
});

it('asks the cap of the whole process for every byte that it moves', async () => {
  const { context } = world.contextFor({ kind: 'transfer-disk', diskIndex: 0 });
  let taken = 0;
  const take = async (bytes: number): Promise<void> => {
    taken += bytes;
    await Promise.resolve();
  };
  await transferDisk.run({ ...context, bandwidth: { ...createBandwidthLimiter(null), take } });
  expect(taken).toBe(4 * mib + 65_536);
});

it('asks the cap of its own stream for every byte that it moves', async () => {
  const { context } = world.contextFor({ kind: 'transfer-disk', diskIndex: 0 });
  let taken = 0;
  const take = async (bytes: number): Promise<void> => {
    taken += bytes;
    await Promise.resolve();
  };
  await transferDisk.run({ ...context, streamBandwidth: { ...createBandwidthLimiter(null), take } });
  expect(taken).toBe(4 * mib + 65_536);
});

it('creates nothing once it was cancelled', async () => {
  await expect(transfer(AbortSignal.abort())).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' });
  expect(world.platform.disks.size).toBe(0);
});

it('refuses the output of a preparation that has another form', async () => {
  await planWithOverlay();
  world.outputs['prepare-guest'] = { overlays: { 0: 7 } };
  await expect(transfer()).rejects.toMatchObject({ code: 'STEP_OUTPUT_INVALID' });
  delete world.outputs['prepare-guest'];
  await expect(transfer()).rejects.toMatchObject({ code: 'STEP_OUTPUT_INVALID' });
});

it('refuses a disk that the plan does not have', async () => {
  await expect(world.run(transferDisk, { diskIndex: 7 })).rejects.toMatchObject({
    code: 'STEP_PLAN_MISMATCH',
  });
});

it('removes the disk on undo, and calls it success when there is none', async () => {
  await transfer();
  await world.undo(transferDisk, 'disk', 0);
  expect(world.platform.disks.size).toBe(0);
  await world.undo(transferDisk, 'disk', 0);
});

it('reports a broken file of the chain by its own code', async () => {
  const [first] = Object.keys(await hashTree(world.rootPath));
  await writeFile(join(world.rootPath, first!), 'no image');
  await expect(transfer()).rejects.toMatchObject({ code: expect.stringMatching(/^DISK_/) });
});
