import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GuestFacts } from '@ascend/domain';
import { Secret, silentLogger, startProcess } from '@ascend/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { busyboxPath } from '../apply/guestSandbox.ts';
import type { GuestRoot } from '../apply/guestRoot.ts';
import type { GuestEntry } from '../guestFiles.ts';
import { describeByAppliance } from '../probe/lookByAppliance.ts';
import { makeBlankDisks, type BlankDisks } from '../testing/blankDisks.ts';
import { leftovers } from '../testing/leftovers.ts';
import { blockDevices } from './blockDevices.ts';
import { mountGuestTree } from './mountGuestTree.ts';
import { openAppliance } from './openAppliance.ts';
import { waitForMachine } from './testing/waitForMachine.ts';
import { startSession, type StartedSession, type StartSessionParams } from './startSession.ts';
import { unlock } from './unlock.ts';

const key = new Secret(`it's a "key" \\ of one line`);
const mib = 1024 * 1024;
const diskBytes = 320 * mib;
const oddName = `odd "it's" \\ $(id) \nname`;
const fstab = '/dev/mapper/vg-thin / btrfs subvol=@ 0 0\nLABEL=linux /boot ext4 defaults 0 2\n';
let cache = '';

beforeAll(async () => {
  cache = await mkdtemp(join(tmpdir(), 'ascend-appliance-cache-'));
});

afterAll(async () => {
  await rm(cache, { recursive: true, force: true });
});

function paramsFor(disks: BlankDisks, writable: boolean, signal?: AbortSignal): StartSessionParams {
  return {
    images: disks.images,
    writable,
    workDir: disks.workDir,
    cacheDir: cache,
    acceleration: 'tcg',
    logger: silentLogger,
    signal: signal ?? new AbortController().signal,
  };
}

const unknownGuest: GuestFacts = {
  family: 'unknown',
  distribution: null,
  version: null,
  arch: null,
  hostname: null,
  root: null,
  firmware: 'unknown',
  initramfsTool: 'none',
  kernels: [],
  nics: [],
  volumes: [],
  remarks: [],
};

function byName(one: GuestEntry, other: GuestEntry): number {
  return one.name < other.name ? -1 : 1;
}

/** A mirror of both disks, encrypted, with a volume group in it. */
async function formatMirror({ process, disks }: StartedSession): Promise<string> {
  await process.ask('md-create', ['mirror', disks.map(({ device }) => device), 'level:raid1']);
  const [device = ''] = (await process.ask('list-md-devices', [])).toString().trim().split('\n');
  // A cheap key derivation: how long a real one takes is not what is tested.
  const format = `luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file=-`;
  const octal = [...Buffer.from(key.reveal())].map(
    (byte) => String.raw`\0${byte.toString(8).padStart(3, '0')}`,
  );
  await process.ask('debug', ['sh', [`printf %b '${octal.join('')}' | cryptsetup ${format} ${device}`]]);
  return device;
}

async function fillGroup({ process }: StartedSession, device: string): Promise<void> {
  const steps = [
    `pvcreate -q ${device}`,
    `vgcreate -q vg ${device}`,
    'lvcreate -q -L 64M -n linear vg',
    'lvcreate -q -L 64M -T vg/pool',
    'lvcreate -q -V 120M -T vg/pool -n thin',
  ];
  await process.ask('debug', ['sh', [steps.map((step) => `${step} 2>&1`).join(' && ')]]);
  await process.ask('mkfs', ['ext4', '/dev/vg/linear', 'label:linux']);
  await process.ask('mkfs', ['btrfs', '/dev/vg/thin']);
}

/** Files of a guest that would like to be somewhere else. */
async function placeTraps(root: GuestRoot): Promise<void> {
  const run = async (...args: readonly string[]): Promise<void> => {
    await root.run({ args: [busyboxPath, ...args], timeoutMs: 60_000 });
  };
  await run('ln', '-s', '/etc/hostname', '/out');
  await run('ln', '-s', '../../../../../../../../etc/hostname', '/up');
  await run('ln', '-s', '/loop', '/loop');
  await run('mkdir', '-p', '/etc');
  await run('touch', `/${oddName}`);
  await run('mkfifo', '/pipe');
}

/** Each start takes 20-50 s by emulation, more on a busy machine. */
const startsMs = 15 * 60_000;

