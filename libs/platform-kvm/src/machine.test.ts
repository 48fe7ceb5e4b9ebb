import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TargetSession, VmRef } from '@ascend/connector';
import { sampleDisk, sampleNic, sampleVm } from '@ascend/connector/testing';
import { Secret, silentLogger, systemClock } from '@ascend/runtime';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createKvmConnector } from './connector.ts';
import { listLocalVms, stopLocalVms } from './localVms.ts';

const signal = new AbortController().signal;
let folder: string;
let session: TargetSession;
let state: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ascend-machine-'));
  state = join(folder, 'state');
  await Promise.all([mkdir(join(folder, 'disks')), mkdir(join(folder, 'work'))]);
  const connector = createKvmConnector({ graceMs: 200 });
  session = await connector.open(
    connector.parseConnection({ storages: { disks: join(folder, 'disks') }, state_dir: state }),
    {
      logger: silentLogger,
      clock: systemClock,
      secrets: async () => new Secret(''),
      workDir: join(folder, 'work'),
    },
  );
});
afterEach(async () => {
  await stopLocalVms(state, 0);
  await rm(folder, { recursive: true, force: true });
});

/** A VM with an empty disk: its firmware finds nothing to boot. */
async function createEmptyVm(bus = 'virtio-blk'): Promise<VmRef> {
  const planned = sampleDisk({ diskIndex: 0, sizeBytes: 1 << 20, storage: 'disks', bus });
  const nic = { ...sampleNic({ network: 'user', model: 'virtio-net-pci' }), mac: null };
  const opened = await session.openSink({
    name: 'ascend-job-disk',
    jobId: 'job',
    disk: planned,
    resume: false,
    signal,
  });
  await opened.sink.finish();
  return session.createVm({
    jobId: 'job',
    ownedName: 'ascend-job-vm',
    vm: sampleVm({ name: 'empty', disks: [planned], nics: [nic] }),
    firmware: 'bios',
    disks: [{ planned, ref: opened.ref }],
    nics: [nic],
    signal,
  });
}

it('does not call the boot of an empty disk proven', async () => {
  const vm = await createEmptyVm();
  await session.powerOn(vm, signal);
  const report = await session.verifyBoot({
    vm,
    evidence: 'serial-marker',
    serialMarker: 'READY',
    expectedAddresses: [],
    timeoutMs: 3000,
    onProgress: () => undefined,
    signal,
  });
  expect(report.verdict).not.toBe('passed');
  expect(report.evidence.filter((one) => one.rung !== 'screenshot' && one.passed)).toEqual([]);
});

it('lists and stops the VMs of a state folder without a connection', async () => {
  const vm = await createEmptyVm();
  expect(await listLocalVms(state)).toMatchObject([{ name: 'empty', jobId: 'job', running: false }]);
  await session.powerOn(vm, signal);
  expect(await listLocalVms(state)).toMatchObject([{ running: true }]);
  expect(await stopLocalVms(state, 200)).toEqual(['empty']);
  expect(await stopLocalVms(state, 200)).toEqual([]);
  expect(await listLocalVms(state)).toMatchObject([{ name: 'empty', running: false }]);
});

it('does not start a VM whose disk is gone or whose bus is unknown', async () => {
  const vm = await createEmptyVm('floppy');
  await expect(session.powerOn(vm, signal)).rejects.toMatchObject({ code: 'TARGET_HARDWARE_UNSUPPORTED' });
  await rm(join(folder, 'disks', 'ascend-job-disk.qcow2'));
  await expect(session.powerOn(vm, signal)).rejects.toMatchObject({ code: 'TARGET_DISK_MISSING' });
});

it('shows the end of the serial log when the VM has stopped by itself', async () => {
  const vm = await createEmptyVm();
  await mkdir(join(state, 'vms', 'empty', 'machine'), { recursive: true });
  await writeFile(join(state, 'vms', 'empty', 'machine', 'serial.log'), `${'x'.repeat(9000)}the last line`);
  const watch = session.verifyBoot({
    vm,
    evidence: 'serial-marker',
    serialMarker: null,
    expectedAddresses: [],
    timeoutMs: 1000,
    onProgress: () => undefined,
    signal,
  });
  await expect(watch).rejects.toMatchObject({
    code: 'TARGET_VM_STOPPED',
    details: { serialTail: expect.stringMatching(/^x{4083}the last line$/) },
  });
});
