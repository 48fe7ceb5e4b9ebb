import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileFacts, fileFormats, knownFormats } from '@ascend/disk';
import { makeImage, qemuImg, writeImage } from '@ascend/disk/testing';
import { runProcess, startProcess, type ProcessResult } from '@ascend/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { root, until } from '../system/ascendSystem.ts';

const ascend = join(root, 'apps/cli/bin/ascend');
const mib = 1024 * 1024;
const sizeBytes = 512 * mib;
// How often each format is killed and resumed; a long run sets more.
const killRounds = Number(process.env['ASCEND_KILL_ROUNDS'] ?? 1);
const drivers: Readonly<Record<string, string>> = { vhd: 'vpc' };

let dir: string;
let backup: string;
let full: string;
let inc1: string;
let inc2: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ascend-export-'));
  backup = join(dir, 'backup');
  await mkdir(backup);
  full = join(backup, 'full.qcow2');
  inc1 = join(backup, 'inc1.qcow2');
  inc2 = join(backup, 'inc2.qcow2');
  // A pattern that tells the place: a block in the wrong place is not the same disk.
  const data = Array.from({ length: 150 }, (_, index) => ({
    offsetBytes: index * 3 * mib,
    lengthBytes: mib,
    fill: (index % 250) + 1,
  }));
  await makeImage({ path: full, format: 'qcow2', sizeBytes, writes: data });
  await makeImage({
    path: inc1,
    format: 'qcow2',
    sizeBytes,
    backing: full,
    writes: [
      { offsetBytes: 6 * mib, lengthBytes: 65_536, fill: 251 },
      { offsetBytes: 30 * mib, lengthBytes: mib, fill: 'zero' },
    ],
  });
  // As a backup product writes it: an absolute name of another machine.
  await makeImage({
    path: inc2,
    format: 'qcow2',
    sizeBytes,
    backing: inc1,
    writes: [
      { offsetBytes: 400 * mib, lengthBytes: 5 * mib, fill: 252 },
      { offsetBytes: 90 * mib, lengthBytes: mib, fill: 'zero' },
    ],
  });
  await qemuImg('rebase', '-u', '-f', 'qcow2', '-F', 'qcow2', '-b', '/mnt/gone/vm1/inc1.qcow2', inc2);
});

afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

let folders = 0;

async function freshFolder(): Promise<string> {
  const folder = join(dir, `out${(folders += 1)}`);
  await mkdir(folder);
  return folder;
}

async function cli(args: readonly string[], exitCode = 0): Promise<ProcessResult> {
  return await runProcess({ program: ascend, args: ['--json', 'local', ...args], okExitCodes: [exitCode] });
}

const resultSchema = z.object({
  disks: z.array(
    z.object({
      out: z.string(),
      sha256: z.string().nullable(),
      allocated_bytes: z.number(),
      resumed_from_bytes: z.number(),
      verify: z.object({ mode: z.string(), sha256: z.string().nullable() }),
      remarks: z.array(z.string()),
    }),
  ),
});
const planSchema = z.object({
  disks: z.array(
    z.object({
      bytes_to_read: z.number(),
      bytes_to_write: z.object({ at_least: z.number(), at_most: z.number() }),
      duration_p50_ms: z.number(),
      duration_p90_ms: z.number(),
    }),
  ),
});

function firstOf(result: ProcessResult) {
  return resultSchema.parse(JSON.parse(result.stdout)).disks[0]!;
}

function driverOf(format: string): string {
  const readAs = Object.entries(fileFacts).find(([name]) => name === format)?.[1].readAs ?? format;
  return drivers[readAs] ?? readAs;
}