describe('openAppliance', { timeout: startsMs }, () => {
  let disks: BlankDisks;
  let uuid = '';

  beforeAll(async () => {
    disks = await makeBlankDisks(2, diskBytes);
  });

  afterAll(async () => {
    await disks[Symbol.asyncDispose]();
  });

  it('edits a guest on a thin volume of an encrypted mirror, and refuses a key that does not fit', async () => {
    const session = await startSession(paramsFor(disks, true));
    const { process, exchange } = session;
    try {
      const device = await formatMirror(session);
      const [locked] = await unlock(process, blockDevices(process), []);
      uuid = locked?.uuid ?? '';
      expect(locked).toMatchObject({ device, openedAs: null });
      const wrong = { volume: uuid, key: new Secret('wrong key') };
      await expect(unlock(process, blockDevices(process), [wrong])).rejects.toMatchObject({
        code: 'GUEST_KEY_REJECTED',
      });
      const [opened] = await unlock(process, blockDevices(process), [{ volume: uuid, key }]);
      expect(opened).toMatchObject({ device, openedAs: '/dev/mapper/luks0' });
      await fillGroup(session, '/dev/mapper/luks0');

      await process.ask('mount', ['/dev/vg/thin', '/']);
      await process.ask('btrfs-subvolume-create', ['/@']);
      await process.ask('mkdir', ['/@/boot']);
      const { root } = await mountGuestTree({
        process,
        devices: blockDevices(process),
        exchange,
        mounts: [
          { device: '/dev/vg/thin', subvolume: '@', mountPoint: '/' },
          { device: '/dev/vg/linear', mountPoint: '/boot' },
        ],
        writable: true,
      });
      expect(root?.executor).toBe('appliance');
      await placeTraps(root!);
      const file = { mode: 0o640, uid: 7, gid: 8, data: Buffer.from('guest\0\xff\n', 'latin1') };
      await root!.writeFiles([
        { ...file, name: 'etc/hostname' },
        { ...file, name: '/boot/deep/file', data: Buffer.alloc(3 * mib, 7) },
        { ...file, name: 'etc/fstab', data: Buffer.from(fstab) },
        { ...file, name: 'etc/os-release', data: Buffer.from('ID=debian\nVERSION_ID="12"\n') },
      ]);
      expect(await root!.readFile('etc/hostname')).toEqual({
        text: 'guest\0\xff\n',
        mode: 0o640,
        uid: 7,
        gid: 8,
      });
      expect(await root!.readFile('no/such/file')).toBeNull();
      const timeoutMs = 60_000;
      const echo = [busyboxPath, 'printf', '[%s]', `a'b`, 'c"d', 'e\\', '$(id)', 'f\ng', ' '];
      expect((await root!.run({ args: echo, timeoutMs })).stdout).toBe(`[a'b][c"d][e\\][$(id)][f\ng][ ]`);
      await expect(root!.run({ args: [busyboxPath, 'ls', '/nope'], timeoutMs })).rejects.toMatchObject({
        code: 'GUEST_EDIT_FAILED',
        message: expect.stringContaining('/nope: No such file or directory'),
      });
      const endless = root!.runTool({
        args: [busyboxPath, 'sleep', '1000'],
        stallAfterMs: 1,
        timeoutMs: 2_000,
      });
      await expect(endless).rejects.toMatchObject({ code: 'GUEST_TOOL_STALLED' });
      await root!.finish();
    } finally {
      await session.close();
    }
    expect(await readdir(disks.workDir)).toEqual([]);
    expect(await leftovers(disks.folder)).toEqual([]);
  });

  it('shows what is there on a second look that cannot write', async () => {
    const keys = [{ volume: uuid, key }];
    const session = await openAppliance({ ...paramsFor(disks, false), keys });
    try {
      const layout = await session.inspect();
      expect(layout.disks.map(({ diskIndex, sizeBytes }) => [diskIndex, sizeBytes])).toEqual([
        [0, diskBytes],
        [1, diskBytes],
      ]);
      expect(layout.arrays).toMatchObject([{ level: 'raid1', members: 2 }]);
      expect(layout.luks).toMatchObject([{ uuid, openedAs: '/dev/mapper/luks0' }]);
      expect(layout.logicalVolumes).toContainEqual({ device: '/dev/vg/linear', sizeBytes: 64 * mib });
      expect(layout.logicalVolumes).toContainEqual({ device: '/dev/vg/thin', sizeBytes: 120 * mib });
      expect(layout.fileSystems).toMatchObject([
        { device: '/dev/vg/linear', type: 'ext4', label: 'linux', sizeBytes: 64 * mib, subvolumes: [] },
        { device: '/dev/vg/thin', type: 'btrfs', label: null, subvolumes: [{ path: '@' }] },
      ]);
      await expect(session.mount([{ device: '/etc/passwd', mountPoint: '/' }])).rejects.toMatchObject({
        code: 'GUEST_UNRECOGNISED',
      });
      await expect(session.mount([{ device: '/dev/vg/pool', mountPoint: '/' }])).rejects.toMatchObject({
        code: 'GUEST_FILE_SYSTEM_UNSUPPORTED',
      });
      const { files, root } = await session.mount([
        { device: '/dev/vg/thin', subvolume: '@', mountPoint: '/' },
        { device: '/dev/vg/linear', mountPoint: '/boot', options: 'noatime' },
      ]);
      expect(root).toBeNull();
      expect(await files.stat('/etc/hostname')).toEqual({
        kind: 'file',
        sizeBytes: 8,
        mode: 0o640,
        uid: 7,
        gid: 8,
      });
      expect(await files.read('/out', mib)).toEqual(Buffer.from('guest\0\xff\n', 'latin1'));
      expect(await files.read('/up', mib)).toEqual(Buffer.from('guest\0\xff\n', 'latin1'));
      expect(await files.readLink?.('/up')).toBe('../../../../../../../../etc/hostname');
      expect(await files.stat('/loop')).toBeNull();
      expect(await files.read('/pipe', mib)).toBeNull();
      expect(await files.read('/etc', mib)).toBeNull();
      expect((await files.list('/etc')).toSorted(byName)).toEqual([
        { name: 'fstab', kind: 'file' },
        { name: 'hostname', kind: 'file' },
        { name: 'os-release', kind: 'file' },
      ]);
      expect(await files.list('/')).toEqual(
        expect.arrayContaining([
          { name: oddName, kind: 'file' },
          { name: 'pipe', kind: 'other' },
          { name: 'loop', kind: 'symlink' },
          { name: 'etc', kind: 'directory' },
        ]),
      );
      expect(await files.list('/no/such')).toEqual([]);
      await expect(files.read('/boot/deep/file', mib)).rejects.toMatchObject({
        code: 'GUEST_FILE_TOO_LARGE',
      });
      const pieces: Buffer[] = [];
      for await (const piece of files.stream('/boot/deep/file')) pieces.push(piece);
      expect(pieces.map((piece) => piece.length)).toEqual([mib, mib, mib]);
      expect(Buffer.concat(pieces).every((byte) => byte === 7)).toBe(true);
    } finally {
      await session.close();
    }
    expect(await readdir(disks.workDir)).toEqual([]);
    expect(await leftovers(disks.folder)).toEqual([]);
  });

  it('tells the facts of a guest whose root is a subvolume on a thin volume inside of encryption', async () => {
    const { images, workDir } = disks;
    const { logger, signal, ...params } = paramsFor(disks, false);
    const session = await openAppliance({ ...params, logger, signal, keys: [{ volume: null, key }] });
    try {
      const facts = await describeByAppliance(unknownGuest, session, { images, workDir, logger, signal });
      expect(facts).toMatchObject({ family: 'linux', distribution: 'debian', version: '12' });
      expect(facts.root?.fileSystem).toBe('btrfs');
      expect(facts.mounts).toMatchObject([
        { mountPoint: '/', fileSystem: 'btrfs', options: ['subvol=@'] },
        { mountPoint: '/boot', fileSystem: 'ext4' },
      ]);
      expect(facts.mounts?.map(({ volume }) => facts.volumes?.[volume]?.name)).toEqual([
        'vg-thin',
        'vg-linear',
      ]);
    } finally {
      await session.close();
    }
  });
});

