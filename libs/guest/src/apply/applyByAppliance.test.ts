import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writtenDisks, type GuestFacts } from '@ascend/domain';
import { Secret, startProcess } from '@ascend/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitForMachine } from '../appliance/testing/waitForMachine.ts';
import { planEdits } from '../edits/planEdits.ts';
import { openGuestTree } from '../probe/guestTree.ts';
import type { ApplianceChoice } from '../appliance/applianceSetup.ts';
import { probeGuest } from '../probe/probeGuest.ts';
import type { ContainerGuest } from '../testing/containerGuest.ts';
import { leftovers } from '../testing/leftovers.ts';
import { buildLuksGuest, luksGuestPassphrase, luksGuestUuid } from '../testing/luksGuest.ts';
import { buildStripedGuest } from '../testing/stripedGuest.ts';
import { tinyNeeds, tinyNic } from '../testing/tinyPlan.ts';
import { verifyEdits } from '../verify/verifyEdits.ts';
import { applyEdits } from './applyEdits.ts';

let cacheDir = '';

beforeAll(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), 'ascend-appliance-cache-'));
});

afterAll(async () => {
  await rm(cacheDir, { recursive: true, force: true });
});

function applianceWith(keys: Readonly<Record<string, string>>): ApplianceChoice {
  const list = Object.entries(keys).map(([volume, key]) => ({ volume, key: new Secret(key) }));
  return { cacheDir, acceleration: 'tcg', keys: list };
}

async function probe(guest: ContainerGuest, appliance: ApplianceChoice): Promise<GuestFacts> {
  return await probeGuest({ ...guest.context, images: guest.images, appliance });
}

/** Plans, edits, verifies and reads back; what a test asserts about. */
async function prepare(disks: ContainerGuest, guest: GuestFacts, appliance: ApplianceChoice) {
  const executor = 'auto';
  const { edits, findings } = planEdits({ guest, needs: tinyNeeds, nics: [tinyNic], executor });
  const images = await disks.withOverlays(writtenDisks(guest, executor));
  const params = { ...disks.context, images, guest, edits, needs: tinyNeeds, executor, appliance } as const;
  const phases: string[] = [];
  await applyEdits({ ...params, report: (phase) => void phases.push(phase) });
  const verified = await verifyEdits(params);
  await using tree = await openGuestTree(params);
  const read = async (path: string) => (await tree.files.read(path, 1e6))?.toString('latin1') ?? '';
  return {
    findings: findings.map(({ code, severity, evidence }) => `${severity} ${code} ${evidence}`),
    phases,
    failures: verified.findings.filter(({ severity }) => severity !== 'ok').map(({ message }) => message),
    checks: verified.findings.filter(({ severity }) => severity === 'ok').map(({ message }) => message),
    diff: verified.diff.map(({ path, change }) => `${path}: ${change}`),
    grub: await read('/boot/grub/grub.cfg'),
    crypttab: await read('/etc/crypttab'),
  };
}

/** Every session takes 20-60 s to start by emulation, more on a busy machine. */
const sessionsMs = 30 * 60_000;

describe.runIf(process.getuid?.() === 0)('applyEdits by the appliance', { timeout: sessionsMs }, () => {
  it('edits a guest with an encrypted root and proves it in a session of its own', async () => {
    await using disks = await buildLuksGuest();
    const sums = await disks.sums();
    const locked = await probe(disks, applianceWith({}));
    const refused = planEdits({ guest: locked, needs: tinyNeeds, nics: [tinyNic], executor: 'auto' });
    expect(refused.edits).toEqual([]);
    expect(refused.findings).toMatchObject([
      { code: 'GUEST_ENCRYPTED', severity: 'blocked', message: expect.stringContaining(luksGuestUuid) },
    ]);
    await expect(probe(disks, applianceWith({ [luksGuestUuid]: 'wrong' }))).rejects.toMatchObject({
      code: 'GUEST_KEY_REJECTED',
    });

    const appliance = applianceWith({ [luksGuestUuid]: luksGuestPassphrase });
    const guest = await probe(disks, appliance);
    expect(guest.hostname).toBe('pgtest1');
    expect(guest.root).toMatchObject({ diskIndex: 1, fileSystem: 'ext4' });
    expect(guest.mounts?.map(({ mountPoint }) => mountPoint)).toEqual(['/', '/boot']);
    expect(guest.kernels[0]?.initramfsModules).toContain('ext4');
    const result = await prepare(disks, guest, appliance);
    expect(result.findings).toContain(
      `ok GUEST_EXECUTOR_CHOSEN / on luks-${luksGuestUuid}: inside of LUKS encryption`,
    );
    expect(result.phases).toEqual(['start appliance', 'files', 'append drivers', 'flush']);
    expect(result.failures).toEqual([]);
    expect(result.checks.join('\n')).toMatch(/holds 6 of 6 drivers|holds \d of \d drivers/);
    expect(result.crypttab).toContain(`cryptroot UUID=${luksGuestUuid} none luks,discard`);
    expect(result.grub).toContain('console=ttyS0');
    expect(result.diff.join('\n')).toContain('virtio_blk');
    expect(await disks.sums()).toEqual(sums);
    expect(await readdir(disks.context.workDir)).toEqual([]);
    expect(await leftovers(disks.folder)).toEqual([]);
  });

  it('edits a guest whose root is striped over two disks', async () => {
    await using disks = await buildStripedGuest();
    const sums = await disks.sums();
    const appliance = applianceWith({});
    const guest = await probe(disks, appliance);
    expect(writtenDisks(guest)).toEqual([0, 1]);
    const result = await prepare(disks, guest, appliance);
    expect(result.findings).toContain('ok GUEST_EXECUTOR_CHOSEN / on vg0-root: striped over 2 areas');
    expect(result.failures).toEqual([]);
    expect(result.grub).toContain('console=ttyS0');
    expect(result.diff.join('\n')).toContain('virtio_blk');
    expect(await disks.sums()).toEqual(sums);
    expect(await leftovers(disks.folder)).toEqual([]);
  });

  it('leaves no process, mount or folder of the appliance when it is killed while it edits', async () => {
    const script = new URL('../appliance/testing/editForever.ts', import.meta.url).pathname;
    const lines: string[] = [];
    const onStdoutLine = (line: string): void => void lines.push(line);
    const owner = startProcess({ program: process.execPath, args: [script, cacheDir], onStdoutLine });
    const below = await waitForMachine(owner.pid);
    process.kill(owner.pid, 'SIGKILL');
    await owner.ended;
    const folder = lines[0] ?? '';
    expect(folder).toMatch(/ascend-/);
    expect(await leftovers(folder, below)).toEqual([]);
    await rm(folder, { recursive: true });
  });
});