/** Is the file the disk of a point in time? The chain is given as it is here, since it records names of another machine. */
async function expectSame(point: string, file: string, format: string): Promise<void> {
  const reference = join(dir, 'reference.raw');
  const layers = [full, inc1, inc2].slice(0, [full, inc1, inc2].indexOf(point) + 1);
  const image = layers.reduce<unknown>(
    (backing, filename) => ({ driver: 'qcow2', file: { driver: 'file', filename }, backing }),
    null,
  );
  await qemuImg('convert', '-O', 'raw', `json:${JSON.stringify(image)}`, reference);
  expect(await qemuImg('compare', '-f', 'raw', '-F', driverOf(format), reference, file)).toContain(
    'identical',
  );
  // 63: the format has no check.
  const { exitCode, stderr } = await runProcess({
    program: 'qemu-img',
    args: ['check', '-f', driverOf(format), file],
    okExitCodes: [0, 63, 1],
  });
  expect(exitCode === 1 ? stderr : '').toMatch(/^$|does not support checks/);
}

/** Nothing that this test started still serves one of its files. */
async function expectNoServers(): Promise<void> {
  await until('no server is left', 30, async () => {
    const { exitCode } = await runProcess({
      program: 'pgrep',
      args: ['-f', `qemu-(nbd|img).*${dir}`],
      okExitCodes: [0, 1],
    });
    return exitCode === 1;
  });
}

describe.each(fileFormats)('export to %s', (format) => {
  it('gives the same disk, sound, within the estimate of a dry run that touched nothing', async () => {
    const folder = await freshFolder();
    const out = join(folder, 'disk');
    const args = ['export', inc2, '--format', format, '--out', out, '--verify', 'read-back'];
    const before = await readdir(backup);
    const planned = planSchema.parse(JSON.parse((await cli([...args, '--dry-run'])).stdout)).disks[0]!;
    expect(await readdir(folder)).toEqual([]);
    expect(planned.bytes_to_read).toBeGreaterThan(150 * mib);
    expect(planned.duration_p50_ms).toBeLessThanOrEqual(planned.duration_p90_ms);
    const result = firstOf(await cli(args));
    expect(result.verify).toEqual({ mode: 'read-back', sha256: result.sha256 });
    expect(result.allocated_bytes).toBeLessThanOrEqual(planned.bytes_to_write.at_most + 65_536);
    await expectSame(inc2, out, format);
    expect(await readdir(folder)).toEqual(['disk']);
    expect(await readdir(backup)).toEqual(before);
  });

  it('survives kill -9 at a random moment and goes on with --resume', async () => {
    for (let round = 0; round < killRounds; round += 1) {
      const folder = await freshFolder();
      const out = join(folder, 'disk');
      const args = ['export', inc2, '--format', format, '--out', out];
      const first = startProcess({
        program: ascend,
        args: ['local', ...args, '--bandwidth', '40M'],
        dieWithParent: true,
      });
      const killAfterMs = 500 + Math.random() * 3500;
      await Promise.race([delay(killAfterMs), first.ended]);
      process.kill(first.pid, 'SIGKILL');
      await first.ended;
      expect(existsSync(out), `killed after ${killAfterMs} ms`).toBe(false);
      const hadCheckpoint = existsSync(`${out}.ascend-resume.json`);
      const result = firstOf(await cli([...args, '--resume', '--verify', 'read-back']));
      const says = result.resumed_from_bytes > 0 ? /goes on at offset|written all/ : /starts at zero/;
      expect(result.remarks.join('\n')).toMatch(says);
      expect(result.resumed_from_bytes > 0).toBe(hadCheckpoint && says.test('goes on at offset'));
      await expectSame(inc2, out, format);
      expect(await readdir(folder)).toEqual(['disk']);
      await rm(folder, { recursive: true });
    }
    await expectNoServers();
  });
});

