import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildPhonyDisk, phonyMac, phonyWindows, writePhonyDrivers } from '@ascend/guest/testing';
import { findingSchema } from '@ascend/protocol';
import { runProcess } from '@ascend/runtime';
import { z } from 'zod';
import { root } from '../system/ascendSystem.ts';

const ascend = join(root, 'apps/cli/bin/ascend');
const planSchema = z.object({ findings: z.array(findingSchema) });
const jobSchema = z.object({
  state: z.string(),
  steps: z.array(z.object({ key: z.string(), state: z.string(), output: z.unknown() })),
});
const preparedSchema = z.object({ system: z.string(), findings: z.array(findingSchema) });

let dir: string;
let backup: string;
let drivers: string;
let packages: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ascend-windows-'));
  [backup, drivers, packages] = [join(dir, 'windows.qcow2'), join(dir, 'drivers'), join(dir, 'packages')];
  for (const name of ['disks', 'state', 'packages']) await mkdir(join(dir, name));
  const connection = { storages: { disks: join(dir, 'disks') }, state_dir: join(dir, 'state') };
  await writeFile(join(dir, 'target.json'), JSON.stringify({ platform: 'kvm', connection }));
  await writePhonyDrivers(drivers);
  await writeFile(join(packages, 'qemu-ga-x86_64.msi'), 'the installer of the agent');
  await using disk = await buildPhonyDisk(phonyWindows('2k19'), { uefi: false });
  await runProcess({
    program: 'qemu-img',
    args: ['convert', '-f', 'raw', '-O', 'qcow2', disk.diskPath, backup],
  });
});

afterAll(async () => {
  const args = ['deploy/localVms.ts', 'stop', join(dir, 'state')];
  await runProcess({ program: process.execPath, args, cwd: root });
  await rm(dir, { recursive: true, force: true });
});

function restoreArgs(name: string, more: readonly string[]): string[] {
  const args = ['--json', 'local', 'restore', backup, '--target', join(dir, 'target.json'), '--name', name];
  return [
    ...args,
    '--work-dir',
    join(dir, `work-${name}`),
    '--mac',
    `0=${phonyMac}`,
    '--no-power-on',
    ...more,
  ];
}

async function dryRun(more: readonly string[]) {
  const { stdout } = await runProcess({
    program: ascend,
    args: restoreArgs('planned', ['--dry-run', ...more]),
  });
  return planSchema.parse(JSON.parse(stdout)).findings;
}

it('plans a Windows guest: without drivers it says what to configure, with them what will be done', async () => {
  const without = await dryRun([]);
  expect(without).toContainEqual(
    expect.objectContaining({
      code: 'GUEST_DRIVER_PACKAGE_MISSING',
      severity: 'blocked',
      action: expect.stringContaining('--windows-drivers'),
    }),
  );
  const findings = await dryRun(['--windows-drivers', drivers, '--agent-packages', packages]);
  expect(findings.filter(({ severity }) => severity === 'blocked')).toEqual([]);
  const codes = findings.filter(({ severity }) => severity === 'fixed').map(({ code }) => code);
  expect(codes).toEqual(
    expect.arrayContaining([
      'PLAN_DRIVER_INJECTED',
      'GUEST_SOURCE_TOOLS_PRESENT',
      'GUEST_AGENT_PACKAGE_STAGED',
    ]),
  );
});

it('refuses drivers and packages that are not there before anything is read', async () => {
  for (const [option, path] of [
    ['--windows-drivers', join(dir, 'nowhere')],
    ['--agent-packages', backup],
  ] as const) {
    const { stderr } = await runProcess({
      program: ascend,
      args: restoreArgs('refused', [option, path]),
      okExitCodes: [2],
    });
    expect(stderr).toContain('INPUT_INVALID');
  }
});

it('restores a Windows guest with its drivers and the agent’s package, as other readers see on the disk of the new VM', async () => {
  const args = restoreArgs('windows', ['--windows-drivers', drivers, '--agent-packages', packages]);
  const job = jobSchema.parse(JSON.parse((await runProcess({ program: ascend, args })).stdout));
  expect(job.state).toBe('completed');
  const prepared = preparedSchema.parse(job.steps.find(({ key }) => key === 'prepare-guest')?.output);
  expect(prepared.system).toBe('Windows Server 2019 Standard 10.0.17763 x86_64');
  expect(prepared.findings).toContainEqual(expect.objectContaining({ code: 'GUEST_AGENT_PACKAGE_STAGED' }));
  const disk = (await readdir(join(dir, 'disks'))).find((name) => name.includes('transfer-disk')) ?? '';
  const [flat, volume, hive] = [join(dir, 'flat.raw'), join(dir, 'volume.raw'), join(dir, 'SYSTEM')];
  await runProcess({ program: 'qemu-img', args: ['convert', '-O', 'raw', join(dir, 'disks', disk), flat] });
  const cut = ['bs=1M', 'skip=1', 'count=32', 'status=none'];
  await runProcess({ program: 'dd', args: [`if=${flat}`, `of=${volume}`, ...cut] });
  const read = 'ntfscat "$1" "$2" > "$3"';
  const take = async (path: string, to: string) =>
    await runProcess({ program: 'sh', args: ['-c', read, 'sh', volume, path, to] });
  await take('/Windows/System32/config/SYSTEM', hive);
  const key = String.raw`ControlSet001\Services\viostor`;
  const start = await runProcess({ program: 'hivexget', args: [hive, key, 'Start'] });
  expect(start.stdout).toMatch(/0x0|^0$/);
  const msi = join(dir, 'found.msi');
  await take('/Windows/Ascend/qemu-ga-x86_64.msi', msi);
  expect(await readFile(msi, 'utf8')).toBe('the installer of the agent');
  const script = join(dir, 'firstboot.cmd');
  await take('/Windows/Ascend/firstboot.cmd', script);
  expect(await readFile(script, 'utf8')).toContain(
    'msiexec.exe /i "%SystemRoot%\\Ascend\\qemu-ga-x86_64.msi" /qn',
  );
}, 600_000);
