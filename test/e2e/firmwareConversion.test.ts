import { mkdtemp, open, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProcess, type ProcessResult } from '@ascend/runtime';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { imagePath, type BuiltBackup } from '../guests/builtBackup.ts';
import { microNic } from '../guests/microFiles.ts';
import { microBackup } from '../guests/microGuest.ts';
import { root } from '../system/ascendSystem.ts';
import { digests } from '../system/microRestore.ts';

const cacheDir = join(root, '.ascend/cache');
const ascend = join(root, 'apps/cli/bin/ascend');
const mib = 1024 * 1024;

let dir: string;
let micro: BuiltBackup;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ascend-firmware-'));
  micro = await microBackup({ cacheDir });
}, 900_000);

afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

function diskOf(index: number): string {
  return join(micro.repositoryPath, imagePath(micro, index, 'inc1'));
}

async function local(args: readonly string[], okExitCodes: readonly number[] = [0]): Promise<ProcessResult> {
  return await runProcess({
    program: ascend,
    args: ['--json', 'local', ...args],
    okExitCodes,
    timeoutMs: 600_000,
  });
}

const convertedSchema = z.object({
  firmware: z.string(),
  diff: z.array(z.object({ path: z.string(), change: z.string() })),
  findings: z.array(z.object({ code: z.string(), severity: z.string(), evidence: z.string() })),
});
const testedSchema = z.object({
  verdict: z.string(),
  firmware: z.string(),
  evidence: z.array(z.object({ rung: z.string(), passed: z.boolean(), summary: z.string() })),
});
const tableSchema = z.object({
  partitiontable: z.object({
    label: z.string(),
    partitions: z.array(z.object({ start: z.number(), size: z.number(), type: z.string() })),
  }),
});

async function convert(disks: readonly string[], out: string, firmware: string) {
  const how = ['--for', 'kvm', '--firmware', firmware, '--mac', `0=${microNic.mac}`, '--out', out];
  return convertedSchema.parse(JSON.parse((await local(['convert', ...disks, ...how])).stdout));
}

async function bootTest(folder: string) {
  const args = [
    'boot-test',
    folder,
    '--as',
    'kvm',
    '--expect',
    '^ASCEND-READY root=inc1 ',
    '--timeout',
    '300',
  ];
  return testedSchema.parse(JSON.parse((await local(args)).stdout));
}

async function toRaw(disk: string, out: string): Promise<string> {
  await local(['export', disk, '--format', 'raw', '--out', out]);
  return out;
}

/** The micro guest's root file system on a GPT behind an EFI system partition, as an installer for UEFI would have it. */
async function uefiDisk(): Promise<string> {
  const raw = await toRaw(diskOf(0), join(dir, 'bios.raw'));
  const path = join(dir, 'uefi.raw');
  await writeFile(path, '');
  await truncate(path, 140 * mib);
  const table = [
    'label: gpt',
    `start=2048, size=${40 * 2048}, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B`,
    `start=${41 * 2048}, size=${95 * 2048}, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4`,
  ];
  await runProcess({ program: 'sfdisk', args: ['--quiet', path], input: `${table.join('\n')}\n` });
  const esp = ['-i', `${path}@@1M`];
  await runProcess({ program: 'mformat', args: [...esp, '-T', String(40 * 2048), '::'] });
  const from = await open(raw, 'r');
  const to = await open(path, 'r+');
  const piece = Buffer.alloc(mib);
  for (let index = 0; index < 95; index += 1) {
    await from.read(piece, 0, mib, (1 + index) * mib);
    await to.write(piece, 0, mib, (41 + index) * mib);
  }
  await from.close();
  await to.close();
  return path;
}

/** Three more entries in the MBR. */
async function fillTable(path: string): Promise<void> {
  const file = await open(path, 'r+');
  for (const number of [2, 3, 4]) {
    const entry = Buffer.alloc(16);
    entry.writeUInt8(0x83, 4);
    entry.writeUInt32LE(1000 + 10 * number, 8);
    entry.writeUInt32LE(8, 12);
    await file.write(entry, 0, entry.length, 446 + 16 * (number - 1));
  }
  await file.close();
}

it('a guest made for BIOS on a full disk boots by UEFI from a partition before its first one; the backup is not touched', async () => {
  const before = await digests(micro.repositoryPath);
  const out = join(dir, 'to-uefi');
  const done = await convert([diskOf(0), diskOf(1)], out, 'uefi');
  expect(done.firmware).toBe('uefi');
  expect(done.diff.map(({ path }) => path)).toEqual(
    expect.arrayContaining(['partition 2 of disk 0', 'EFI/BOOT/BOOTX64.EFI']),
  );
  expect(done.findings.map(({ code, severity }) => `${severity} ${code}`)).toEqual(
    expect.arrayContaining(['fixed GUEST_FIRMWARE_CONVERTED', 'warning GUEST_ESP_SMALL']),
  );
  const tested = await bootTest(out);
  expect(tested).toMatchObject({ verdict: 'passed', firmware: 'uefi' });
  expect(await digests(micro.repositoryPath)).toEqual(before);
}, 900_000);

it('a guest made for UEFI boots by BIOS from a partition of its own, and its table is whole', async () => {
  const disk = await uefiDisk();
  const out = join(dir, 'to-bios');
  const done = await convert([disk, diskOf(1)], out, 'bios');
  expect(done.diff).toContainEqual({
    path: 'partition 3 of disk 0',
    change: 'added: BIOS boot partition of 1007 KiB at sector 34',
  });
  const tested = await bootTest(out);
  expect(tested).toMatchObject({ verdict: 'passed', firmware: 'bios' });
  const raw = join(dir, 'converted.raw');
  const copy = ['convert', '-O', 'raw', join(out, 'disk-0.qcow2'), raw];
  await runProcess({ program: 'qemu-img', args: copy });
  const { stdout } = await runProcess({ program: 'sfdisk', args: ['--json', raw] });
  const table = tableSchema.parse(JSON.parse(stdout)).partitiontable;
  expect(table.partitions).toContainEqual({
    start: 34,
    size: 2014,
    type: '21686148-6449-6E6F-744E-656564454649',
  });
  await expect(runProcess({ program: 'sfdisk', args: ['--verify', raw] })).resolves.toMatchObject({
    exitCode: 0,
  });
}, 900_000);

it('a platform without BIOS is prepared for without being asked, and a layout without room is refused with the reason', async () => {
  const disks = [diskOf(0), diskOf(1)];
  const planned = await local(['convert', ...disks, '--for', 'azure', '--disk-bus', 'nvme', '--plan']);
  expect(JSON.parse(planned.stdout)).toMatchObject({ firmware: 'uefi', variant: 'gen2-nvme' });
  const raw = await toRaw(diskOf(0), join(dir, 'crowded.raw'));
  await fillTable(raw);
  const refused = [
    'convert',
    raw,
    diskOf(1),
    '--for',
    'kvm',
    '--firmware',
    'uefi',
    '--out',
    join(dir, 'none'),
  ];
  const result = await local(refused, [6]);
  expect(JSON.parse(result.stderr)).toMatchObject({
    error: {
      code: 'GUEST_FIRMWARE_UNSUPPORTED',
      details: { evidence: 'its partition table has no entry left for an EFI system partition' },
    },
  });
}, 900_000);