it('writes several chains into one folder at once, without collisions, and again refuses to replace them', async () => {
  const folder = join(dir, 'several');
  const other = join(dir, 'other');
  await mkdir(other);
  await copyFile(full, join(other, 'full.qcow2'));
  const args = ['export', full, inc1, inc2, join(other, 'full.qcow2'), '--format', 'raw', '--out', folder];
  const { disks } = resultSchema.parse(JSON.parse((await cli(args)).stdout));
  expect(disks.map((disk) => disk.out)).toEqual(
    ['full.raw', 'inc1.raw', 'inc2.raw', 'full-2.raw'].map((name) => join(folder, name)),
  );
  for (const point of [full, inc1, inc2]) {
    await expectSame(point, join(folder, `${point.slice(backup.length + 1, -'.qcow2'.length)}.raw`), 'raw');
  }
  await expectSame(full, join(folder, 'full-2.raw'), 'raw');
  expect((await cli(args, 5)).stderr).toContain('DISK_TARGET_EXISTS');
});

it('suspends on Ctrl-C with exit code 130 and tells how to go on', async () => {
  const folder = await freshFolder();
  const out = join(folder, 'disk');
  const args = ['local', 'export', inc2, '--format', 'raw', '--out', out, '--bandwidth', '40M'];
  const running = startProcess({ program: ascend, args, dieWithParent: true });
  await until('a checkpoint is there', 60, async () =>
    (await readdir(folder)).includes('disk.ascend-resume.json'),
  );
  process.kill(running.pid, 'SIGINT');
  const { exitCode, stderr } = await running.ended;
  expect(exitCode).toBe(130);
  expect(stderr).toContain('--resume');
  expect(existsSync(out)).toBe(false);
  await expectNoServers();
  // Damage to what was confirmed is found by both kinds of verification: neither publishes the file.
  const partial = join(folder, 'disk.unpublished.partial');
  await copyFile(partial, join(dir, 'partial'));
  await writeImage(partial, 'raw', [{ offsetBytes: 0, lengthBytes: 512, fill: 77 }]);
  const again = ['export', inc2, '--format', 'raw', '--out', out, '--resume'];
  const found = await cli([...again, '--verify', 'sample'], 10);
  expect(found.stderr).toContain('DISK_VERIFY_MISMATCH');
  expect(JSON.parse(found.stderr)).toMatchObject({
    error: {
      details: { offsetBytes: 0, sourceSha256: expect.any(String), targetSha256: expect.any(String) },
    },
  });
  expect(await readdir(folder)).toEqual([]);
  expect(firstOf(await cli([...again, '--verify', 'none'])).resumed_from_bytes).toBe(0);
  await expectSame(inc2, out, 'raw');
});

it.each(['raw', 'qcow2'])(
  'a delta onto an older %s copy equals a full export, and onto anything else is refused',
  async (format) => {
    const folder = await freshFolder();
    const out = join(folder, 'disk');
    await cli(['export', inc1, '--format', format, '--out', out]);
    const args = ['export', inc2, '--format', format, '--out', out, '--delta-from', inc1];
    const planned = JSON.parse((await cli([...args, '--dry-run'])).stdout);
    expect(planned).toMatchObject({ data_bytes: 5 * mib, zero_bytes: mib, ranges: 2 });
    await expectSame(inc1, out, format);
    const written = JSON.parse((await cli([...args, '--verify', 'read-back'])).stdout);
    expect(written).toMatchObject({ data_bytes: 5 * mib, repeated: false, verify: { mode: 'read-back' } });
    await expectSame(inc2, out, format);
    // Once more is harmless.
    await cli(args);
    await expectSame(inc2, out, format);
    const wrong = join(folder, 'wrong');
    await cli(['export', full, '--format', format, '--out', wrong]);
    const refused = await cli(['export', inc2, '--format', format, '--out', wrong, '--delta-from', inc1], 5);
    expect(refused.stderr).toContain('DISK_DELTA_BASE_MISMATCH');
    await expectSame(full, wrong, format);
    expect((await readdir(folder)).sort()).toEqual(['disk', 'wrong']);
  },
);

