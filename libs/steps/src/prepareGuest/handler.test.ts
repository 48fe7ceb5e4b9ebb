import { mkdir, readdir, rm, stat, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { digestDisk, openChain } from '@ascend/disk';
import { buildTinyGuest, type TinyGuestOptions } from '@ascend/guest/testing';
import { runProcess } from '@ascend/runtime';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { hashTree, makeChain } from '../testing/sourceChain.ts';
import { createStepWorld, type StepWorld } from '../testing/stepWorld.ts';
import { transferDisk } from '../transferDisk/handler.ts';
import { transferDiskOutputSchema } from '../transferDisk/output.ts';
import { prepareGuest } from './handler.ts';
import { prepareGuestOutputSchema } from './output.ts';

const relPath = 'disk-0/guest.qcow2';
const nic = { mac: '00:50:56:aa:bb:01', guestName: 'ens192', addresses: ['10.0.2.77/24'] };
let world: StepWorld;
beforeEach(async () => {
  world = await createStepWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

/** A tiny guest as the only layer of disk 0, with a plan that prepares it. */
async function putGuest(
  options: TinyGuestOptions = {},
  wishes: Pick<Parameters<StepWorld['planFrom']>[0], 'addressRules' | 'firstBootScript'> = {},
): Promise<void> {
  await using guest = await buildTinyGuest(options);
  const path = join(world.rootPath, relPath);
  await mkdir(dirname(path), { recursive: true });
  await runProcess({
    program: 'qemu-img',
    args: ['convert', '-f', 'raw', '-O', 'qcow2', guest.diskPath, path],
  });
  await world.planFrom({ disks: { 0: relPath }, prepareGuest: true, nics: [nic], ...wishes });
}

const output = () => world.output('prepare-guest', prepareGuestOutputSchema);
const filesLeft = async (): Promise<string[]> => Object.keys(await hashTree(world.workDir));

it('edits the guest in a sealed overlay and leaves the restore point as it was', async () => {
  await putGuest();
  const before = await hashTree(world.rootPath);
  const trace = await world.run(prepareGuest);
  expect(await hashTree(world.rootPath)).toEqual(before);
  const { overlays, diff, sealId } = output();
  const path = overlays['0'] ?? '';
  expect((await stat(path)).mode & 0o777).toBe(0o444);
  expect(path.startsWith(world.workDir)).toBe(true);
  expect(await filesLeft()).toEqual([path.slice(world.workDir.length + 1)]);
  expect(diff.length).toBeGreaterThan(0);
  expect(sealId).toBe('op-1');
  expect(trace.events).toEqual(['present overlay:0']);
});

it("puts the plan's rules for addresses and its first-boot script into the guest", async () => {
  await putGuest(
    {},
    { addressRules: [{ from: '10.0.2.0/24', to: '10.9.2.0/24' }], firstBootScript: '#!/bin/sh\ntrue\n' },
  );
  await world.run(prepareGuest);
  const changes = output().diff.map(({ path, change }) => `${path}: ${change}`);
  expect(changes.some((line) => line.includes('10.9.2.77'))).toBe(true);
  expect(changes.some((line) => line.startsWith('etc/ascend/first-boot/script: '))).toBe(true);
});

it('puts a boot loader for the firmware of the plan into a guest made for the other one, and only where the plan says so', async () => {
  const program = `\x7fELF\x02\x01\x01${'\0'.repeat(9)}\x02\0\x3e\0${'\0'.repeat(44)}`;
  const grub = "menuentry 'Tiny' {\n  linux /boot/vmlinuz ro quiet\n}\n";
  await putGuest({ grub, files: { 'usr/bin/dpkg': program } });
  const { context } = world.contextFor({ kind: 'prepare-guest' });
  const plan = { ...context.operation.plan, firmware: 'uefi' as const };
  const changesOf = async (changed: typeof plan & { readonly convertsFirmware?: boolean }) => {
    const ran = await prepareGuest.run({ ...context, operation: { ...context.operation, plan: changed } });
    return prepareGuestOutputSchema.parse(ran).diff.map(({ path }) => path);
  };
  expect(await changesOf({ ...plan, convertsFirmware: true })).toContain('EFI/BOOT/BOOTX64.EFI');
  expect(await changesOf(plan)).not.toContain('EFI/BOOT/BOOTX64.EFI');
});

it('refuses a plan whose hardware the target does not have', async () => {
  await putGuest();
  const other = world.contextFor({ kind: 'prepare-guest' }).context;
  const target = { ...other.target, guestNeeds: [] };
  await expect(prepareGuest.run({ ...other, target })).rejects.toMatchObject({ code: 'STEP_PLAN_MISMATCH' });
  expect(await filesLeft()).toEqual([]);
});

it('hands over a disk in which the edits are: the moved disk is chain and overlay together', async () => {
  await putGuest();
  await world.run(prepareGuest);
  await world.run(transferDisk, { diskIndex: 0 });
  const chain = await openChain({ rootPath: world.rootPath, path: relPath, format: 'qcow2' });
  const digest = (overlays: readonly string[]) =>
    digestDisk({ image: { chain, overlays }, workDir: world.workDir, signal: new AbortController().signal });
  const { sha256 } = world.output('transfer-disk:0', transferDiskOutputSchema);
  expect(sha256).toBe(await digest([output().overlays['0'] ?? '']));
  expect(sha256).not.toBe(await digest([]));
});

it('throws away what an earlier attempt left, sealed or not, and seals anew', async () => {
  await putGuest();
  await world.run(prepareGuest);
  const first = output();
  await world.run(prepareGuest);
  expect(output().overlays).toEqual(first.overlays);
  expect(output().sealId).not.toBe(first.sealId);
  expect(await filesLeft()).toHaveLength(1);
});

it.each([
  [
    'a guest whose kernel lacks the drivers',
    { modules: ['ext4', 'sd_mod', 'vmw_pvscsi'] },
    'GUEST_DRIVER_MISSING',
  ],
  ['a guest without kernels', { kernels: [] }, 'GUEST_KERNEL_MISSING'],
])('creates nothing for %s', async (_what, options, code) => {
  await putGuest(options);
  await expect(world.run(prepareGuest)).rejects.toMatchObject({ code });
  expect(await filesLeft()).toEqual([]);
});

it('creates nothing when no operating system is on the disks', async () => {
  const disks = {
    0: await makeChain({ rootPath: world.rootPath, diskIndex: 0, sizeBytes: 1 << 20, layers: [[]] }),
  };
  await world.planFrom({ disks, prepareGuest: true });
  await expect(world.run(prepareGuest)).rejects.toMatchObject({ code: 'GUEST_UNRECOGNISED' });
  expect(await filesLeft()).toEqual([]);
});

it('creates nothing when the restore point is not the planned one any more', async () => {
  await putGuest();
  await utimes(join(world.rootPath, relPath), new Date(), new Date(Date.now() + 60_000));
  await expect(world.run(prepareGuest)).rejects.toMatchObject({ code: 'DISK_SOURCE_CHANGED' });
  expect(await filesLeft()).toEqual([]);
});

it('never seals what a cancelled attempt wrote', async () => {
  await putGuest();
  const cancel = new AbortController();
  const { context } = world.contextFor({ kind: 'prepare-guest', signal: cancel.signal });
  const stopped: typeof context = {
    ...context,
    ledger: {
      ...context.ledger,
      present: async () => cancel.abort(),
    },
  };
  await expect(prepareGuest.run(stopped)).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' });
  const left = await filesLeft();
  expect(left.filter((path) => !path.endsWith('.partial.qcow2'))).toEqual([]);
  await world.run(prepareGuest);
  expect(await filesLeft()).toHaveLength(1);
});

it('removes overlay and work folder on undo, again and again', async () => {
  await putGuest();
  await world.run(prepareGuest);
  await world.undo(prepareGuest, 'overlay:0');
  await expect(readdir(world.workDir)).rejects.toMatchObject({ code: 'ENOENT' });
  await world.undo(prepareGuest, 'overlay:0');
  await rm(world.workDir, { recursive: true, force: true });
});
