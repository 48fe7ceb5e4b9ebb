import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connectNbd, digestDisk, fileBlockdev, openChain, serveNbd } from '@ascend/disk';
import { kvmConnector, listLocalVms, stopLocalVms } from '@ascend/platform-kvm';
import { runProcess, Secret, silentLogger, systemClock } from '@ascend/runtime';
import { handlers, type StepHandler } from '@ascend/steps';
import { createStepWorld, hashTree, makeChain, type StepWorld } from '@ascend/steps/testing';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { copyBackup, imagePath, type BuiltBackup } from '../guests/builtBackup.ts';
import { microBackup } from '../guests/microGuest.ts';

const cacheDir = new URL('../../.ascend/cache', import.meta.url).pathname;
const signal = new AbortController().signal;

let world: StepWorld;
let connection: { readonly storages: { readonly disks: string }; readonly state_dir: string };

beforeEach(async () => {
  world = await createStepWorld({
    target: (folder) => {
      connection = { storages: { disks: join(folder, 'disks') }, state_dir: join(folder, 'state') };
      return { connector: kvmConnector, connection };
    },
  });
  await mkdir(connection.storages.disks);
});
afterEach(async () => {
  await stopLocalVms(connection.state_dir, 0);
  await world[Symbol.asyncDispose]();
});

const openSession = () =>
  kvmConnector.open(kvmConnector.parseConnection(connection), {
    logger: silentLogger,
    clock: systemClock,
    secrets: async () => new Secret(''),
    workDir: world.workDir,
  });

async function findOwned(): Promise<string[]> {
  await using session = await openSession();
  return (await session.findOwned(world.jobId, signal)).map(({ kind, name }) => `${kind} ${name}`).toSorted();
}

async function putMicroGuest(): Promise<BuiltBackup> {
  return copyBackup(await microBackup({ cacheDir }), world.rootPath);
}

async function planMicro(backup: BuiltBackup, prepareGuest: boolean): Promise<void> {
  await world.planFrom({
    disks: { 0: imagePath(backup, 0, 'inc1'), 1: imagePath(backup, 1, 'inc1') },
    prepareGuest,
    evidence: 'serial-marker',
    serialMarker: 'ASCEND-READY',
    bootTimeoutMs: 180_000,
    storage: 'disks',
    network: 'user',
    nics: backup.vm.nics.map(({ mac, addresses }) => ({ mac, guestName: 'eth0', addresses })),
  });
}

async function runAll(...kinds: readonly (keyof typeof handlers)[]): Promise<void> {
  for (const kind of kinds) {
    const disks = kind === 'transfer-disk' ? world.plan().disks.map((disk) => disk.diskIndex) : [undefined];
    for (const diskIndex of disks) {
      await world.run(handlers[kind], diskIndex === undefined ? {} : { diskIndex });
    }
  }
}

async function rollBack(): Promise<void> {
  const resources = world
    .plan()
    .steps.flatMap((step) => step.resources.map((resource) => ({ step, resource })))
    .toSorted((left, right) => right.resource.undoOrder - left.resource.undoOrder);
  for (const { step, resource } of resources) {
    await world.undo(handlers[step.kind], resource.resourceKey, step.diskIndex ?? undefined);
  }
}

const isThere = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

/** Runs one attempt of a step in a process of its own, which kills itself (-9) when a resource is noted or a boot is watched. */
async function runAndDie(handler: StepHandler, diskIndex?: number): Promise<void> {
  const { context } = world.contextFor({
    kind: handler.kind,
    ...(diskIndex === undefined ? {} : { diskIndex }),
  });
  const file = join(world.folder, 'attempt.json');
  const { operation, workDir } = context;
  await writeFile(file, JSON.stringify({ operation, workDir, connection }));
  const script = new URL('dyingAttempt.ts', import.meta.url).pathname;
  await expect(runProcess({ program: process.execPath, args: [script, file] })).rejects.toMatchObject({
    code: 'PROCESS_FAILED',
    details: { signal: 'SIGKILL' },
  });
}

it('restores a chain of two disks, prepared, to a VM that boots, outlives its agent and is never started twice', async () => {
  const backup = await putMicroGuest();
  const before = await hashTree(world.rootPath);
  await planMicro(backup, true);
  await runAll('analyze-source', 'validate-target', 'prepare-guest', 'transfer-disk', 'create-vm');
  await runAndDie(handlers['start-and-verify']);
  const pidFile = join(connection.state_dir, 'vms', 'restored', 'machine', 'pid');
  const pid = await readFile(pidFile, 'utf8');
  await runAll('start-and-verify', 'configure-vm', 'finalize');
  expect(await readFile(pidFile, 'utf8')).toBe(pid);
  const said: unknown = expect.stringContaining('ASCEND-READY root=inc1 data=inc1 addr=10.0.2.78/24');
  expect(world.outputs['start-and-verify']).toMatchObject({
    report: { verdict: 'passed', serialTail: said },
  });
  expect(await listLocalVms(connection.state_dir)).toMatchObject([{ name: 'restored', running: true }]);
  expect(await hashTree(world.rootPath)).toEqual(before);
  expect(await isThere(world.workDir)).toBe(false);
  expect(world.outputs['finalize']).toMatchObject({
    report: { sourceUnchanged: true, boot: { verdict: 'passed' }, disks: [{}, {}] },
  });
  await mkdir(world.workDir);
  await rollBack();
  expect(await findOwned()).toEqual([]);
  expect(await listLocalVms(connection.state_dir)).toEqual([]);
});

