import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { PlannedNic } from '@ascend/domain';
import { bootTest, startMachine, type BootTestParams, type Machine, type MachineBus } from '@ascend/guest';
import { silentLogger } from '@ascend/runtime';
import { beforeAll, expect, test } from 'vitest';
import type { PointName } from '../guests/backupChain.ts';
import type { BuiltBackup } from '../guests/builtBackup.ts';
import { microBackup } from '../guests/microGuest.ts';
import { microNic } from '../guests/microFiles.ts';
import { backupImages, guestCacheDir, machineDisks, withGuestFolder } from './guestMachine.ts';

const signal = new AbortController().signal;
const ready = (point: PointName): string =>
  `ASCEND-READY root=${point} data=${point} addr=10.0.2.78/24 if=eth0`;
let backup: BuiltBackup;

beforeAll(async () => {
  backup = await microBackup({ cacheDir: guestCacheDir });
});

function nic(model: string): PlannedNic {
  const { mac, name, address } = microNic;
  const rule = 'keep-mac-and-address';
  return { nicIndex: 0, mac, model, network: 'user', guestName: name, addresses: [address], rule };
}

async function rehearsal(
  workDir: string,
  change: Partial<BootTestParams> & { readonly point?: PointName; readonly bus?: MachineBus } = {},
): Promise<BootTestParams> {
  const images = await backupImages(backup, change.point ?? 'inc1');
  return {
    images: images.map((image, diskIndex) => ({
      diskIndex,
      image,
      bus: change.bus ?? 'virtio-blk',
      boot: diskIndex === 0,
    })),
    vm: backup.vm,
    nics: [nic('virtio-net-pci')],
    workDir,
    evidence: 'serial-marker',
    serialMarker: 'ASCEND-READY',
    timeoutMs: 120_000,
    logger: silentLogger,
    signal,
    report: () => undefined,
    ...change,
  };
}

test.each<[PointName, MachineBus, string]>([
  ['full', 'virtio-scsi', 'virtio-net-pci'],
  ['inc2', 'pvscsi', 'vmxnet3'],
  ['inc1', 'nvme', 'e1000e'],
])(
  'a rehearsal of %s on %s and %s proves point in time and address, and leaves nothing',
  async (point, bus, model) => {
    await withGuestFolder(async (folder) => {
      const report = await bootTest(await rehearsal(folder, { point, bus, nics: [nic(model)] }));
      expect(report).toMatchObject({ verdict: 'passed', addresses: ['10.0.2.78'] });
      expect(report.evidence.map(({ rung, passed }) => [rung, passed])).toEqual([
        ['guest-agent', true],
        ['serial-marker', true],
        ['network', true],
        ['screenshot', true],
      ]);
      expect(report.evidence[1]?.summary).toBe(ready(point));
      expect(report.readyAfterMs).toBeGreaterThan(1_000);
      expect((await readdir(folder)).filter((name) => name !== 'acceleration.json')).toEqual([]);
    });
  },
);

test('a cancelled rehearsal leaves neither machine nor overlay', async () => {
  await withGuestFolder(async (folder) => {
    const work = bootTest(await rehearsal(folder, { signal: AbortSignal.timeout(6_000) }));
    await expect(work).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' });
    expect((await readdir(folder)).filter((name) => name !== 'acceleration.json')).toEqual([]);
  });
});

async function startMicro(folder: string): Promise<Machine> {
  const images = await backupImages(backup, 'inc1');
  const { mac, address } = microNic;
  return startMachine(
    {
      name: 'micro1',
      cpuCount: 1,
      memoryBytes: backup.vm.memoryBytes,
      firmware: 'bios',
      acceleration: 'tcg',
      disks: await machineDisks(images, 'virtio-blk', folder),
      nics: [{ mac, model: 'virtio-net-pci', addresses: [address] }],
      stateDir: join(folder, 'machine'),
    },
    signal,
  );
}

test('a watch can be repeated and finds the same; the proven machine writes no more to disk and obeys its power button', async () => {
  await withGuestFolder(async (folder) => {
    const machine = await startMicro(folder);
    const params = {
      serialMarker: null,
      expectedAddresses: [microNic.address],
      timeoutMs: 120_000,
      signal,
      onProgress: () => undefined,
    };
    const first = await machine.waitForEvidence({ ...params, evidence: 'network' });
    expect(first.verdict).toBe('passed');
    expect(first.evidence.find(({ rung }) => rung === 'serial-marker')?.summary).toBe('micro1 login:');
    const second = await machine.waitForEvidence({ ...params, evidence: 'guest-agent' });
    expect(second).toMatchObject({
      verdict: 'passed',
      addresses: ['10.0.2.78'],
      serialTail: first.serialTail,
    });
    const begun = Date.now();
    await machine.powerDown({ graceMs: 20_000 });
    expect(Date.now() - begun).toBeLessThan(15_000);
  });
});
