import { type AppError, hasCode, toAppError } from '@ascend/errors';
import { runProcess, startProcess, systemClock } from '@ascend/runtime';
import type { MachineSpec } from './machineSpec.ts';
import { withQmp } from './qmpClient.ts';

const program = 'qemu-system-x86_64';
/** QEMU opens all disks and sockets before it answers; on a loaded host with many layers that takes seconds. */
const startTimeoutMs = 60_000;
const pollMs = 50;

async function launchOwn(
  spec: MachineSpec,
  args: readonly string[],
  signal: AbortSignal,
): Promise<AppError | null> {
  try {
    await runProcess({ program, args, cwd: spec.stateDir, signal, timeoutMs: startTimeoutMs });
    return null;
  } catch (error) {
    const failure = toAppError(error, `run ${program}`);
    if (hasCode(failure, 'PROCESS_FAILED')) return failure;
    throw failure;
  }
}

/** Does a machine answer in this folder? Its pid file alone says nothing: QEMU writes it before it opens the disks. */
async function answers(stateDir: string): Promise<boolean> {
  return withQmp({ stateDir }, async (client) => client.execute('query-name')).then(
    () => true,
    (error: unknown) => !hasCode(error, 'GUEST_MACHINE_GONE'),
  );
}

async function launchBound(spec: MachineSpec, args: readonly string[]): Promise<AppError | null> {
  const child = startProcess({ program, args, cwd: spec.stateDir, dieWithParent: true });
  for (;;) {
    const result = await Promise.race([child.ended, systemClock.sleep(pollMs).then(() => null)]);
    if (result !== null) {
      const said = result.stderr.trim().split('\n').at(-1) ?? `exit code ${result.exitCode}`;
      return toAppError(new Error(said), `run ${program}`);
    }
    if (await answers(spec.stateDir)) return null;
  }
}

/**
 * Launches QEMU. Resolves to null when it runs, or to what it said when it refused to.
 *
 * @throws {AppError} PROCESS_NOT_FOUND, PROCESS_STALLED, OPERATION_CANCELLED
 */
export async function launchQemu(
  spec: MachineSpec,
  args: readonly string[],
  signal: AbortSignal,
): Promise<AppError | null> {
  return spec.lifetime === 'starter' ? launchBound(spec, args) : launchOwn(spec, args, signal);
}
