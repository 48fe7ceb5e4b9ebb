import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startProcess, systemClock, type RunningProcess } from '@ascend/runtime';
import { expect, test } from 'vitest';
import { findMachine, startMachine } from './machine.ts';
import { isMachineProcess } from './machineProcess.ts';
import { withQmp } from './qmpClient.ts';
import { emptyMachineSpec, startEmptyMachine, withMachineFolder } from './testing/emptyMachine.ts';

const starter = fileURLToPath(import.meta.resolve('./testing/starter.ts'));
const signal = new AbortController().signal;

/** Every QEMU process that names this folder's pid file, whatever the pid file says. */
async function machinesOf(folder: string): Promise<readonly number[]> {
  const pids = (await readdir('/proc')).map(Number).filter((pid) => pid > 0);
  const flags = await Promise.all(pids.map(async (pid) => isMachineProcess(pid, join(folder, 'machine'))));
  return pids.filter((_, at) => flags[at] === true);
}

async function until(isTrue: () => boolean | Promise<boolean>, timeoutMs = 20_000): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!(await isTrue())) {
    if (Date.now() > end) throw new Error('did not come true in time');
    await systemClock.sleep(20);
  }
}

function startStarter(folder: string, lines: string[], lifetime: 'own' | 'starter' = 'own'): RunningProcess {
  return startProcess({
    program: process.execPath,
    args: [starter, folder, lifetime],
    onStdoutLine: (line) => lines.push(line),
    dieWithParent: true,
  });
}

async function killNow(running: RunningProcess): Promise<void> {
  process.kill(running.pid, 'SIGKILL');
  await running.ended;
}

test('three starts at once give one machine, and it is found, ended and found no more', async () => {
  await withMachineFolder(async (folder) => {
    const spec = await emptyMachineSpec(folder);
    const machines = await Promise.all([1, 2, 3].map(async () => startMachine(spec, signal)));
    expect(new Set(machines.map((one) => one.pid)).size).toBe(1);
    expect(await machinesOf(folder)).toEqual([machines[0]?.pid]);
    const found = await findMachine(spec.stateDir);
    expect(found?.pid).toBe(machines[0]?.pid);
    await found?.kill();
    await found?.kill();
    expect(await findMachine(spec.stateDir)).toBeNull();
    expect(await machinesOf(folder)).toEqual([]);
  });
});

test.each([0, 150, 400])(
  'a starter killed %i ms after it began leaves one machine or none, and the next start has one',
  async (delayMs) => {
    await withMachineFolder(async (folder) => {
      const lines: string[] = [];
      const running = startStarter(folder, lines);
      await until(() => lines.includes('begin'));
      await systemClock.sleep(delayMs);
      await killNow(running);
      const machine = await startEmptyMachine(folder);
      expect(await machinesOf(folder)).toEqual([machine.pid]);
    });
  },
);

test('a machine survives the kill of its starter and is adopted', async () => {
  await withMachineFolder(async (folder) => {
    const lines: string[] = [];
    const running = startStarter(folder, lines);
    await until(() => lines.some((line) => line.startsWith('started')));
    await killNow(running);
    const adopted = await startEmptyMachine(folder);
    expect(lines).toContain(`started ${adopted.pid}`);
  });
});

test('a machine bound to its starter dies with it, even by kill -9', async () => {
  await withMachineFolder(async (folder) => {
    const lines: string[] = [];
    const running = startStarter(folder, lines, 'starter');
    await until(() => lines.some((line) => line.startsWith('started')));
    expect(await machinesOf(folder)).toHaveLength(1);
    await killNow(running);
    await until(async () => (await machinesOf(folder)).length === 0);
  });
});

test('a pid file that names a foreign process neither counts as a machine nor lets that process be ended', async () => {
  await withMachineFolder(async (folder) => {
    const machine = await startEmptyMachine(folder);
    process.kill(machine.pid, 'SIGKILL');
    await until(async () => (await machinesOf(folder)).length === 0);
    const bystander = startProcess({ program: 'sleep', args: ['60'], dieWithParent: true });
    await writeFile(join(machine.stateDir, 'pid'), `${bystander.pid}\n`);
    expect(await findMachine(machine.stateDir)).toBeNull();
    await machine.kill();
    const next = await startEmptyMachine(folder);
    expect(next.pid).not.toBe(bystander.pid);
    expect(process.kill(bystander.pid, 0)).toBe(true);
    await bystander.stop();
  });
});