it('refuses bad input with its code and exit code, and creates nothing', async () => {
  const bad = join(dir, 'bad');
  await mkdir(join(bad, 'sub'), { recursive: true });
  const at = (name: string): string => join(bad, name);
  await writeFile(at('empty.qcow2'), '');
  await makeImage({ path: at('one.qcow2'), format: 'qcow2', sizeBytes: mib });
  await makeImage({ path: at('two.qcow2'), format: 'qcow2', sizeBytes: mib, backing: at('one.qcow2') });
  await qemuImg('rebase', '-u', '-f', 'qcow2', '-F', 'qcow2', '-b', at('two.qcow2'), at('one.qcow2'));
  await makeImage({ path: at('sub/below.qcow2'), format: 'qcow2', sizeBytes: mib, backing: full });
  await symlink(full, at('link.qcow2'));
  await runProcess({ program: 'mkfifo', args: [at('pipe.qcow2')] });
  await makeImage({ path: at('orphan.qcow2'), format: 'qcow2', sizeBytes: mib, backing: full });
  await qemuImg('rebase', '-u', '-f', 'qcow2', '-F', 'qcow2', '-b', 'gone.qcow2', at('orphan.qcow2'));
  await makeImage({ path: at('container.img'), format: 'qcow2', sizeBytes: mib });
  await writeFile(at('vm.json'), '{}');
  await writeFile(at('taken'), 'precious');
  const to = (file: string, ...more: string[]): string[] => [
    'export',
    file,
    '--format',
    'raw',
    '--out',
    at('out'),
    ...more,
  ];
  const attempts: readonly [string[], number, string, string?][] = [
    [to(at('nowhere.qcow2')), 4, 'DISK_FILE_MISSING'],
    [to(at('sub')), 2, 'DISK_FILE_NOT_REGULAR'],
    [to('/dev/zero'), 2, 'DISK_FILE_NOT_REGULAR'],
    [to(at('pipe.qcow2')), 2, 'DISK_FILE_NOT_REGULAR'],
    [to(at('empty.qcow2')), 10, 'DISK_'],
    [to(at('two.qcow2')), 10, 'DISK_CHAIN_LOOP'],
    [to(at('sub/below.qcow2')), 3, 'DISK_PATH_OUTSIDE_REPOSITORY', '--repository-root'],
    [to(at('link.qcow2')), 3, 'DISK_PATH_OUTSIDE_REPOSITORY', '--repository-root'],
    [to(at('orphan.qcow2')), 4, 'DISK_BACKING_MISSING', '--repository-root'],
    [to(at('container.img')), 10, 'DISK_FORMAT_MISMATCH', '--source-format'],
    [['export', full, '--format', 'raw', '--out', at('taken')], 5, 'DISK_TARGET_EXISTS'],
    [['export', full, '--format', 'raw', '--out', at('no/such/folder')], 4, 'DISK_FILE_MISSING'],
    [['export', full, inc1, '--format', 'raw', '--out', at('no/such')], 4, 'DISK_FILE_MISSING'],
    [['export', full, inc1, '--format', 'raw', '--out', at('taken')], 2, 'DISK_FILE_NOT_REGULAR'],
    [['export', full, '--format', 'floppy', '--out', at('out')], 2, 'INPUT_INVALID'],
    [['export', full, '--format', 'ova', '--out', at('out')], 2, 'INPUT_INVALID', '--spec'],
    [to(full, '--spec', at('vm.json')), 2, 'INPUT_INVALID', '--spec'],
    [to(full, '--engine', 'magic'), 2, 'INPUT_INVALID'],
    [to(full, '--bandwidth', 'fast'), 2, 'INPUT_INVALID'],
    [to(full, '--bandwidth', '0'), 2, 'INPUT_INVALID'],
    [to(full, '--verify', 'maybe'), 2, 'INPUT_INVALID'],
    [to(inc2, '--delta-from', inc2), 2, 'INPUT_INVALID', '--delta-from'],
    [to(inc2, '--delta-from', at('one.qcow2')), 2, 'INPUT_INVALID', '--delta-from'],
    [to(inc2, '--delta-from', at('nowhere')), 4, 'DISK_FILE_MISSING'],
    [to(inc2, '--delta-from', inc1), 4, 'DISK_FILE_MISSING'],
    [[...to(inc2, '--delta-from', inc1), full], 2, 'INPUT_INVALID', '--delta-from'],
    [['inspect', at('nowhere.qcow2'), full], 4, 'DISK_FILE_MISSING'],
  ];
  const before = (await readdir(bad)).sort();
  for (const [args, exitCode, code, words] of attempts) {
    const { stderr } = await cli(args, exitCode);
    expect(stderr, args.join(' ')).toContain(code);
    expect(stderr, args.join(' ')).toContain(words ?? '');
  }
  expect((await readdir(bad)).sort()).toEqual(before);
  // With the root that holds both the same chain is fine.
  await cli([...to(at('sub/below.qcow2')), '--repository-root', dir, '--dry-run']);
});

