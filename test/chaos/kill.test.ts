import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startAscend, type AscendSystem } from '../system/ascendSystem.ts';
import {
  addMicroBackup,
  bootOf,
  onTarget,
  qemuCount,
  show,
  startMicro,
  untilMoving,
  untilState,
} from '../system/microRestore.ts';

let system: AscendSystem;

beforeAll(async () => {
  system = await startAscend();
  await addMicroBackup(system);
});

afterAll(async () => {
  await system?.stop();
});

const mib = 1024 ** 2;
/** Slow enough that a transfer is caught half-way, fast enough for a test. */
const slowly = ['--bandwidth', '4M'];

async function expectOneVm(id: string, name: string, marker: string): Promise<void> {
  expect((await bootOf(system, id)).serialTail).toContain(`root=${marker} data=${marker}`);
  const there = await onTarget(system);
  expect(there.vms.filter((one) => one.startsWith(name))).toEqual([name]);
  expect(there.disks.filter((file) => file.includes(id))).toHaveLength(2);
}

describe('killed half-way', () => {
  it('finishes after kill -9 of the agent in the middle of a transfer, with one VM and two disks', async () => {
    const id = await startMicro(system, 'inc1', 'agent-killed', slowly);
    await untilMoving(system, id, 'transfer-disk:0', 8 * mib);
    await system.killAgent();
    await system.startAgent();
    const restore = await untilState(system, id, ['completed', 'failed']);
    expect(restore.error).toBeNull();
    await expectOneVm(id, 'agent-killed', 'inc1');
  });

  it('finishes after kill -9 of the control plane in the middle of a transfer', async () => {
    const id = await startMicro(system, 'inc2', 'control-killed', slowly);
    await untilMoving(system, id, 'transfer-disk:0', 8 * mib);
    await system.killControlPlane();
    await system.startControlPlane();
    const restore = await untilState(system, id, ['completed', 'failed']);
    expect(restore.error).toBeNull();
    await expectOneVm(id, 'control-killed', 'inc2');
  });

  it('finishes after kill -9 of both at once while the VM boots', async () => {
    const running = await qemuCount(system);
    const id = await startMicro(system, 'full', 'both-killed');
    await untilState(system, id, ['running']);
    for (;;) {
      const step = (await show(system, id)).steps.find((one) => one.step_key === 'start-and-verify');
      if (step?.state === 'running' && (await qemuCount(system)) > running) break;
      if (step?.state === 'succeeded') break;
    }
    await Promise.all([system.killAgent(), system.killControlPlane()]);
    await system.startControlPlane();
    await system.startAgent();
    const restore = await untilState(system, id, ['completed', 'failed']);
    expect(restore.error).toBeNull();
    await expectOneVm(id, 'both-killed', 'full');
    expect(await qemuCount(system)).toBe(running + 1);
  });

  it('finishes after nats-server was killed and lost everything it had stored', async () => {
    const id = await startMicro(system, 'inc1', 'bus-lost', slowly);
    await untilMoving(system, id, 'transfer-disk:0', 8 * mib);
    await system.killNats(true);
    await system.startNats();
    const restore = await untilState(system, id, ['completed', 'failed']);
    expect(restore.error).toBeNull();
    await expectOneVm(id, 'bus-lost', 'inc1');
  });
});

describe('cancel, rollback, retry', () => {
  it('cancels a running transfer and can roll it back later', async () => {
    const id = await startMicro(system, 'inc1', 'cancelled', slowly);
    await untilMoving(system, id, 'transfer-disk:0', 4 * mib);
    await system.cli(['restore', 'cancel', id, '--watch']);
    expect((await show(system, id)).state).toBe('cancelled');
    await system.cli(['restore', 'rollback', id, '--watch']);
    const restore = await show(system, id);
    expect(restore.state).toBe('rolled_back');
    const there = await onTarget(system);
    expect(there.vms).not.toContain('cancelled');
    expect(there.disks.filter((file) => file.includes(id))).toEqual([]);
  });

  it('cancels with rollback in one word', async () => {
    const id = await startMicro(system, 'inc1', 'cancelled-too', slowly);
    await untilMoving(system, id, 'transfer-disk:0', 4 * mib);
    await system.cli(['restore', 'cancel', id, '--rollback', '--watch']);
    expect((await show(system, id)).state).toBe('rolled_back');
  });

  it('retries at the failed step and keeps what succeeded before', async () => {
    // No guest is up within a second; the last of two options of one name counts.
    const never = ['--boot-timeout', '1'];
    const id = await startMicro(system, 'inc1', 'retried', never);
    const failed = await untilState(system, id, ['failed']);
    expect(failed.error?.code).toBe('STEP_BOOT_NOT_PROVEN');
    const transferred = failed.steps.find((step) => step.step_key === 'transfer-disk:0');
    await system.cli(['restore', 'retry', id]);
    const again = await untilState(system, id, ['failed']);
    const kept = again.steps.find((step) => step.step_key === 'transfer-disk:0');
    expect(kept?.completed_at).toBe(transferred?.completed_at);
    expect(again.steps.find((step) => step.step_key === 'start-and-verify')?.attempt).toBe(2);
    const there = await onTarget(system);
    expect(there.vms.filter((name) => name.startsWith('retried'))).toEqual(['retried']);
  });
});
