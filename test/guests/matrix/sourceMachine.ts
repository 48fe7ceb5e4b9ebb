import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createOverlay, imageBlockdev, openChain, type DiskImage } from '@ascend/disk';
import { findMachine, startMachine, workingAcceleration, type MachineDisk } from '@ascend/guest';
import { writeBootVariables } from './bootVariables.ts';
import type { BuiltGuest } from './buildGuest.ts';
import { matrixMarker, readyPattern } from './matrixFiles.ts';
import { matrixNic, sourceBus } from './matrixGuest.ts';

const bootTimeoutMs = 600_000;

/** What a guest did on the hardware it comes from. */
export interface SourceBoot {
  /** The guest said so itself, with its own name, interface and address. */
  readonly isReady: boolean;
  /** The guest's line, or why there is none. */
  readonly summary: string;
  readonly seconds: number;
}

/** The disks of a built guest, as images without overlays. */
export async function guestImages(built: BuiltGuest): Promise<readonly DiskImage[]> {
  return Promise.all(
    built.vm.disks.map(async ({ diskIndex }): Promise<DiskImage> => {
      const chain = await openChain({
        rootPath: built.folder,
        path: `disk-${diskIndex}.qcow2`,
        format: 'qcow2',
      });
      return { chain, overlays: [] };
    }),
  );
}

async function sourceDisks(built: BuiltGuest, folder: string): Promise<readonly MachineDisk[]> {
  const disks: MachineDisk[] = [];
  for (const [index, image] of (await guestImages(built)).entries()) {
    const path = join(folder, `overlay-${index}.qcow2`);
    await createOverlay({ image, path });
    const blockdev = imageBlockdev({ chain: image.chain, overlays: [path] }, { readOnly: false });
    const bootIndex = index === built.guest.rootDisk ? 0 : null;
    disks.push({ blockdev, bus: sourceBus(built.guest), bootIndex, serial: `disk-${index}` });
  }
  return disks;
}

async function watchSource(built: BuiltGuest, folder: string): Promise<SourceBoot> {
  const { guest, vm } = built;
  const { mac, address, slotNumber } = matrixNic(guest);
  const signal = new AbortController().signal;
  const stateDir = join(folder, 'machine');
  await mkdir(stateDir, { mode: 0o700 });
  if (guest.firmware === 'uefi') await writeBootVariables(stateDir);
  const begun = Date.now();
  const machine = await startMachine(
    {
      name: vm.name,
      cpuCount: vm.cpuCount,
      memoryBytes: vm.memoryBytes,
      firmware: vm.firmware,
      acceleration: await workingAcceleration({ workDir: folder }),
      disks: await sourceDisks(built, folder),
      nics: [{ mac, model: 'vmxnet3', addresses: [address], slotNumber }],
      stateDir,
      lifetime: 'starter',
    },
    signal,
  );
  const report = await machine.waitForEvidence({
    evidence: 'serial-marker',
    serialMarker: matrixMarker,
    expectedAddresses: [address],
    timeoutMs: bootTimeoutMs,
    signal,
    onProgress: () => undefined,
  });
  const said = report.evidence.find(({ rung }) => rung === 'serial-marker')?.summary ?? '';
  return {
    isReady: report.verdict === 'passed' && readyPattern(guest).test(said),
    summary: said || report.serialTail.trim().slice(-300),
    seconds: Math.round((report.readyAfterMs ?? Date.now() - begun) / 1000),
  };
}

/** Starts a guest as it was backed up on the hardware it comes from, and ends the machine again. */
export async function bootOnSource(built: BuiltGuest): Promise<SourceBoot> {
  const folder = await mkdtemp(join(tmpdir(), 'ascend-matrix-'));
  try {
    return await watchSource(built, folder);
  } finally {
    await (await findMachine(join(folder, 'machine')))?.kill();
    await rm(folder, { recursive: true, force: true });
  }
}
