import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { imageBlockdev, openChain } from '@ascend/disk';
import { linuxAgents, type GuestNeeds } from '@ascend/domain';
import type { GuestSources } from '@ascend/guest';
import {
  buildDeb,
  buildPhonyDisk,
  buildTinyGuest,
  phonyNeeds,
  phonyWindows,
  writePhonyDrivers,
  type TinyGuestOptions,
} from '@ascend/guest/testing';
import { runProcess } from '@ascend/runtime';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { hashTree } from '../testing/sourceChain.ts';
import { createStepWorld, type StepWorld } from '../testing/stepWorld.ts';
import { prepareGuest } from './handler.ts';
import { prepareGuestOutputSchema, type PrepareGuestOutput } from './output.ts';

const relPath = 'disk-0/guest.qcow2';
const nic = { mac: '00:50:56:aa:bb:01', guestName: null, addresses: [] };
let world: StepWorld;
beforeEach(async () => {
  world = await createStepWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

const common: GuestNeeds = {
  linuxStorageModules: ['virtio_blk'],
  linuxNetworkModules: ['virtio_net'],
  linuxOptionalModules: [],
  serialConsole: null,
  networkIdentity: 'pin-by-mac',
  agents: { enable: ['qemu-guest-agent'], disable: [], install: [linuxAgents.qemuGuestAgent] },
  windows: phonyNeeds,
};

async function putDisk(diskPath: string, wishes: { readonly acceptDirty?: boolean } = {}): Promise<void> {
  const path = join(world.rootPath, relPath);
  await mkdir(dirname(path), { recursive: true });
  await runProcess({ program: 'qemu-img', args: ['convert', '-f', 'raw', '-O', 'qcow2', diskPath, path] });
  await world.planFrom({ disks: { 0: relPath }, prepareGuest: true, nics: [nic], ...wishes });
}

/** A Windows as the only disk; `dirty`: its volume waits for a check. */
async function putWindows(
  params: { readonly dirty?: boolean; readonly acceptDirty?: boolean } = {},
): Promise<void> {
  await using disk = await buildPhonyDisk(phonyWindows('2k19'), { uefi: false });
  if (params.dirty === true) {
    const volume = join(disk.folder, 'volume.raw');
    await cut(disk.diskPath, volume, 32);
    await runProcess({ program: 'ntfsfix', args: [volume] });
    const place = ['bs=1M', 'seek=1', 'conv=notrunc', 'status=none'];
    await runProcess({ program: 'dd', args: [`if=${volume}`, `of=${disk.diskPath}`, ...place] });
  }
  await putDisk(disk.diskPath, params.acceptDirty === undefined ? {} : { acceptDirty: params.acceptDirty });
}

async function putTiny(options: TinyGuestOptions = {}): Promise<void> {
  await using guest = await buildTinyGuest(options);
  await putDisk(guest.diskPath);
}

async function prepare(guestSources?: GuestSources): Promise<PrepareGuestOutput> {
  const { context } = world.contextFor({
    kind: 'prepare-guest',
    ...(guestSources === undefined ? {} : { guestSources }),
  });
  const guestNeeds = [{ id: 'any', diskBuses: ['virtio-blk'], needs: common }];
  return prepareGuestOutputSchema.parse(
    await prepareGuest.run({ ...context, target: { ...context.target, guestNeeds } }),
  );
}

async function cut(from: string, to: string, count: number): Promise<void> {
  const place = ['bs=1M', 'skip=1', `count=${count}`, 'status=none'];
  await runProcess({ program: 'dd', args: [`if=${from}`, `of=${to}`, ...place] });
}

/** The first volume of the prepared disk as a file, taken out by qemu-img. */
async function volumeOf(output: PrepareGuestOutput, count: number): Promise<string> {
  const chain = await openChain({ rootPath: world.rootPath, path: relPath, format: 'qcow2' });
  const overlay = output.overlays['0'] ?? '';
  const source = `json:${JSON.stringify(imageBlockdev({ chain, overlays: [overlay] }, { readOnly: true }))}`;
  const [flat, volume] = [join(world.folder, 'flat.raw'), join(world.folder, 'volume.raw')];
  await runProcess({ program: 'qemu-img', args: ['convert', '-O', 'raw', source, flat] });
  await cut(flat, volume, count);
  return volume;
}

const drivers = (): string => join(world.folder, 'drivers');
const left = async (): Promise<string[]> => Object.keys(await hashTree(world.workDir));

it.each(['a folder', 'an image'])('puts drivers of %s of this machine into a Windows guest', async (what) => {
  await putWindows();
  const before = await hashTree(world.rootPath);
  await writePhonyDrivers(drivers());
  const image = join(world.folder, 'drivers.iso');
  await runProcess({
    program: 'bsdtar',
    args: ['-c', '-f', image, '--format', 'iso9660', '-C', drivers(), '.'],
  });
  const output = await prepare({
    windowsDrivers: what === 'a folder' ? drivers() : image,
    agentPackages: null,
  });
  expect(output.system).toBe('Windows Server 2019 Standard 10.0.17763 x86_64');
  expect(output.diff.map(({ path }) => path)).toContain('SYSTEM\\ControlSet001\\Services\\viostor');
  expect(output.findings.filter(({ severity }) => severity === 'blocked')).toEqual([]);
  const volume = await volumeOf(output, 32);
  const { stdout } = await runProcess({
    program: 'ntfscat',
    args: [volume, '/Windows/System32/drivers/viostor.sys'],
  });
  expect(stdout).toBe('viostor 2k19');
  expect(await hashTree(world.rootPath)).toEqual(before);
  // Nothing of an unpacked image is left beside the overlay.
  expect(await left()).toHaveLength(1);
});

it('creates nothing for a Windows guest where this machine has no drivers', async () => {
  await putWindows();
  await expect(prepare()).rejects.toMatchObject({ code: 'GUEST_DRIVER_PACKAGE_MISSING' });
  expect(await left()).toEqual([]);
});

it('creates nothing where the drivers have gone since the agent started', async () => {
  await putWindows();
  await expect(
    prepare({ windowsDrivers: join(world.folder, 'gone'), agentPackages: null }),
  ).rejects.toMatchObject({
    code: 'GUEST_DRIVER_PACKAGE_INVALID',
  });
  expect(await left()).toEqual([]);
});

it('edits a Windows volume that was in use only when the plan allows it', async () => {
  await writePhonyDrivers(drivers());
  const sources = { windowsDrivers: drivers(), agentPackages: null };
  await putWindows({ dirty: true });
  await expect(prepare(sources)).rejects.toMatchObject({ code: 'GUEST_FILE_SYSTEM_DIRTY' });
  expect(await left()).toEqual([]);
  await putWindows({ dirty: true, acceptDirty: true });
  const { findings } = await prepare(sources);
  expect(findings).toContainEqual(
    expect.objectContaining({ code: 'GUEST_FILE_SYSTEM_DIRTY', severity: 'warning' }),
  );
});

it('puts the package of the agent into a Linux guest, which another reader finds there byte for byte', async () => {
  await putTiny();
  const built = await buildDeb(world.folder, 'agent.deb', {
    name: 'qemu-guest-agent',
    version: '1:7.2+dfsg-7+deb12u16',
    architecture: 'amd64',
  });
  const agentPackages = join(world.folder, 'packages');
  await mkdir(join(agentPackages, 'debian-12'), { recursive: true });
  await copyFile(built, join(agentPackages, 'debian-12/qemu-guest-agent_7.2_amd64.deb'));
  await writeFile(join(agentPackages, 'qemu-guest-agent_9.9_amd64.deb'), 'no package');
  const output = await prepare({ windowsDrivers: null, agentPackages });
  expect(output.findings).toContainEqual(
    expect.objectContaining({ code: 'GUEST_AGENT_PACKAGE_STAGED', severity: 'fixed' }),
  );
  const staged = 'etc/ascend/first-boot/packages/qemu-guest-agent.deb';
  expect(output.diff.map(({ path }) => path)).toContain(staged);
  const volume = await volumeOf(output, 62);
  const found = join(world.folder, 'found.deb');
  await runProcess({ program: 'debugfs', args: ['-R', `dump /${staged} ${found}`, volume] });
  expect((await readFile(found)).equals(await readFile(built))).toBe(true);
  const { stdout } = await runProcess({ program: 'dpkg-deb', args: ['-f', found, 'Package'] });
  expect(stdout).toBe('qemu-guest-agent');
  const script = await runProcess({
    program: 'debugfs',
    args: ['-R', 'cat /etc/ascend/first-boot/agents', volume],
  });
  expect(script.stdout).toContain('install_deb ./qemu-guest-agent.deb qemu-guest-agent');
});

it('goes on without the package of the agent, and says which file would be needed', async () => {
  await putTiny();
  const { findings, diff } = await prepare();
  const missing = findings.find(({ code }) => code === 'GUEST_AGENT_PACKAGE_MISSING');
  expect(missing).toMatchObject({
    severity: 'warning',
    evidence: expect.stringContaining('qemu-guest-agent_*.deb'),
  });
  expect(diff.filter(({ path }) => path.startsWith('etc/ascend/first-boot'))).toEqual([]);
});
