import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isAppError } from '@ascend/errors';
import { startProcess, systemClock, type RunningProcess } from '@ascend/runtime';

/**
 * A boot sector that goes from real mode through paging to 64-bit mode, runs a loop of four instructions 40 million times and
 * ends QEMU through its debug-exit device. A processor with virtualisation needs some 0.1 s for it; a KVM that imitates
 * every instruction, as on hosts without nested virtualisation, needs minutes, and so would every guest.
 */
const bootSector = [
  'fa31c08ed88ec08ed0bc007c', // cli; ds = es = ss = 0; sp = 0x7c00
  'fcbf0010b90018f3ab', // clear 0x1000-0x3fff
  'c70600100320c70600200330', // PML4[0] -> 0x2000, PDPT[0] -> 0x3000
  'bf003066b883000000668905660500002000', // PD: 1 GiB in 2 MiB pages, one to one …
  '83c70881ff004075ee', // … until 0x4000
  '0f20e00c200f22e066b8001000000f22d8', // cr4.PAE, cr3 = 0x1000
  '66b9800000c00f320d00010f30', // EFER.LME
  '0f20c0660d010000800f22c0', // cr0.PE and cr0.PG
  '0f0116a87cea707c0800', // lgdt; jump to 64-bit code
  'b800001000b9005a6202', // rax = 1 MiB; ecx = 40 000 000
  '48890848031883c000ffc975f3', // [rax] = rcx; rbx += [rax]; until ecx = 0
  '66baf400b010eef4ebfd', // out 0xf4, 0x10; hlt
].join('');
const descriptorTable = '000000000000000000000000009a20000f00987c0000';
const descriptorTableAt = 0x98;
/** What QEMU's debug-exit device makes of the value 0x10. */
const provenExitCode = 33;
const probeDeadlineMs = 4_000;
const killGraceMs = 1_000;
const cacheFile = 'acceleration.json';

/** The 512 bytes that the probe boots. */
function probeSector(): Buffer {
  const sector = Buffer.alloc(512);
  sector.write(bootSector, 0, 'hex');
  sector.write(descriptorTable, descriptorTableAt, 'hex');
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
}

async function within<T>(work: Promise<T>, ms: number): Promise<T | null> {
  return Promise.race([work, systemClock.sleep(ms).then(() => null)]);
}

function probeArguments(acceleration: 'kvm' | 'tcg', path: string): readonly string[] {
  const disk = { driver: 'raw', 'node-name': 'd', file: { driver: 'file', filename: path } };
  return [
    [
      '-nodefaults',
      '-no-user-config',
      '-display',
      'none',
      '-machine',
      `pc,accel=${acceleration}`,
      '-m',
      '32',
    ],
    ['-blockdev', JSON.stringify(disk), '-device', 'ide-hd,drive=d,bootindex=0'],
    ['-device', 'isa-debug-exit,iobase=0xf4,iosize=4'],
  ].flat();
}

/** `ran`: to its end, in time. `hung`: killed at the deadline. `refused`: QEMU ended by itself or is not there. */
export type ProbeOutcome = 'ran' | 'hung' | 'refused';

/** Boots the probe's sector. Leaves no process behind, but for one that hangs inside the kernel and outlives SIGKILL. */
export async function probeAcceleration(acceleration: 'kvm' | 'tcg', workDir: string): Promise<ProbeOutcome> {
  const path = join(workDir, `probe-${randomUUID()}.img`);
  await writeFile(path, probeSector());
  let child: RunningProcess | null = null;
  try {
    child = startProcess({
      program: 'qemu-system-x86_64',
      args: probeArguments(acceleration, path),
      dieWithParent: true,
    });
    const result = await within(child.ended, probeDeadlineMs);
    if (result === null) return 'hung';
    return result.exitCode === provenExitCode ? 'ran' : 'refused';
  } catch (error) {
    if (isAppError(error)) return 'refused';
    throw error;
  } finally {
    if (child !== null) await within(child.stop(0), killGraceMs);
    await rm(path, { force: true });
  }
}

async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => 'unknown')).trim();
}

async function cachedAnswer(path: string, boot: string): Promise<'kvm' | 'tcg' | null> {
  const text = await readFile(path, 'utf8').catch(() => '');
  if (text === JSON.stringify({ boot, acceleration: 'kvm' })) return 'kvm';
  return text === JSON.stringify({ boot, acceleration: 'tcg' }) ? 'tcg' : null;
}

/**
 * The acceleration that runs guests here, from the answer kept in `workDir` during this boot of the host, else by a probe
 * (at most 5 s). The answer is kept unless QEMU refused to run the probe at all.
 */
export async function probedAcceleration(workDir: string): Promise<'kvm' | 'tcg'> {
  await mkdir(workDir, { recursive: true, mode: 0o700 });
  const path = join(workDir, cacheFile);
  const boot = await bootId();
  const known = await cachedAnswer(path, boot);
  if (known !== null) return known;
  const outcome = await probeAcceleration('kvm', workDir);
  const acceleration = outcome === 'ran' ? 'kvm' : 'tcg';
  // A package or a permission that is missing now may be there in a minute.
  if (outcome === 'refused') return acceleration;
  const partial = `${path}.${randomUUID()}.partial`;
  await writeFile(partial, JSON.stringify({ boot, acceleration }), { mode: 0o600 });
  await rename(partial, path);
  return acceleration;
}

let answer: Promise<'kvm' | 'tcg'> | null = null;

/**
 * The acceleration that really runs guests here: KVM is believed only after it has run a small guest within 4 s, else
 * software emulation. Asked once per process, and once per boot of the host for processes that share `workDir`.
 */
export async function workingAcceleration(params: { readonly workDir: string }): Promise<'kvm' | 'tcg'> {
  answer ??= probedAcceleration(params.workDir);
  try {
    return await answer;
  } catch (error) {
    answer = null;
    throw error;
  }
}
