import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { probeAcceleration, probedAcceleration, workingAcceleration } from './acceleration.ts';

async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'ascend-acceleration-'));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function currentBoot(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}

test('the probe runs to its end under software emulation', async () => {
  await withFolder(async (folder) => {
    expect(await probeAcceleration('tcg', folder)).toBe('ran');
  });
});

test('the answer comes within seconds, is what the probe says, and is kept for the next process', async () => {
  await withFolder(async (folder) => {
    const begun = Date.now();
    const answer = await probedAcceleration(folder);
    expect(Date.now() - begun).toBeLessThan(10_000);
    const outcome = await probeAcceleration('kvm', folder);
    expect(answer).toBe(outcome === 'ran' ? 'kvm' : 'tcg');
    const kept = await readFile(join(folder, 'acceleration.json'), 'utf8').catch(() => null);
    const whole = JSON.stringify({ boot: await currentBoot(), acceleration: answer });
    expect(kept).toBe(outcome === 'refused' ? null : whole);
  });
});

test('a kept answer is used only during the same boot of the host', async () => {
  await withFolder(async (folder) => {
    const probed = await probedAcceleration(folder);
    const opposite = probed === 'kvm' ? 'tcg' : 'kvm';
    const boot = await currentBoot();
    for (const [name, kept, expected] of [
      ['same', { boot, acceleration: opposite }, opposite],
      ['other', { boot: 'an earlier boot', acceleration: opposite }, probed],
    ] as const) {
      const workDir = join(folder, name);
      await mkdir(workDir);
      await writeFile(join(workDir, 'acceleration.json'), JSON.stringify(kept));
      expect(await probedAcceleration(workDir)).toBe(expected);
    }
  });
});

test('a process asks once, whatever folder it names', async () => {
  await withFolder(async (folder) => {
    const first = await workingAcceleration({ workDir: join(folder, 'one') });
    const begun = Date.now();
    expect(await workingAcceleration({ workDir: join(folder, 'two') })).toBe(first);
    expect(Date.now() - begun).toBeLessThan(100);
  });
});
