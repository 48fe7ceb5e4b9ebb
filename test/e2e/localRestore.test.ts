import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runProcess, startProcess, type ProcessResult } from '@ascend/runtime';
import { bootReportSchema } from '@ascend/steps';
import { z } from 'zod';
import { copyBackup } from '../guests/builtBackup.ts';
import { microBackup } from '../guests/microGuest.ts';
import { sampleBackup } from '../guests/sampleGuest.ts';
import { root, until } from '../system/ascendSystem.ts';
import { digests } from '../system/microRestore.ts';

const cacheDir = join(root, '.ascend/cache');
const ascend = join(root, 'apps/cli/bin/ascend');

let dir: string;
let targetFile: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ascend-local-'));
  for (const name of ['disks', 'state', 'sample', 'micro']) await mkdir(join(dir, name));
  targetFile = join(dir, 'target.json');
  const connection = { storages: { disks: join(dir, 'disks') }, state_dir: join(dir, 'state') };
  await writeFile(targetFile, JSON.stringify({ platform: 'kvm', connection }));
});

afterAll(async () => {
  await runProcess({
    program: process.execPath,
    args: ['deploy/localVms.ts', 'stop', join(dir, 'state')],
    cwd: root,
  });
  await rm(dir, { recursive: true, force: true });
});

const jobSchema = z.object({
  state: z.string(),
  steps: z.array(z.object({ key: z.string(), state: z.string(), attempt: z.number(), output: z.unknown() })),
});
const outputSchema = z.object({ report: bootReportSchema });

type Job = z.infer<typeof jobSchema>;

function parseJob(result: ProcessResult): Job {
  return jobSchema.parse(JSON.parse(result.stdout));
}

function bootOf(job: Job) {
  return outputSchema.parse(job.steps.find((step) => step.key === 'start-and-verify')?.output).report;
}

function restoreArgs(folder: string, name: string, stamp: string, more: readonly string[]): string[] {
  const what = [
    '--json',
    'local',
    'restore',
    join(dir, folder),
    '--target',
    targetFile,
    '--name',
    name,
    '--backup',
    stamp,
  ];
  return what.concat(
    '--work-dir',
    join(dir, `work-${name}`),
    '--evidence',
    'serial-marker',
    '--marker',
    'ASCEND-READY',
    more,
  );
}

/** Space that the target's disks take, in KiB. */
async function diskKib(): Promise<number> {
  const { stdout } = await runProcess({ program: 'du', args: ['-sk', join(dir, 'disks')] });
  return Number(stdout.split('\t')[0]);
}

it('restores a Debian server to other hardware from the folder alone: drivers in, address kept, inc1 on both disks', async () => {
  await copyBackup(await sampleBackup({ cacheDir }), join(dir, 'sample'));
  const before = await digests(join(dir, 'sample'));
  const args = restoreArgs('sample', 'server', '20251008-200751', ['--boot-timeout', '600']);
  const job = parseJob(await runProcess({ program: ascend, args }));
  expect(job.state).toBe('completed');
  expect(job.steps.every((step) => step.state === 'succeeded')).toBe(true);
  const boot = bootOf(job);
  expect(boot.verdict).toBe('passed');
  expect(boot.serialTail).toContain('ASCEND-READY root=inc1 data=inc1 addr=10.0.2.77/24 if=ens192');
  expect(await digests(join(dir, 'sample'))).toEqual(before);
});

it('shows the plan and touches nothing with --dry-run', async () => {
  await copyBackup(await microBackup({ cacheDir }), join(dir, 'micro'));
  const args = restoreArgs('micro', 'planned', '20251008-200751', ['--no-prepare', '--dry-run']);
  const { stdout } = await runProcess({ program: ascend, args });
  expect(JSON.parse(stdout)).toMatchObject({ source_vm_name: 'micro1', vm: { name: 'planned' } });
  const { stdout: listed } = await runProcess({
    program: process.execPath,
    args: ['deploy/localVms.ts', 'list', join(dir, 'state')],
    cwd: root,
  });
  expect(listed).not.toContain('planned');
});

it('goes on where it was after kill -9 in the middle of a transfer: one VM, the same command again', async () => {
  const args = restoreArgs('micro', 'killed', '20251008-201358', [
    '--no-prepare',
    '--boot-timeout',
    '240',
    '--bandwidth',
    '4M',
  ]);
  const before = await diskKib();
  const first = startProcess({ program: ascend, args, dieWithParent: true });
  await until('the transfer has begun', 60, async () => {
    return (await diskKib()) > before + 6 * 1024;
  });
  process.kill(first.pid, 'SIGKILL');
  await first.ended;
  const job = parseJob(await runProcess({ program: ascend, args }));
  expect(job.state).toBe('completed');
  expect(bootOf(job).serialTail).toContain('root=inc2 data=inc2');
  const { stdout } = await runProcess({
    program: process.execPath,
    args: ['deploy/localVms.ts', 'list', join(dir, 'state')],
    cwd: root,
  });
  expect(stdout.split('\n').filter((line) => line.startsWith('VM killed'))).toHaveLength(1);
});

it('says what is wrong with a folder that holds no backups, a VM that is not there and a target file that is none', async () => {
  const empty = await mkdtemp(join(dir, 'empty-'));
  const attempts: [string[], number, string][] = [
    [['local', 'restore', empty, '--target', targetFile], 4, 'CLI_BACKUP_NOT_FOUND'],
    [['local', 'restore', join(dir, 'nowhere'), '--target', targetFile], 2, 'INPUT_INVALID'],
    [
      ['local', 'restore', join(dir, 'micro'), '--target', targetFile, '--vm', 'other'],
      4,
      'CLI_BACKUP_NOT_FOUND',
    ],
    [['local', 'restore', join(dir, 'micro'), '--target', join(dir, 'nowhere.json')], 2, 'INPUT_INVALID'],
  ];
  for (const [args, exitCode, code] of attempts) {
    const { stderr } = await runProcess({
      program: ascend,
      args: ['--json', ...args],
      okExitCodes: [exitCode],
    });
    expect(stderr).toContain(code);
  }
});
