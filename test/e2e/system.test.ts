import { copyFile, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { errorSchema, restoreListSchema } from '@ascend/protocol';
import { z } from 'zod';
import { imageName } from '../guests/backupChain.ts';
import { startAscend, type AscendSystem } from '../system/ascendSystem.ts';
import {
  addMicroBackup,
  bootOf,
  digests,
  microPoints,
  microRestore,
  onTarget,
  show,
  startMicro,
  untilState,
} from '../system/microRestore.ts';

let system: AscendSystem;
let before: Record<string, string>;

beforeAll(async () => {
  system = await startAscend();
  await addMicroBackup(system);
  before = await digests(system.repository);
});

afterAll(async () => {
  await system?.stop();
});

const micro = 'ctx-micro1-20251006-203402';

const refusalSchema = z.object({ error: errorSchema });
type Refusal = z.infer<typeof errorSchema>;

/** Runs a command that must fail and returns its coded error. */
async function refusal(args: readonly string[], exitCode: number): Promise<Refusal> {
  const { stderr } = await system.cli(['--json', ...args], [exitCode]);
  return refusalSchema.parse(JSON.parse(stderr.trim().split('\n').at(-1) ?? '')).error;
}

describe('a restore through the whole system', () => {
  it('boots the chosen point in time with its markers on both disks and its address', async () => {
    const id = await startMicro(system, 'inc1', 'point-inc1');
    const restore = await untilState(system, id, ['completed', 'failed']);
    expect(restore.error).toBeNull();
    expect(restore).toMatchObject({
      state: 'completed',
      status: 'completed',
      progress_percent: 100,
      target_vm_name: 'point-inc1',
    });
    const boot = await bootOf(system, id);
    expect(boot.verdict).toBe('passed');
    expect(boot.serialTail).toContain('ASCEND-READY root=inc1 data=inc1 addr=10.0.2.78/24');
    expect(boot.screenshotPng).toMatch(/^iVBORw0KGgo/);
    expect(boot.addresses.join(' ')).toContain('10.0.2.78');
  });

  it('watches a restore to its end and exits 0, also without a terminal', async () => {
    const { stdout } = await system.cli([...microRestore('full', 'point-full'), '--watch']);
    expect(stdout).toContain('completed');
    const list = restoreListSchema.parse(await system.json(['restore', 'list']));
    const id = list.restores.find((one) => one.target_vm_name === 'point-full')?.id ?? '';
    expect((await bootOf(system, id)).serialTail).toContain('root=full data=full');
  });

  it('leaves the backup files exactly as they were', async () => {
    expect(await digests(system.repository)).toEqual(before);
  });

  it('refuses a name that is taken before anything is created', async () => {
    const there = await onTarget(system);
    const error = await refusal(microRestore('inc2', 'point-inc1'), 5);
    expect(error.code).toBe('PLAN_BLOCKED');
    expect(JSON.stringify(error.details)).toContain('PLAN_NAME_TAKEN');
    expect(await onTarget(system)).toEqual(there);
  });

  it('leaves out a disk on request, and starts nothing when told so', async () => {
    const more = ['--exclude-disk', '1', '--no-power-on'];
    const id = await startMicro(system, 'inc2', 'one-disk', more);
    const restore = await untilState(system, id, ['completed', 'failed']);
    expect(restore.error).toBeNull();
    expect(restore.steps.map((step) => step.step_key)).not.toContain('transfer-disk:1');
    expect((await onTarget(system)).disks.filter((name) => name.includes(id))).toHaveLength(1);
  });

  it('rolls a completed restore back: VM and disks are gone', async () => {
    const id = await startMicro(system, 'inc2', 'short-lived');
    await untilState(system, id, ['completed']);
    expect((await onTarget(system)).vms).toContain('short-lived');
    await system.cli(['restore', 'rollback', id, '--watch']);
    const restore = await show(system, id);
    expect(restore.state).toBe('rolled_back');
    expect(restore.ledger.every((row) => row.state === 'gone')).toBe(true);
    const there = await onTarget(system);
    expect(there.vms).not.toContain('short-lived');
    expect(there.disks.filter((name) => name.includes(id))).toEqual([]);
  });
});

describe('bad input', () => {
  it.each([
    [['restore', 'start', '--backup', 'nope', '--target', 'local'], 4, 'CATALOG_BACKUP_UNKNOWN'],
    [['restore', 'start', '--backup', microPoints.full, '--target', 'nowhere'], 4, /UNKNOWN|MISSING/],
    [['backups', 'show', 'nope'], 4, 'CATALOG_BACKUP_UNKNOWN'],
    [['restore', 'show', '00000000-0000-7000-8000-000000000000'], 4, /UNKNOWN|MISSING/],
  ])('refuses %j with exit code %d and a coded reason', async (args, exitCode, code) => {
    const error = await refusal(args, exitCode);
    expect(error.code).toMatch(code);
    expect(error.hint).not.toBe('');
  });

  it('refuses a disk index that the backup does not have', async () => {
    const error = await refusal([...microRestore('full', 'x'), '--exclude-disk', '7'], 5);
    expect(JSON.stringify(error.details)).toContain('PLAN_DISK_UNKNOWN');
  });

  it.each([
    ['missing', async (path: string) => rm(path), 4, /DISK_BACKING_MISSING/],
    ['cut off in the header', async (path: string) => cut(path, 40), 10, /DISK_/],
    ['cut off in the tables', async (path: string) => cut(path, 70_000), 10, /DISK_/],
  ])('names a backing file that is %s and leaves nothing behind', async (_, damage, exitCode, code) => {
    const path = join(system.repository, micro, 'disk-0', imageName('micro1', 0, 'full'));
    await copyFile(path, `${path}.kept`);
    const there = await onTarget(system);
    try {
      await damage(path);
      const error = await refusal(microRestore('inc1', 'damaged'), exitCode);
      expect(error.code).toMatch(code);
      expect(`${error.message} ${JSON.stringify(error.details)}`).toContain('disk-0');
      expect(await onTarget(system)).toEqual(there);
    } finally {
      await rename(`${path}.kept`, path);
    }
  });
});

async function cut(path: string, lengthBytes: number): Promise<void> {
  const file = await open(path, 'r+');
  await file.truncate(lengthBytes);
  await file.close();
}
