import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { BootReport } from '@ascend/domain';
import {
  findMachine,
  isMachineBus,
  startMachine,
  workingAcceleration,
  type MachineBus,
  type MachineSpec,
} from '@ascend/guest';
import { AppError } from '@ascend/errors';
import type { VerifyBootParams } from '@ascend/connector';
import type { DiskStore } from './diskStore.ts';
import { diskSerial, machineFolder } from './naming.ts';
import type { RecordedDisk, VmRecord } from './vmRecord.ts';

const serialTailBytes = 4096;

function requireBus(disk: RecordedDisk): MachineBus {
  if (isMachineBus(disk.bus)) return disk.bus;
  const message = `start VM: disk ${disk.diskIndex} wants bus ${disk.bus}`;
  throw new AppError({ code: 'TARGET_HARDWARE_UNSUPPORTED', message });
}

function toSpec(record: VmRecord, disks: DiskStore, stateDir: string): Omit<MachineSpec, 'acceleration'> {
  return {
    name: record.name,
    cpuCount: record.cpuCount,
    memoryBytes: record.memoryBytes,
    firmware: record.firmware,
    disks: record.disks.map((disk) => {
      const filename = disks.pathOf(disk.storage, disk.ownedName);
      if (filename === null) {
        const message = `start VM ${record.name}: there is no storage ${disk.storage}`;
        throw new AppError({ code: 'TARGET_STORAGE_UNKNOWN', message });
      }
      return {
        // An explicit null backing: whatever the file's header says is never followed.
        blockdev: { driver: 'qcow2', backing: null, file: { driver: 'file', filename } },
        bus: requireBus(disk),
        bootIndex: disk.boot ? 0 : null,
        serial: diskSerial(disk.ownedName, disk.diskIndex),
      };
    }),
    nics: record.nics.map((nic) => ({ mac: nic.mac, model: nic.model, addresses: nic.addresses })),
    stateDir: machineFolder(stateDir, record.name),
  };
}

/** Starts the QEMU process of a VM, or adopts the one that runs. It survives this process. */
export async function startVm(params: {
  readonly record: VmRecord;
  readonly disks: DiskStore;
  readonly stateDir: string;
  readonly workDir: string;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { record } = params;
  for (const disk of record.disks) {
    if (await params.disks.isFinished(disk.storage, disk.ownedName)) continue;
    const message = `start VM ${record.name}: disk ${disk.ownedName} is not on storage ${disk.storage}`;
    throw new AppError({ code: 'TARGET_DISK_MISSING', message });
  }
  const acceleration = await workingAcceleration({ workDir: params.workDir });
  const spec = toSpec(record, params.disks, params.stateDir);
  await startMachine({ ...spec, acceleration }, params.signal);
}

/** Asks a VM to shut down, waits `graceMs`, then ends its process. A VM that does not run is off. */
export async function stopVm(stateDir: string, name: string, graceMs: number): Promise<void> {
  const folder = machineFolder(stateDir, name);
  const machine = await findMachine(folder);
  if (machine === null) return;
  if (graceMs > 0) await machine.powerDown({ graceMs });
  await endMachine(folder);
}

async function endMachine(folder: string): Promise<void> {
  const machine = await findMachine(folder);
  if (machine !== null) await machine.kill();
}

/** True when the VM's QEMU process runs. */
export async function isRunning(stateDir: string, name: string): Promise<boolean> {
  return (await findMachine(machineFolder(stateDir, name))) !== null;
}

async function readSerialTail(folder: string): Promise<string> {
  try {
    await using file = await open(join(folder, 'serial.log'), 'r');
    const { size } = await file.stat();
    const length = Math.min(size, serialTailBytes);
    const buffer = Buffer.alloc(length);
    await file.read(buffer, 0, length, size - length);
    return buffer.toString('utf8');
  } catch {
    return '';
  }
}

/** Waits for the evidence of a finished boot. @throws {AppError} TARGET_VM_STOPPED - no process to watch */
export async function watchBoot(stateDir: string, params: VerifyBootParams): Promise<BootReport> {
  const folder = machineFolder(stateDir, params.vm.name);
  const machine = await findMachine(folder);
  if (machine === null) {
    throw new AppError({
      code: 'TARGET_VM_STOPPED',
      message: `watch VM ${params.vm.name}: its QEMU process does not run`,
      details: { serialTail: await readSerialTail(folder) },
    });
  }
  return machine.waitForEvidence({
    evidence: params.evidence,
    serialMarker: params.serialMarker,
    expectedAddresses: params.expectedAddresses,
    timeoutMs: params.timeoutMs,
    signal: params.signal,
    onProgress: params.onProgress,
  });
}