test('a folder whose machine has another name is not taken over', async () => {
  await withMachineFolder(async (folder) => {
    await startEmptyMachine(folder);
    await expect(startEmptyMachine(folder, { name: 'another' })).rejects.toMatchObject({
      code: 'GUEST_MACHINE_SPEC_INVALID',
    });
    expect(await machinesOf(folder)).toHaveLength(1);
  });
});

test.each(['own', 'starter'] as const)(
  'what QEMU says when it refuses reaches the caller (lifetime %s)',
  async (lifetime) => {
    await withMachineFolder(async (folder) => {
      const spec = await emptyMachineSpec(folder, { lifetime });
      await rm(join(folder, 'empty.raw'));
      await expect(startMachine(spec, signal)).rejects.toMatchObject({
        code: 'GUEST_MACHINE_START_FAILED',
        message: expect.stringMatching(/empty\.raw.*No such file/),
      });
      expect(await machinesOf(folder)).toEqual([]);
    });
  },
);

test('a machine that hangs is neither doubled nor waited for, and can be ended', async () => {
  await withMachineFolder(async (folder) => {
    const machine = await startEmptyMachine(folder);
    process.kill(machine.pid, 'SIGSTOP');
    await expect(startEmptyMachine(folder)).rejects.toMatchObject({ code: 'GUEST_MACHINE_UNRESPONSIVE' });
    expect(await machinesOf(folder)).toEqual([machine.pid]);
    await machine.kill();
    expect(await machinesOf(folder)).toEqual([]);
  });
}, 60_000);

test('a guest that ignores the power button is ended after its grace', async () => {
  await withMachineFolder(async (folder) => {
    const machine = await startEmptyMachine(folder);
    await machine.powerDown({ graceMs: 300 });
    await machine.powerDown({ graceMs: 300 });
    expect(await machinesOf(folder)).toEqual([]);
  });
});

test('a folder with a path longer than any socket address works', async () => {
  await withMachineFolder(async (folder) => {
    const stateDir = join(folder, 'd'.repeat(100), 'e'.repeat(100), 'machine');
    const machine = await startEmptyMachine(folder, { stateDir });
    expect(await machine.screenshot()).toBeInstanceOf(Buffer);
    await machine.kill();
  });
});

test('a UEFI machine runs from the shared firmware with variables of its own', async () => {
  await withMachineFolder(async (folder) => {
    const machine = await startEmptyMachine(folder, { firmware: 'uefi', memoryBytes: 128 * 1024 ** 2 });
    const flash = await withQmp({ stateDir: machine.stateDir }, async (client) =>
      client.execute('query-named-block-nodes'),
    );
    expect(JSON.stringify(flash)).toContain(join(machine.stateDir, 'vars.fd'));
    expect((await readFile(join(machine.stateDir, 'vars.fd'))).length).toBeGreaterThan(100_000);
    await machine.kill();
  });
});

test('a machine that has nothing to boot is failed by the clock, with a picture of why', async () => {
  await withMachineFolder(async (folder) => {
    const machine = await startEmptyMachine(folder);
    const phases = new Set<string>();
    const report = await machine.waitForEvidence({
      evidence: 'serial-marker',
      serialMarker: null,
      expectedAddresses: ['10.0.2.77/24'],
      timeoutMs: 3_000,
      signal,
      onProgress: ({ phase }) => phases.add(phase),
    });
    expect(report.verdict).not.toBe('passed');
    expect(report.readyAfterMs).toBeNull();
    expect(Buffer.from(report.screenshotPng ?? '', 'base64').toString('latin1', 1, 4)).toBe('PNG');
    expect(phases).toContain('wait for serial-marker');
    expect(await machinesOf(folder)).toHaveLength(1);
  });
});

test('a machine that ends while it is watched is a failure at once, a cancelled watch ends within a second', async () => {
  await withMachineFolder(async (folder) => {
    const machine = await startEmptyMachine(folder);
    const cancelling = new AbortController();
    const params = {
      evidence: 'network',
      serialMarker: null,
      expectedAddresses: [],
      timeoutMs: 60_000,
      onProgress: () => undefined,
    } as const;
    const watched = machine.waitForEvidence({ ...params, signal });
    const cancelled = machine.waitForEvidence({ ...params, signal: cancelling.signal });
    const begun = Date.now();
    cancelling.abort();
    await expect(cancelled).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' });
    expect(Date.now() - begun).toBeLessThan(1_000);
    process.kill(machine.pid, 'SIGKILL');
    const report = await watched;
    expect(report).toMatchObject({ verdict: 'failed', screenshotPng: null });
    expect(report.evidence[0]?.summary).toBe('the machine ended by itself');
  });
});
