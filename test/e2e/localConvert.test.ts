import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildPhonyDisk, phonyWindows, writePhonyDrivers } from '@ascend/guest/testing';
import { runProcess, type ProcessResult } from '@ascend/runtime';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { imagePath, type BuiltBackup } from '../guests/builtBackup.ts';
import { microNic } from '../guests/microFiles.ts';
import { microBackup } from '../guests/microGuest.ts';
import { sampleBackup } from '../guests/sampleGuest.ts';
import { root } from '../system/ascendSystem.ts';
import { digests } from '../system/microRestore.ts';

const cacheDir = join(root, '.ascend/cache');
const ascend = join(root, 'apps/cli/bin/ascend');

let dir: string;
let micro: BuiltBackup;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ascend-convert-'));
  micro = await microBackup({ cacheDir });
}, 900_000);

afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

function disksOf(backup: BuiltBackup): readonly string[] {
  return [0, 1].map((disk) => join(backup.repositoryPath, imagePath(backup, disk, 'inc1')));
}

async function local(args: readonly string[], okExitCodes: readonly number[] = [0]): Promise<ProcessResult> {
  return await runProcess({
    program: ascend,
    args: ['--json', 'local', ...args],
    okExitCodes,
    timeoutMs: 600_000,
  });
}

const errorSchema = z.object({ error: z.object({ code: z.string(), message: z.string() }) });
const planSchema = z.object({
  variant: z.string(),
  blocked: z.boolean(),
  edits: z.array(z.object({ kind: z.string(), place: z.string(), reason: z.string().min(10) })),
  findings: z.array(z.object({ code: z.string(), severity: z.string() })),
});
const convertedSchema = z.object({
  system: z.string(),
  diff: z.array(z.object({ path: z.string(), change: z.string() })),
  findings: z.array(z.object({ code: z.string(), severity: z.string() })),
});
const testSchema = z.object({
  verdict: z.string(),
  evidence: z.array(z.object({ rung: z.string(), passed: z.boolean(), summary: z.string() })),
  addresses: z.array(z.string()),
  screenshot: z.string().nullable(),
  hardware: z.object({
    disk_bus: z.string(),
    nic_model: z.string(),
    not_emulated: z.array(z.object({ device: z.string(), reason: z.string() })),
  }),
  drivers: z.array(
    z.object({ module: z.string(), found: z.string(), ok: z.boolean(), emulated: z.boolean() }),
  ),
});

function codeOf(result: ProcessResult): string {
  return errorSchema.parse(JSON.parse(result.stderr)).error.code;
}

it('tells every edit with its reason, what blocks and why, and writes nothing', async () => {
  const disks = disksOf(micro);
  const before = await digests(micro.repositoryPath);
  const plan = planSchema.parse(
    JSON.parse((await local(['convert', ...disks, '--for', 'vmware', '--plan'])).stdout),
  );
  expect(plan).toMatchObject({ variant: 'pvscsi', blocked: false });
  expect(plan.edits.map(({ place }) => place)).toContain('etc/udev/rules.d/70-ascend-net.rules');
  const other = planSchema.parse(
    JSON.parse((await local(['convert', ...disks, '--for', 'hyperv', '--plan'])).stdout),
  );
  // The micro guest's kernel is without the drivers of that platform.
  expect(other).toMatchObject({ variant: 'gen1', blocked: true });
  expect(other.findings).toContainEqual({ code: 'GUEST_DRIVER_MISSING', severity: 'blocked' });
  const refused = await local(['convert', ...disks, '--for', 'hyperv', '--out', join(dir, 'none')], [6]);
  expect(codeOf(refused)).toBe('GUEST_DRIVER_MISSING');
  await expect(stat(join(dir, 'none'))).rejects.toMatchObject({ code: 'ENOENT' });
  expect(await digests(micro.repositoryPath)).toEqual(before);
});

