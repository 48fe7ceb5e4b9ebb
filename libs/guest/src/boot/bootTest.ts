import { mkdir, rm } from 'node:fs/promises';
import { availableParallelism, freemem } from 'node:os';
import { join, resolve } from 'node:path';
import { createOverlay, imageBlockdev, type DiskImage } from '@ascend/disk';
import type { BootReport, EvidenceRung, PlannedNic, StepProgress, VmSpec } from '@ascend/domain';
import type { Logger } from '@ascend/runtime';
import { workingAcceleration } from './acceleration.ts';
import { findMachine, startMachine, type Machine } from './machine.ts';
import type { MachineBus, MachineDisk, MachineSpec } from './machineSpec.ts';

/** One rehearsal: prepared disks on the target's hardware model. */
export interface BootTestParams {
  readonly images: readonly {
    readonly diskIndex: number;
    readonly image: DiskImage;
    readonly bus: MachineBus;
    readonly boot: boolean;
  }[];
  readonly vm: VmSpec;
  readonly nics: readonly PlannedNic[];
  /** Private folder; `boot-test` below it is used and removed. */
  readonly workDir: string;
  readonly evidence: EvidenceRung;
  readonly serialMarker: string | RegExp | null;
  readonly timeoutMs: number;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly report: (progress: Pick<StepProgress, 'phase' | 'bytesDone' | 'bytesTotal'>) => void;
}

const mib = 1024 ** 2;
const leastMemoryBytes = 256 * mib;

/** A MAC for a NIC whose address the platform will choose: local, and the same in each rehearsal. */
function rehearsalMac(nicIndex: number): string {
  return `02:00:00:00:00:${(nicIndex + 1).toString(16).padStart(2, '0')}`;
}

/** The rehearsal borrows the agent's host: never more than its cores and half of its free memory. */
function modestSize(vm: VmSpec): { cpuCount: number; memoryBytes: number } {
  const allowed = Math.max(leastMemoryBytes, Math.floor(freemem() / 2));
  return {
    cpuCount: Math.min(vm.cpuCount, availableParallelism()),
    memoryBytes: Math.min(vm.memoryBytes, allowed),
  };
}

/** Throw-away overlays on top of the disks: whatever the guest writes is gone afterwards. */
async function overlayDisks(params: BootTestParams, stateDir: string): Promise<readonly MachineDisk[]> {
  const disks: MachineDisk[] = [];
  for (const { diskIndex, image, bus, boot } of params.images) {
    const path = join(stateDir, `disk-${diskIndex}.qcow2`);
    await createOverlay({ image, path });
    const blockdev = imageBlockdev({ ...image, overlays: [...image.overlays, path] }, { readOnly: false });
    disks.push({ blockdev, bus, bootIndex: boot ? 0 : null, serial: `rehearsal-${diskIndex}` });
  }
  return disks;
}

async function removeRehearsal(stateDir: string): Promise<void> {
  await (await findMachine(stateDir))?.kill();
  await rm(stateDir, { recursive: true, force: true });
}

/**
 * Boots the disks on the target's hardware model and waits for evidence. Nothing reaches a real network, the disks are not
 * changed, and machine and overlays are gone afterwards on every path; with the process that runs the test dies the machine.
 *
 * @throws {AppError} GUEST_MACHINE_* - the machine could not be started; DISK_* - a disk could not be opened; OPERATION_CANCELLED
 */
export async function bootTest(params: BootTestParams): Promise<BootReport> {
  const stateDir = join(resolve(params.workDir), 'boot-test');
  await removeRehearsal(stateDir);
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  try {
    params.report({ phase: 'start the rehearsal', bytesDone: 0, bytesTotal: 0 });
    const acceleration = await workingAcceleration({ workDir: params.workDir });
    const size = modestSize(params.vm);
    const spec: MachineSpec = {
      name: `rehearsal of ${params.vm.name}`,
      ...size,
      firmware: params.vm.firmware,
      acceleration,
      disks: await overlayDisks(params, stateDir),
      nics: params.nics.map(({ nicIndex, mac, model, addresses }) => ({
        mac: mac ?? rehearsalMac(nicIndex),
        model,
        addresses,
      })),
      stateDir,
      lifetime: 'starter',
    };
    params.logger.info('boot test starts', { acceleration, ...size, timeoutMs: params.timeoutMs });
    const machine: Machine = await startMachine(spec, params.signal);
    return await machine.waitForEvidence({
      evidence: params.evidence,
      serialMarker: params.serialMarker,
      expectedAddresses: params.nics.flatMap((nic) => nic.addresses),
      timeoutMs: params.timeoutMs,
      signal: params.signal,
      onProgress: params.report,
    });
  } finally {
    await removeRehearsal(stateDir);
  }
}