it.skipIf(process.getuid?.() !== 0)(
  'tells that there is too little space before anything is created',
  async () => {
    const folder = await freshFolder();
    await runProcess({ program: 'mount', args: ['-t', 'tmpfs', '-o', 'size=20m', 'tmpfs', folder] });
    try {
      const { stderr } = await cli(['export', inc2, '--format', 'raw', '--out', join(folder, 'disk')], 7);
      expect(JSON.parse(stderr)).toMatchObject({
        error: {
          code: 'DISK_SPACE_EXHAUSTED',
          details: { neededBytes: expect.any(Number), missingBytes: expect.any(Number) },
        },
      });
      expect(await readdir(folder)).toEqual([]);
    } finally {
      await runProcess({ program: 'umount', args: [folder] });
    }
  },
);

it('inspects chain, bytes per file, partition table and health, and shows the others beside a broken disk', async () => {
  const partitioned = join(dir, 'partitioned.raw');
  const mbr = Buffer.alloc(8 * mib);
  mbr.writeUInt8(0x83, 446 + 4);
  mbr.writeUInt32LE(2048, 446 + 8);
  mbr.writeUInt32LE(4096, 446 + 12);
  mbr.writeUInt16LE(0xaa55, 510);
  await writeFile(partitioned, mbr);
  const { stdout, stderr } = await cli(['inspect', inc2, join(dir, 'missing.vhd'), partitioned], 4);
  expect(stderr).toContain('1 of 3 disks');
  expect(JSON.parse(stdout)).toMatchObject({
    disks: [
      {
        format: 'qcow2',
        virtual_size_bytes: sizeBytes,
        health: { state: 'sound', problem: null },
        chain: [
          {
            rel_path: 'inc2.qcow2',
            dirty_bytes: 6 * mib,
            backing: { recorded: '/mnt/gone/vm1/inc1.qcow2', found: inc1 },
          },
          { rel_path: 'inc1.qcow2', dirty_bytes: mib + 65_536, backing: { recorded: full } },
          { rel_path: 'full.qcow2', dirty_bytes: null, allocated_bytes: 150 * mib, backing: null },
        ],
      },
      { path: join(dir, 'missing.vhd'), error: { code: 'DISK_FILE_MISSING' } },
      {
        format: 'raw',
        partition_table: {
          scheme: 'mbr',
          partitions: [{ number: 1, offset_bytes: mib, size_bytes: 2 * mib, type: '83' }],
        },
      },
    ],
  });
  expect((await stat(partitioned)).size).toBe(mbr.length);
});

it('names every format, option and an example in its help', async () => {
  const { stdout } = await runProcess({ program: ascend, args: ['local', 'export', '--help'] });
  for (const word of [...knownFormats, ...fileFormats, '--delta-from', '--resume', 'Examples:']) {
    expect(stdout).toContain(word);
  }
});