it('prepares and rehearses the guest on throw-away overlays before anything is moved', async () => {
  const backup = await putMicroGuest();
  await planMicro(backup, true);
  await runAll('analyze-source', 'prepare-guest', 'boot-test');
  expect(world.outputs['boot-test']).toMatchObject({ report: { verdict: 'passed' } });
  expect(await findOwned()).toEqual([]);
  await rollBack();
  expect(await isThere(world.workDir)).toBe(false);
});

async function smallJob(): Promise<void> {
  const layers = [
    [{ byte: 7, offsetBytes: 0, lengthBytes: 1_048_576 }],
    [{ byte: 9, offsetBytes: 65_536, lengthBytes: 512 }],
  ];
  const disks = {
    0: await makeChain({ rootPath: world.rootPath, diskIndex: 0, sizeBytes: 16 << 20, layers }),
  };
  await world.planFrom({ disks, storage: 'disks', network: 'user' });
}

async function digest(rootPath: string, path: string): Promise<string> {
  const chain = await openChain({ rootPath, path, format: 'qcow2' });
  return digestDisk({ image: { chain, overlays: [] }, workDir: world.workDir, signal });
}

it('writes a file that holds exactly the restore point, by the digest of both', async () => {
  await smallJob();
  await runAll('transfer-disk');
  const [disk] = world.plan().source.disks;
  const target = await digest(connection.storages.disks, 'ascend-job-1-transfer-disk-0-disk.qcow2');
  expect(target).toBe(await digest(world.rootPath, disk!.relPath));
  expect(world.outputs['transfer-disk:0']).toMatchObject({ sha256: target });
});

it('goes on where a cancelled transfer was confirmed, and proves the file by reading it back', async () => {
  const layers = [[{ byte: 5, offsetBytes: 0, lengthBytes: 24 << 20 }]];
  const chain = { rootPath: world.rootPath, diskIndex: 0, sizeBytes: 32 << 20, layers };
  const disks = { 0: await makeChain(chain) };
  const place = { disks, storage: 'disks', network: 'user' };
  await world.planFrom({ ...place, bandwidthBytesPerSecond: 3 << 20 });
  const cancel = new AbortController();
  const { context } = world.contextFor({ kind: 'transfer-disk', diskIndex: 0, signal: cancel.signal });
  const stopped = handlers['transfer-disk'].run({
    ...context,
    checkpoint: async (data) => {
      await context.checkpoint(data);
      cancel.abort();
    },
  });
  await expect(stopped).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' });
  await world.planFrom(place);
  await runAll('transfer-disk');
  const sha256 = await digest(world.rootPath, disks[0]);
  expect(world.outputs['transfer-disk:0']).toMatchObject({ sha256, readBack: true });
  expect(world.outputs['transfer-disk:0']).not.toMatchObject({ resumedFromBytes: 0 });
  const target = await digest(connection.storages.disks, 'ascend-job-1-transfer-disk-0-disk.qcow2');
  expect(target).toBe(sha256);
});

it('adopts the VM when the agent is killed between the creating call and the note of it', async () => {
  await smallJob();
  await runAll('transfer-disk');
  await runAndDie(handlers['create-vm']);
  expect(await findOwned()).toContain('vm ascend-job-1-create-vm-vm');
  await runAll('create-vm');
  expect(await listLocalVms(connection.state_dir)).toHaveLength(1);
  await rollBack();
  expect(await findOwned()).toEqual([]);
});

it('rolls back what an agent made that was killed before it could say so', async () => {
  await smallJob();
  await runAll('transfer-disk');
  await runAndDie(handlers['create-vm']);
  expect(world.tokens.has('create-vm vm')).toBe(false);
  await rollBack();
  expect(await findOwned()).toEqual([]);
});

it('finishes one disk when the agent is killed right after opening it', async () => {
  await smallJob();
  await runAndDie(handlers['transfer-disk'], 0);
  expect(await findOwned()).toEqual(['disk ascend-job-1-transfer-disk-0-disk']);
  await runAll('transfer-disk');
  expect(await findOwned()).toEqual(['disk ascend-job-1-transfer-disk-0-disk']);
  const path = join(connection.storages.disks, 'ascend-job-1-transfer-disk-0-disk.qcow2');
  const server = await serveNbd({
    blockdev: fileBlockdev(path, 'qcow2'),
    writable: false,
    connections: 1,
    workDir: world.workDir,
  });
  const client = await connectNbd({ socketPath: server.socketPath, exportName: server.exportName });
  const bytes = new Uint8Array(1024);
  await client.readInto(65_536, bytes);
  await client.close();
  await server.close();
  expect([...bytes]).toEqual([...new Uint8Array(512).fill(9), ...new Uint8Array(512).fill(7)]);
});