describe('an appliance that does not come to its end', { timeout: startsMs }, () => {
  it('leaves nothing when the start is cancelled', async () => {
    await using disks = await makeBlankDisks(1, 64 * mib);
    const cancel = new AbortController();
    const starting = startSession(paramsFor(disks, true, cancel.signal));
    starting.catch(() => undefined);
    const below = await waitForMachine(process.pid);
    cancel.abort();
    await expect(starting).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' });
    expect(await readdir(disks.workDir)).toEqual([]);
    expect(await leftovers(disks.folder, below)).toEqual([]);
  });

  it('is given up when it does not start in time', async () => {
    await using disks = await makeBlankDisks(1, 64 * mib);
    const starting = startSession({ ...paramsFor(disks, true), startTimeoutMs: 500 });
    await expect(starting).rejects.toMatchObject({
      code: 'GUEST_EXECUTOR_UNAVAILABLE',
      message: 'start appliance: run appliance: run: no end after 500 ms',
    });
    expect(await readdir(disks.workDir)).toEqual([]);
    expect(await leftovers(disks.folder)).toEqual([]);
  });

  it('leaves no process and nothing outside of its folder when its owner is killed', async () => {
    const others = new Set(await readdir(tmpdir()));
    const script = new URL('testing/openForever.ts', import.meta.url).pathname;
    const lines: string[] = [];
    const onStdoutLine = (line: string): void => void lines.push(line);
    const owner = startProcess({ program: process.execPath, args: [script, cache], onStdoutLine });
    const below = await waitForMachine(owner.pid);
    process.kill(owner.pid, 'SIGKILL');
    await owner.ended;
    const folder = lines[0] ?? '';
    expect(await leftovers(folder, below)).toEqual([]);
    const strangers = (await readdir(tmpdir())).filter(
      (name) => !others.has(name) && /guestfs|ascend-run/.test(name),
    );
    expect(strangers).toEqual([]);
    await rm(folder, { recursive: true });
  });
});