it.each([
  ['an unknown platform', ['--for', 'nowhere', '--plan'], 'INPUT_INVALID', 2],
  ['no folder to write to', ['--for', 'kvm'], 'INPUT_INVALID', 2],
  ['a folder that is not empty', ['--for', 'kvm', '--out', 'FULL'], 'INPUT_INVALID', 2],
  [
    'hardware that the platform does not have',
    ['--for', 'azure', '--firmware', 'bios', '--disk-bus', 'nvme', '--plan'],
    'GUEST_FIRMWARE_UNSUPPORTED',
    6,
  ],
  ['a rule that is none', ['--for', 'kvm', '--plan', '--re-ip', '10.0.2.0=10.0.5.0'], 'INPUT_INVALID', 2],
  ['a script without interpreter', ['--for', 'kvm', '--plan', '--first-boot', 'SCRIPT'], 'INPUT_INVALID', 2],
  ['a MAC address that is none', ['--for', 'kvm', '--plan', '--mac', '0=nonsense'], 'INPUT_INVALID', 2],
])('refuses %s with a code, and writes nothing', async (_what, args, code, exitCode) => {
  const full = join(dir, 'full');
  await mkdir(full, { recursive: true });
  await writeFile(join(full, 'kept'), 'mine');
  const script = join(dir, 'script');
  await writeFile(script, 'echo no interpreter\n');
  const given = args.map((arg) => (arg === 'FULL' ? full : arg === 'SCRIPT' ? script : arg));
  const result = await local(['convert', ...disksOf(micro), ...given], [exitCode]);
  expect(codeOf(result)).toBe(code);
  expect(result.stdout).toBe('');
  expect(await readdir(full)).toEqual(['kept']);
});

it('tells which file of a chain is missing', async () => {
  const lonely = join(dir, 'lonely');
  await mkdir(lonely);
  const top = join(lonely, 'inc1.qcow2');
  await writeFile(top, await readFile(disksOf(micro)[0] ?? ''));
  const result = await local(['convert', top, '--for', 'kvm', '--plan'], [4]);
  expect(codeOf(result)).toBe('DISK_BACKING_MISSING');
});

it('converts a guest whose copy then boots on the model of other hardware with its moved address; the backup is not touched', async () => {
  const before = await digests(micro.repositoryPath);
  const out = join(dir, 'out');
  const changes = ['--mac', `0=${microNic.mac}`, '--re-ip', '10.0.2.0/24=10.0.5.0/24'];
  await local(['convert', ...disksOf(micro), '--for', 'vmware', '--out', out, ...changes]);
  expect((await readdir(out)).toSorted()).toEqual(['conversion.json', 'disk-0.qcow2', 'disk-1.qcow2']);
  expect((await stat(join(out, 'disk-0.qcow2'))).mode & 0o777).toBe(0o444);
  const info = ['info', '--output=json', join(out, 'disk-0.qcow2')];
  expect(JSON.parse((await runProcess({ program: 'qemu-img', args: info })).stdout)).toMatchObject({
    'backing-filename': disksOf(micro)[0],
    'backing-filename-format': 'qcow2',
  });
  const picture = join(dir, 'screen.png');
  const expected = ['--expect', '^ASCEND-READY root=inc1 .*addr=10\\.0\\.5\\.78', '--screenshot', picture];
  const done = testSchema.parse(
    JSON.parse((await local(['boot-test', out, '--as', 'vmware', ...expected])).stdout),
  );
  expect(done).toMatchObject({
    verdict: 'passed',
    addresses: ['10.0.5.78'],
    screenshot: picture,
    hardware: { disk_bus: 'pvscsi', nic_model: 'vmxnet3', not_emulated: [] },
  });
  expect(done.drivers).toContainEqual({ module: 'vmw_pvscsi', found: 'initramfs', ok: true, emulated: true });
  expect((await readFile(picture)).toString('latin1', 1, 4)).toBe('PNG');
  expect(await digests(micro.repositoryPath)).toEqual(before);
});

