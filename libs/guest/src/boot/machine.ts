import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { BootReport } from '@ascend/domain';
import { AppError, hasCode } from '@ascend/errors';
import { systemClock } from '@ascend/runtime';
import type { WaitForEvidenceParams, WatchedMachine } from './bootWatch.ts';
import { firmwareFor } from './firmware.ts';
import { launchQemu } from './launch.ts';
import { readMachineFacts, writeMachineFacts } from './machineFacts.ts';
import { isMachineProcess, liveProcess, waitUntilGone } from './machineProcess.ts';
import type { MachineSpec } from './machineSpec.ts';
import { qemuArguments } from './qemuArguments.ts';
import { watchBoot } from './watchBoot.ts';
import { withQmp } from './qmpClient.ts';
import { encodePngWithin } from './screenImage.ts';
import { grabScreen, maxScreenshotBytes } from './screenshot.ts';

/** A running QEMU machine. Every call works from any process: all that is known lies in the machine's folder. */
export interface Machine {
  readonly pid: number;
  readonly stateDir: string;
  /** @throws {AppError} OPERATION_CANCELLED */
  waitForEvidence(params: WaitForEvidenceParams): Promise<BootReport>;
  /** The screen as PNG; null when there is none to be had. */
  screenshot(): Promise<Buffer | null>;
  /** Presses the power button; ends the process after `graceMs` whatever the guest does. Idempotent. */
  powerDown(params: { readonly graceMs: number }): Promise<void>;
  /** Ends the process at once and returns when it is gone. Idempotent. @throws {AppError} GUEST_MACHINE_UNRESPONSIVE */
  kill(): Promise<void>;
}

const adoptDeadlineMs = 15_000;
const adoptPollMs = 100;
const quitMs = 2_000;
const killMs = 10_000;

async function killMachine(pid: number, stateDir: string): Promise<void> {
  const quit = withQmp({ stateDir, deadlineMs: quitMs }, async (client) => client.execute('quit'));
  const accepted = await quit.then(
    () => true,
    () => false,
  );
  if (accepted && (await waitUntilGone(pid, stateDir, quitMs))) return;
  if (!(await isMachineProcess(pid, stateDir))) return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch (cause) {
    if (!(await isMachineProcess(pid, stateDir))) return;
    const message = `end machine in ${stateDir}: process ${pid} may not be signalled`;
    throw new AppError({ code: 'GUEST_MACHINE_UNRESPONSIVE', message, cause });
  }
  if (await waitUntilGone(pid, stateDir, killMs)) return;
  const message = `end machine in ${stateDir}: process ${pid} is still there ${killMs} ms after SIGKILL`;
  throw new AppError({ code: 'GUEST_MACHINE_UNRESPONSIVE', message });
}

async function powerDownMachine(pid: number, stateDir: string, graceMs: number): Promise<void> {
  const pressed = withQmp({ stateDir }, async (client) => client.execute('system_powerdown'));
  const accepted = await pressed.then(
    () => true,
    () => false,
  );
  if (accepted && (await waitUntilGone(pid, stateDir, graceMs))) return;
  await killMachine(pid, stateDir);
}

function machineOf(watched: WatchedMachine): Machine {
  const { pid, stateDir } = watched;
  return {
    pid,
    stateDir,
    waitForEvidence: async (params) => watchBoot(watched, params),
    screenshot: async () => {
      const image = await grabScreen(stateDir);
      return image === null ? null : encodePngWithin(image, maxScreenshotBytes);
    },
    powerDown: async ({ graceMs }) => powerDownMachine(pid, stateDir, graceMs),
    kill: async () => killMachine(pid, stateDir),
  };
}

/** The machine that runs in a folder, or null. Reads only; a folder without machine stays as it is. */
export async function findMachine(stateDir: string): Promise<Machine | null> {
  const folder = resolve(stateDir);
  const facts = await readMachineFacts(folder);
  const process = facts === null ? null : await liveProcess(folder);
  if (facts === null || process === null) return null;
  return machineOf({ ...process, stateDir: folder, facts });
}

async function answeredName(stateDir: string): Promise<unknown> {
  const answer = await withQmp({ stateDir }, async (client) => client.execute('query-name'));
  return typeof answer === 'object' && answer !== null && 'name' in answer ? answer.name : null;
}

/** Waits until the machine in the folder answers under its name: it may have been launched a moment ago by somebody else. */
async function adoptMachine(spec: MachineSpec, signal: AbortSignal): Promise<Machine | null> {
  const end = Date.now() + adoptDeadlineMs;
  for (;;) {
    const machine = await findMachine(spec.stateDir);
    if (machine === null) return null;
    try {
      const name = await answeredName(spec.stateDir);
      if (name === spec.name) return machine;
      const message = `start machine ${spec.name}: its folder belongs to machine ${String(name)}`;
      throw new AppError({ code: 'GUEST_MACHINE_SPEC_INVALID', message });
    } catch (error) {
      if (!hasCode(error, 'GUEST_MACHINE_GONE') || Date.now() >= end) throw error;
      await systemClock.sleep(adoptPollMs, signal);
    }
  }
}

/**
 * Starts a machine, or adopts the one that runs in its folder: two calls at once, or a call after a crash of the first
 * caller, give one QEMU process (QEMU holds a lock on the folder's pid file for its whole life). Leaves only its folder
 * behind on failure.
 *
 * @throws {AppError} GUEST_MACHINE_SPEC_INVALID, GUEST_MACHINE_FIRMWARE_MISSING, GUEST_MACHINE_START_FAILED,
 *   GUEST_MACHINE_UNRESPONSIVE - a process that does not answer holds the folder; PROCESS_NOT_FOUND; PROCESS_STALLED - QEMU took
 *   more than 60 s to open disks and sockets; OPERATION_CANCELLED
 */
export async function startMachine(asked: MachineSpec, signal: AbortSignal): Promise<Machine> {
  const spec: MachineSpec = { ...asked, stateDir: resolve(asked.stateDir) };
  await mkdir(spec.stateDir, { recursive: true, mode: 0o700 });
  const running = await adoptMachine(spec, signal);
  if (running !== null) return running;
  const args = qemuArguments(spec, await firmwareFor(spec));
  await writeMachineFacts(spec);
  const refusal = await launchQemu(spec, args, signal);
  // Refused or not: whatever holds the pid file now is the machine.
  const machine = await adoptMachine(spec, signal);
  if (machine !== null) return machine;
  const message = `start machine ${spec.name}: ${refusal?.message ?? 'it ended at once'}`;
  throw new AppError({
    code: 'GUEST_MACHINE_START_FAILED',
    message,
    ...(refusal === null ? {} : { cause: refusal }),
  });
}
