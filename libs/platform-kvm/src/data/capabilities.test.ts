import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { declareNeedsContract } from '@ascend/guest/testing';
import { runProcess } from '@ascend/runtime';
import { expect, it } from 'vitest';
import { kvmData, kvmHardware } from './index.ts';

it('states the largest disk that qemu-img makes with default clusters', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ascend-limit-'));
  const create = (sizeBytes: number) =>
    runProcess({
      program: 'qemu-img',
      args: ['create', '-q', '-f', 'qcow2', join(folder, 'disk.qcow2'), String(sizeBytes)],
    });
  const limit = kvmData.capabilities.maxDiskBytes.value;
  await create(limit);
  await expect(create(limit + 65_536)).rejects.toMatchObject({ code: 'PROCESS_FAILED' });
  await rm(folder, { recursive: true });
});

it('names only devices that the installed QEMU knows', async () => {
  const { stdout, stderr } = await runProcess({ program: 'qemu-system-x86_64', args: ['-device', 'help'] });
  const known = new Set([...`${stdout}${stderr}`.matchAll(/^name "([^"]+)"/gm)].map((match) => match[1]));
  const devices = ['virtio-blk-pci', 'virtio-scsi-pci', 'nvme', 'ich9-ahci', 'ide-hd', 'pvscsi'];
  const missing = [...kvmData.capabilities.nicModels, ...devices].filter((device) => !known.has(device));
  expect(missing).toEqual([]);
});

it('gives every limit with its source and the day it was read', () => {
  const { maxDisks, maxDiskBytes, maxNics } = kvmData.capabilities;
  for (const limit of [maxDisks, maxDiskBytes, maxNics]) {
    expect(limit.source.length).toBeGreaterThan(10);
    expect(limit.readOn).toMatch(/^\d{4}-\d{2}-\d{2}$/);
  }
});

it('has needs for every bus it offers, and its default bus and card first', () => {
  const { capabilities, guestNeeds } = kvmData;
  expect(guestNeeds.flatMap(({ diskBuses }) => diskBuses)).toEqual(capabilities.diskBuses);
  expect(guestNeeds[0]?.needs.linuxStorageModules).toContain('virtio_blk');
  expect(capabilities.nicModels[0]).toBe('virtio-net-pci');
  expect(guestNeeds[0]?.needs.linuxNetworkModules).toContain('virtio_net');
});

declareNeedsContract('QEMU', kvmHardware);
