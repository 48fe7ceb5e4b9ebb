import { isRunning, stopVm } from './machine.ts';
import { createVmStore } from './vmStore.ts';

/** One VM of a state folder, as a person wants to see it. */
export interface LocalVm {
  readonly name: string;
  readonly jobId: string;
  readonly running: boolean;
  readonly createdAt: string;
}

/** The VMs below a state folder, without any connection: for set-up scripts. A missing folder holds none. */
export async function listLocalVms(stateDir: string): Promise<readonly LocalVm[]> {
  const records = await createVmStore(stateDir).list();
  return Promise.all(
    records.map(async ({ name, jobId, createdAt }) => ({
      name,
      jobId,
      createdAt,
      running: await isRunning(stateDir, name),
    })),
  );
}

/** Stops every running VM below a state folder, gracefully for `graceMs`, and returns the names of those that ran. */
export async function stopLocalVms(stateDir: string, graceMs: number): Promise<readonly string[]> {
  const running = (await listLocalVms(stateDir)).filter((vm) => vm.running);
  await Promise.all(running.map((vm) => stopVm(stateDir, vm.name, graceMs)));
  return running.map((vm) => vm.name);
}
