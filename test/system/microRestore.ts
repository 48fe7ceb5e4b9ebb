import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { restoreReportSchema, restoreSchema, targetInventorySchema, type Restore } from '@ascend/protocol';
import { bootReportSchema } from '@ascend/steps';
import type { BootReport } from '@ascend/domain';
import { z } from 'zod';
import { copyBackup } from '../guests/builtBackup.ts';
import { microBackup } from '../guests/microGuest.ts';
import { root, until, type AscendSystem } from './ascendSystem.ts';

const finalReportSchema = z.object({ report: z.object({ boot: bootReportSchema }) });

/** Where built guests are kept between runs. */
const cacheDir = join(root, '.ascend/cache');

/** Restore points of the micro guest by their names, as the catalogue calls them. */
export const microPoints = {
  full: 'backup-micro1-20251008-192431',
  inc1: 'backup-micro1-20251008-200751',
  inc2: 'backup-micro1-20251008-201358',
} as const;

/** Puts the micro guest's chain into the system's repository and scans it. */
export async function addMicroBackup(system: AscendSystem, dataDiskBytes?: number): Promise<void> {
  const built = await microBackup({ cacheDir, ...(dataDiskBytes === undefined ? {} : { dataDiskBytes }) });
  await mkdir(system.repository, { recursive: true });
  await copyBackup(built, system.repository);
  await system.cli(['catalog', 'scan', 'vault']);
}

/** Arguments that restore the micro guest and demand its marker. */
export function microRestore(
  point: keyof typeof microPoints,
  name: string,
  more: readonly string[] = [],
): string[] {
  const what = ['restore', 'start', '--backup', microPoints[point], '--target', 'local', '--name', name];
  const proof = ['--evidence', 'serial-marker', '--marker', 'ASCEND-READY', '--boot-timeout', '240'];
  return what.concat('--no-prepare', proof, more);
}

/** Starts a restore and returns its id. */
export async function startMicro(
  system: AscendSystem,
  point: keyof typeof microPoints,
  name: string,
  more: readonly string[] = [],
): Promise<string> {
  return restoreSchema.parse(await system.json(microRestore(point, name, more))).id;
}

/** A restore as it is now. */
export async function show(system: AscendSystem, id: string): Promise<Restore> {
  return restoreSchema.parse(await system.json(['restore', 'show', id]));
}

/** Waits until a restore is in one of the states. */
export async function untilState(
  system: AscendSystem,
  id: string,
  states: readonly string[],
  seconds = 240,
): Promise<Restore> {
  let last: Restore | undefined;
  try {
    await until(`restore ${id} is ${states.join(' or ')}`, seconds, async () => {
      last = await show(system, id);
      return states.includes(last.state);
    });
  } catch (cause) {
    const steps = last?.steps
      .map((step) => `${step.step_key} ${step.state} ${step.error?.message ?? ''}`)
      .join('\n');
    const agent = (await system.log('agent')).slice(-3000);
    const control = (await system.log('control-plane')).slice(-3000);
    throw new Error(
      `${String(cause)}\nit is ${last?.state}\n${steps}\n--- agent\n${agent}\n--- control plane\n${control}`,
      { cause },
    );
  }
  if (last === undefined) throw new Error('never seen');
  return last;
}

/** Waits until a step of a restore has moved at least `bytes` and is still running. */
export async function untilMoving(
  system: AscendSystem,
  id: string,
  stepKey: string,
  bytes: number,
): Promise<void> {
  await until(`${stepKey} of ${id} moves`, 120, async () => {
    const step = (await show(system, id)).steps.find((one) => one.step_key === stepKey);
    return step?.state === 'running' && (step.progress?.bytes_done ?? 0) >= bytes;
  });
}

/** The boot report of a completed restore. */
export async function bootOf(system: AscendSystem, id: string): Promise<BootReport> {
  const { report } = restoreReportSchema.parse(await system.json(['restore', 'report', id]));
  const boot = finalReportSchema.safeParse(report).data?.report.boot;
  if (boot === undefined)
    throw new Error(`restore ${id} has no boot report: ${JSON.stringify(report).slice(0, 500)}`);
  return boot;
}

/** Names of the VMs that exist on the target, and of the disk files in its storage. */
export async function onTarget(system: AscendSystem): Promise<{ vms: string[]; disks: string[] }> {
  const inventory = targetInventorySchema.parse(await system.json(['target', 'inventory', 'local']));
  const disks = await readdir(join(system.dir, 'disks'));
  return { vms: inventory.vm_names.toSorted(), disks: disks.toSorted() };
}

/** SHA-256 of every file below a folder, by relative path. */
export async function digests(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const sums: Record<string, string> = {};
  for (const entry of entries.filter((one) => one.isFile())) {
    const path = join(entry.parentPath, entry.name);
    const hash = createHash('sha256');
    await pipeline(createReadStream(path), hash);
    sums[path.slice(folder.length + 1)] = hash.digest('hex');
  }
  return sums;
}

/** QEMU processes of this system's VMs, found by the state folder in their command line. */
export async function qemuCount(system: AscendSystem): Promise<number> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  );
  return lines.filter((line) => line.startsWith('qemu-system') && line.includes(system.targetState)).length;
}