it('says what cannot be emulated and looks its drivers up; a boot that is not proven is no success', async () => {
  const args = [
    'boot-test',
    ...disksOf(micro),
    '--as',
    'azure',
    '--expect',
    'never printed',
    '--timeout',
    '15',
  ];
  const result = await local(args, [10]);
  expect(codeOf(result)).toBe('STEP_BOOT_NOT_PROVEN');
  const done = testSchema.parse(JSON.parse(result.stdout));
  expect(done.verdict).not.toBe('passed');
  expect(done.hardware.not_emulated[0]?.reason).toContain('Hyper-V');
  expect(done.drivers).toContainEqual({ module: 'hv_vmbus', found: 'missing', ok: false, emulated: false });
});

it('refuses overlays of a backup that has changed since, and overlays that are not sealed', async () => {
  const out = join(dir, 'out');
  await chmod(join(out, 'disk-1.qcow2'), 0o644);
  const open = await local(['boot-test', out, '--as', 'vmware'], [4]);
  expect(codeOf(open)).toBe('STEP_OVERLAY_MISSING');
  const manifest = join(out, 'conversion.json');
  const text = await readFile(manifest, 'utf8');
  await chmod(manifest, 0o600);
  await writeFile(manifest, text.replace(/"fingerprint": "\w+"/, `"fingerprint": "${'0'.repeat(64)}"`));
  const changed = await local(['boot-test', out, '--as', 'vmware'], [5]);
  expect(codeOf(changed)).toBe('DISK_SOURCE_CHANGED');
});

it('converts a Windows guest with drivers of a folder, and refuses without them', async () => {
  await using disk = await buildPhonyDisk(phonyWindows('2k19'), { uefi: true });
  const drivers = join(disk.folder, 'drivers');
  await writePhonyDrivers(drivers);
  const refused = await local(['convert', disk.diskPath, '--for', 'kvm', '--out', join(dir, 'no')], [4, 6]);
  expect(codeOf(refused)).toBe('GUEST_DRIVER_PACKAGE_MISSING');
  const out = join(dir, 'windows');
  const how = ['--for', 'kvm', '--windows-drivers', drivers, '--mac', `0=${microNic.mac}`, '--out', out];
  const done = convertedSchema.parse(JSON.parse((await local(['convert', disk.diskPath, ...how])).stdout));
  expect(done.system).toBe('Windows Server 2019 Standard 10.0.17763 x86_64');
  expect(done.diff.map(({ path }) => path)).toContain('SYSTEM\\ControlSet001\\Services\\viostor');
  expect(done.findings.filter(({ severity }) => severity === 'blocked')).toEqual([]);
  expect((await readdir(out)).toSorted()).toEqual(['conversion.json', 'disk-0.qcow2']);
});

it('converts a real server, whose first boot runs the script of the operator', async () => {
  const sample = await sampleBackup({ cacheDir });
  const out = join(dir, 'sample');
  const script = join(dir, 'first-boot.sh');
  await writeFile(script, '#!/bin/sh\necho "FIRST-BOOT-RAN as $(id -u)" > /dev/ttyS0\n');
  const spec = join(dir, 'vmspec.json');
  await writeFile(spec, JSON.stringify(sample.vm));
  await local([
    'convert',
    ...disksOf(sample),
    '--for',
    'nutanix',
    '--spec',
    spec,
    '--first-boot',
    script,
    '--out',
    out,
  ]);
  const expected = ['--expect', '^FIRST-BOOT-RAN as 0'];
  const done = testSchema.parse(
    JSON.parse((await local(['boot-test', out, '--as', 'nutanix', ...expected])).stdout),
  );
  expect(done).toMatchObject({
    verdict: 'passed',
    addresses: ['10.0.2.77'],
    hardware: { disk_bus: 'virtio-scsi', nic_model: 'virtio-net-pci' },
  });
}, 900_000);
