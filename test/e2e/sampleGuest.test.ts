import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { BootReport } from '@ascend/domain';
import { startMachine, workingAcceleration, type MachineSpec } from '@ascend/guest';
import { beforeAll, expect, test } from 'vitest';
import { pointNames } from '../guests/backupChain.ts';
import { imagePath, type BuiltBackup } from '../guests/builtBackup.ts';
import { sampleBackup, sampleVm } from '../guests/sampleGuest.ts';
import { sampleNic } from '../guests/sampleFiles.ts';
import { backupImages, guestCacheDir, machineDisks, withGuestFolder } from './guestMachine.ts';

const bootTimeoutMs = 300_000;
let backup: BuiltBackup;

beforeAll(async () => {
  backup = await sampleBackup({ cacheDir: guestCacheDir });
});

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

async function digests(): Promise<readonly string[]> {
  const paths = [0, 1].flatMap((disk) => pointNames.map((point) => imagePath(backup, disk, point)));
  return Promise.all(paths.map(async (path) => sha256(join(backup.repositoryPath, path))));
}

async function boot(
  folder: string,
  hardware: {
    readonly bus: 'pvscsi' | 'virtio-blk';
    readonly nic: Omit<MachineSpec['nics'][number], 'mac' | 'addresses'>;
  },
): Promise<BootReport> {
  const signal = new AbortController().signal;
  const images = await backupImages(backup, 'inc1');
  const machine = await startMachine(
    {
      name: 'pgtest1',
      cpuCount: sampleVm.cpuCount,
      memoryBytes: sampleVm.memoryBytes,
      firmware: sampleVm.firmware,
      acceleration: await workingAcceleration({ workDir: folder }),
      disks: await machineDisks(images, hardware.bus, folder),
      nics: [{ mac: sampleNic.mac, addresses: [sampleNic.address], ...hardware.nic }],
      stateDir: join(folder, 'machine'),
    },
    signal,
  );
  return machine.waitForEvidence({
    evidence: 'serial-marker',
    serialMarker: 'ASCEND-READY',
    expectedAddresses: [sampleNic.address],
    timeoutMs: bootTimeoutMs,
    signal,
    onProgress: () => undefined,
  });
}

test('the sample server boots on the hardware it was backed up from and has its address', async () => {
  await withGuestFolder(async (folder) => {
    const before = await digests();
    const report = await boot(folder, { bus: 'pvscsi', nic: { model: 'vmxnet3', slotNumber: 192 } });
    expect(report.evidence).toContainEqual(
      expect.objectContaining({
        rung: 'serial-marker',
        summary: 'ASCEND-READY root=inc1 data=inc1 addr=10.0.2.77/24 if=ens192',
      }),
    );
    expect(report).toMatchObject({ verdict: 'passed', addresses: ['10.0.2.77'] });
    expect(report.evidence).toContainEqual(expect.objectContaining({ rung: 'network', passed: true }));
    expect(await digests()).toEqual(before);
  });
});

test('the same server, unconverted, does not come up on virtio, and its console says why', async () => {
  await withGuestFolder(async (folder) => {
    const report = await boot(folder, { bus: 'virtio-blk', nic: { model: 'virtio-net-pci' } });
    expect(report.verdict).toBe('failed');
    expect(report.readyAfterMs).toBeNull();
    expect(report.evidence[0]?.summary).toMatch(
      /^the initramfs does not find the root device: ALERT!\s+UUID=\S+ does not exist/,
    );
    expect(report.serialTail).not.toContain('ASCEND-READY');
  });
});
