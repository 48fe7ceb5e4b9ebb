import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createMemoryPlatform } from '@ascend/connector/testing';
import { createBandwidthLimiter, digestDisk, fileSinkModule, openChain, openFileSink } from '@ascend/disk';
import { runProcess } from '@ascend/runtime';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createStepWorld, type StepWorld, type WorldTarget } from '../testing/stepWorld.ts';
import { makeChain } from '../testing/sourceChain.ts';
import { transferDisk } from './handler.ts';
import { transferDiskOutputSchema } from './output.ts';

const mib = 1024 * 1024;
const sizeBytes = 96 * mib;

async function forbidden(): Promise<never> {
  await Promise.resolve();
  throw new Error('written beside the thread');
}

/** The platform in memory, but disks are files that a thread may write: the connector offers both sinks. */
function fileTarget(folder: string): WorldTarget {
  const { connector } = createMemoryPlatform();
  return {
    connection: { region: 'here' },
    connector: {
      ...connector,
      open: async (connection, deps) => {
        const session = await connector.open(connection, deps);
        return {
          ...session,
          openSink: async ({ name, disk, resume, signal }) => {
            const finalPath = join(folder, 'target', `${name}.raw`);
            const file = { finalPath, format: 'raw' as const, sizeBytes: disk.targetSizeBytes };
            const opened = await openFileSink({ ...file, resume, workDir: deps.workDir, signal });
            return {
              ...opened,
              sink: { ...opened.sink, write: forbidden, writeZeros: forbidden, finish: forbidden },
              ref: { diskIndex: disk.diskIndex, name, token: null },
              module: fileSinkModule({ ...file, resume: true }),
            };
          },
          digest: async (ref, signal) => {
            const chain = await openChain({
              rootPath: join(folder, 'target'),
              path: `${ref.name}.raw`,
              format: 'raw',
            });
            return await digestDisk({ image: { chain, overlays: [] }, workDir: deps.workDir, signal });
          },
        };
      },
    },
  };
}

let world: StepWorld;
beforeEach(async () => {
  world = await createStepWorld({ target: fileTarget });
  await mkdir(join(world.folder, 'target'));
  const relPath = await makeChain({
    rootPath: world.rootPath,
    diskIndex: 0,
    sizeBytes,
    layers: [
      [{ byte: 0x11, offsetBytes: 0, lengthBytes: 80 * mib }],
      [{ byte: 0x22, offsetBytes: 70 * mib, lengthBytes: 12 * mib }],
    ],
  });
  await world.planFrom({ disks: { 0: relPath } });
});
afterEach(() => world[Symbol.asyncDispose]());

const output = () => world.output('transfer-disk:0', transferDiskOutputSchema);
const targetFiles = () => readdir(join(world.folder, 'target'));

async function expectIdentical(): Promise<void> {
  const disk = world.plan().source.disks[0]!;
  const [name] = await targetFiles();
  const args = ['compare', '-f', disk.format, '-F', 'raw'];
  const { stdout } = await runProcess({
    program: 'qemu-img',
    args: [...args, join(world.rootPath, disk.relPath), join(world.folder, 'target', name!)],
  });
  expect(stdout).toContain('identical');
}

it('moves a disk in a thread of its own when the connector offers one, and leaves nothing of it', async () => {
  const trace = await world.run(transferDisk, { diskIndex: 0 });
  expect(await targetFiles()).toEqual(['ascend-job-1-transfer-disk-0-disk.raw']);
  await expectIdentical();
  expect(output()).toMatchObject({ resumedFromBytes: 0, readBack: false, bytesCopied: 82 * mib, sizeBytes });
  expect(trace.events[0]).toBe('present disk');
  expect(trace.checkpoint).toMatchObject({ confirmedBytes: sizeBytes, copied: { bytesCopied: 82 * mib } });
  const last = trace.progress.at(-1)!;
  expect(last).toMatchObject({ bytesDone: 82 * mib, bytesTotal: 82 * mib });
  expect((await readdir(world.workDir)).filter((name) => /^(copy|run)-/.test(name))).toEqual([]);
});

it('goes on where it was confirmed after a cancel, and proves the disk by reading it back', async () => {
  const stop = new AbortController();
  const { context, trace } = world.contextFor({ kind: 'transfer-disk', diskIndex: 0, signal: stop.signal });
  const cancelling = {
    ...context,
    checkpoint: async (data: unknown) => {
      await context.checkpoint(data);
      stop.abort();
    },
  };
  await expect(transferDisk.run(cancelling)).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' });
  expect(trace.checkpoint).toMatchObject({ copied: null });
  expect(await targetFiles()).toEqual(['ascend-job-1-transfer-disk-0-disk.raw.partial']);
  await world.run(transferDisk, { diskIndex: 0 });
  await expectIdentical();
  expect(output().resumedFromBytes).toBeGreaterThan(0);
  expect(output().readBack).toBe(true);
});

it('adopts a disk that a thread finished although nobody heard of it, with the result of that attempt', async () => {
  await world.run(transferDisk, { diskIndex: 0 });
  const first = output();
  delete world.outputs['transfer-disk:0'];
  await world.run(transferDisk, { diskIndex: 0 });
  expect(output()).toMatchObject({ sha256: first.sha256, bytesCopied: first.bytesCopied, readBack: true });
});

it('is held in its thread by the cap of the whole process', async () => {
  const { context, trace } = world.contextFor({ kind: 'transfer-disk', diskIndex: 0 });
  // At this rate it would take hours.
  const bandwidth = createBandwidthLimiter(4096);
  const report: typeof context.report = (progress) => {
    context.report(progress);
    if (progress.bytesDone > 0) bandwidth.setRate(null);
  };
  await transferDisk.run({ ...context, bandwidth, report });
  const firstMoved = trace.progress.find((progress) => progress.bytesDone > 0);
  // Nothing but the first block passes before the cap is taken away.
  expect(firstMoved?.bytesDone).toBe(mib);
  await expectIdentical();
});

it("goes on at once when the cap of its own stream is lifted, whatever the plan's policy says", async () => {
  await world.planFrom({
    disks: { 0: world.plan().source.disks[0]!.relPath },
    // What an operator set counts instead; with this it would take hours.
    bandwidthBytesPerSecond: 4096,
  });
  const { context, trace } = world.contextFor({ kind: 'transfer-disk', diskIndex: 0 });
  const streamBandwidth = createBandwidthLimiter(4096);
  const report: typeof context.report = (progress) => {
    context.report(progress);
    if (progress.bytesDone > 0) streamBandwidth.setRate(null);
  };
  await transferDisk.run({ ...context, streamBandwidth, report });
  expect(trace.progress.find((progress) => progress.bytesDone > 0)?.bytesDone).toBe(mib);
  await expectIdentical();
});
