import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findMachine, startMachine, type Machine } from '../machine.ts';
import type { MachineSpec } from '../machineSpec.ts';

/** A machine with one empty disk: its firmware finds nothing to boot and rests, which costs next to no CPU. */
export async function emptyMachineSpec(
  folder: string,
  change: Partial<MachineSpec> = {},
): Promise<MachineSpec> {
  const filename = join(folder, 'empty.raw');
  await writeFile(filename, '');
  await truncate(filename, 1024 * 1024);
  return {
    name: 'empty, one',
    cpuCount: 1,
    memoryBytes: 32 * 1024 ** 2,
    firmware: 'bios',
    acceleration: 'tcg',
    disks: [
      {
        blockdev: { driver: 'raw', file: { driver: 'file', filename } },
        bus: 'virtio-blk',
        bootIndex: 0,
        serial: 'e',
      },
    ],
    nics: [{ mac: '02:00:00:00:00:01', model: 'virtio-net-pci', addresses: ['10.0.2.77/24'] }],
    stateDir: join(folder, 'machine'),
    ...change,
  };
}

/** Runs `work` in a folder of its own; the machine in its `machine` folder is ended and all is removed afterwards. */
export async function withMachineFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'ascend-machine-'));
  try {
    await work(folder);
  } finally {
    await (await findMachine(join(folder, 'machine')))?.kill();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Starts an empty machine in the folder. */
export async function startEmptyMachine(folder: string, change: Partial<MachineSpec> = {}): Promise<Machine> {
  return startMachine(await emptyMachineSpec(folder, change), new AbortController().signal);
}
