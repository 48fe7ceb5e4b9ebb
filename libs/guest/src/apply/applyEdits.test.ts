import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { runProcess, startProcess, systemClock } from '@ascend/runtime';
import { describe, expect, it } from 'vitest';
import { editPlace } from '../edits/guestEdit.ts';
import { planEdits } from '../edits/planEdits.ts';
import { probeGuest } from '../probe/probeGuest.ts';
import { openRootFiles } from '../probe/rootFiles.ts';
import { verifyEdits, type VerifyResult } from '../verify/verifyEdits.ts';
import { workingTool, type TinyGuestOptions } from '../testing/guestTree.ts';
import { leftovers } from '../testing/leftovers.ts';
import { buildTinyGuest, type TinyGuest } from '../testing/tinyGuest.ts';
import { planTinyGuest, tinyNic, type PlannedTinyGuest } from '../testing/tinyPlan.ts';
import type { ApplyParams } from './applyParams.ts';
import { applyEdits } from './applyEdits.ts';
import { descendants } from './processTree.ts';

interface Prepared {
  readonly planned: PlannedTinyGuest;
  readonly verified: VerifyResult;
  readonly phases: readonly string[];
}

async function prepare(tiny: TinyGuest, changes: Partial<ApplyParams> = {}): Promise<Prepared> {
  const planned = await planTinyGuest(tiny);
  const phases: string[] = [];
  const report = (phase: string): void => void phases.push(phase);
  await applyEdits({ ...tiny.context, ...planned, report, ...changes });
  return { planned, verified: await verifyEdits({ ...tiny.context, ...planned }), phases };
}

async function readGuest(tiny: TinyGuest, planned: PlannedTinyGuest, path: string): Promise<string | null> {
  await using root = await openRootFiles({ ...tiny.context, ...planned });
  return (await root.files.read(path, 1024 * 1024))?.toString('latin1') ?? null;
}

function failures(verified: VerifyResult): readonly string[] {
  return verified.findings.filter(({ severity }) => severity !== 'ok').map(({ message }) => message);
}

async function sha256(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
}

const oldNames: TinyGuestOptions = {
  fstab: '/dev/sda1 / ext4 errors=remount-ro 0 1\n',
  grub: 'menuentry x {\n  linux /boot/vmlinuz root=/dev/sda1 ro quiet\n}\n',
  kernels: ['6.1.0-1-amd64', '6.1.0-2-amd64'],
};

describe.each(['rootless', 'kernel'] as const)('applyEdits with the %s executor', (executor) => {
  it('makes every edit, keeps the backup as it was and leaves nothing behind', async () => {
    await using tiny = await buildTinyGuest(oldNames);
    const before = await sha256(tiny.diskPath);
    const { planned, verified, phases } = await prepare(tiny, { executor });
    expect(failures(verified)).toEqual([]);
    expect(phases).toEqual([
      'mount',
      'files',
      'initramfs 6.1.0-1-amd64',
      'initramfs 6.1.0-2-amd64',
      'flush',
      'check initramfs',
    ]);
    const added = '3 modules added: virtio_blk, virtio_net, virtio_pci';
    expect(verified.diff).toContainEqual({ path: 'boot/initrd.img-6.1.0-2-amd64', change: added });
    expect(await readGuest(tiny, planned, '/etc/fstab')).toMatch(/^UUID=11111111-\S+ \/ ext4/);
    expect(await readGuest(tiny, planned, '/boot/grub/grub.cfg')).toMatch(
      /root=UUID=\S+ ro quiet console=tty0 console=ttyS0/,
    );
    expect(await sha256(tiny.diskPath)).toBe(before);
    expect(await leftovers(tiny.folder)).toEqual([]);
    const loops = await runProcess({
      program: 'losetup',
      args: ['--list', '--noheadings', '--output', 'BACK-FILE'],
    });
    expect(loops.stdout).not.toContain('/ascend/volume');
  });

  it('runs the tools of the guest without capabilities, network or writable kernel settings', async () => {
    const spy = [
      'grep -E "^Cap|^NoNewPrivs" /proc/self/status > /report',
      '(echo x > /proc/sys/kernel/core_pattern) 2>/dev/null && echo core_pattern >> /report',
      'busybox unshare -U -r -m sh -c "busybox mount -t proc proc /mnt; echo x > /mnt/sys/kernel/core_pattern" && echo core_pattern >> /report',
      'busybox mknod /dev/disk b 7 0 && echo device >> /report',
      'ls /sys >> /report; ls /proc | grep -c "^[0-9]" >> /report',
      'cat /proc/net/dev | grep -c : >> /report',
      'env | sort >> /report',
    ].join('\n');
    const tool = workingTool.replace('set -e', `${spy}\nset -e`);
    const pattern = await readFile('/proc/sys/kernel/core_pattern', 'utf8');
    await using tiny = await buildTinyGuest({ tool });
    const { planned, verified } = await prepare(tiny, { executor });
    expect(failures(verified)).toEqual([]);
    const report = await readGuest(tiny, planned, '/report');
    for (const set of ['Inh', 'Prm', 'Eff', 'Amb'])
      expect(report).toContain(`Cap${set}:\t0000000000000000\n`);
    expect(report).toContain('NoNewPrivs:\t1');
    expect(report).not.toMatch(/core_pattern|device/);
    expect(await readFile('/proc/sys/kernel/core_pattern', 'utf8')).toBe(pattern);
    // Nothing of the machine's environment; only loopback; a handful of processes.
    expect(report?.split('\n').slice(-7)).toEqual([
      'HOME=/root',
      'LC_ALL=C',
      'PATH=/usr/sbin:/usr/bin:/sbin:/bin',
      'PWD=/',
      expect.stringMatching(/^SHLVL=/),
      'TMPDIR=/var/tmp',
      '',
    ]);
  });

  it('leaves nothing behind when it is killed', async () => {
    const program = process.execPath;
    const script = new URL('../testing/applyForever.ts', import.meta.url).pathname;
    const lines: string[] = [];
    const onStdoutLine = (line: string): void => void lines.push(line);
    const child = startProcess({ program, args: [script, executor], onStdoutLine });
    while (!lines.includes('initramfs 6.1.0-1-amd64')) await systemClock.sleep(20);
    const folder = lines[0]!;
    // Until the tool of the guest runs as well: two times sleep below the sandbox.
    let below: readonly number[] = [];
    for (let tries = 0; tries < 100 && below.length < 10; tries += 1) {
      await systemClock.sleep(50);
      below = await descendants(child.pid);
    }
    expect(below.length).toBeGreaterThanOrEqual(10);
    process.kill(child.pid, 'SIGKILL');
    await child.ended;
    expect(await leftovers(folder, below)).toEqual([]);
    await runProcess({ program: 'rm', args: ['-rf', folder] });
  });
});

describe('applyEdits', () => {
  it.runIf(process.getuid?.() === 0)('works for an ordinary user as well', async () => {
    const script = new URL('../testing/applyAsUser.ts', import.meta.url).pathname;
    const args = ['--mount', '--propagation', 'private', '--', process.execPath, script];
    const { stdout } = await runProcess({ program: 'unshare', args });
    const { uid, severities }: { uid: number; severities: string[] } = JSON.parse(stdout);
    expect(uid).toBe(33);
    expect(severities.length).toBeGreaterThan(4);
    expect(new Set(severities)).toEqual(new Set(['ok']));
  });

  it('lets a tool that would ask for the root device build for any hardware, during the rebuild only', async () => {
    const tool = workingTool.replace('set -e', 'cat /etc/initramfs-tools/conf.d/* > /seen\nset -e');
    const files = { 'etc/initramfs-tools/conf.d/modules': '# dep\nMODULES="dep"\n' };
    await using tiny = await buildTinyGuest({ tool, files });
    const { planned, verified } = await prepare(tiny);
    expect(failures(verified)).toEqual([]);
    expect(await readGuest(tiny, planned, '/seen')).toBe('# dep\nMODULES="dep"\nMODULES=most\n');
    await using root = await openRootFiles({ ...tiny.context, ...planned });
    const names = (await root.files.list('/etc/initramfs-tools/conf.d')).map(({ name }) => name);
    expect(names).toEqual(['modules']);
  });

  it('changes nothing the second time', async () => {
    await using tiny = await buildTinyGuest(oldNames);
    const { planned } = await prepare(tiny);
    const guest = await probeGuest({ ...tiny.context, images: planned.images });
    expect(guest.deviceNames).toEqual([]);
    expect(guest.boot?.consoles).toEqual(['tty0', 'ttyS0']);
    const again = planEdits({ guest, needs: planned.needs, nics: [tinyNic] });
    expect(again.edits.map((edit) => `${edit.kind} ${editPlace(edit)}`)).toEqual([
      'write-file etc/systemd/network/10-ascend-ens192.link',
    ]);
  });
});

describe('applyEdits when the tool of the guest is of no use', () => {
  const tools: readonly (readonly [string, string | null])[] = [
    ['is missing', null],
    ['fails', '#!/bin/sh\necho half > /boot/initrd.img-$3\nexit 3\n'],
    ['says it did the work but did not', '#!/bin/sh\nexit 0\n'],
    ['forgets what the image had', workingTool.replaceAll(/^if \[ -x .*$/gm, '')],
    ['never ends', '#!/bin/sh\nsleep 1000 &\nsleep 1000\n'],
    ['works without end', '#!/bin/sh\nwhile true; do true; done\n'],
    ['starts processes for ever', '#!/bin/sh\nf() { f | f & }; f; sleep 1000\n'],
  ];

  it.each(tools)('appends the drivers: it %s', async (_, tool) => {
    await using tiny = await buildTinyGuest({ tool });
    const { planned, verified, phases } = await prepare(tiny, {
      toolLimits: { stallAfterMs: 1500, timeoutMs: 4000 },
    });
    expect(failures(verified)).toEqual([]);
    expect(phases).toContain('append drivers');
    // `virtio` comes along because the others need it.
    const change = '4 modules added: virtio, virtio_blk, virtio_net, virtio_pci';
    expect(verified.diff).toContainEqual({ path: 'boot/initrd.img-6.1.0-1-amd64', change });
    const original = await readGuest(tiny, planned, '/boot/initrd.img-6.1.0-1-amd64.ascend-orig');
    const image = await readGuest(tiny, planned, '/boot/initrd.img-6.1.0-1-amd64');
    expect(original?.length).toBeGreaterThan(100);
    expect(image?.startsWith(original ?? 'x')).toBe(true);
    expect(await leftovers(tiny.folder)).toEqual([]);
  });
});

describe('applyEdits on hostile guests', () => {
  it('writes through links inside the guest only', async () => {
    await using tiny = await buildTinyGuest({
      links: {
        'etc/systemd/network': '/../../../../../../tmp/ascend-escape',
        'etc/default/grub.d': '/proc/1/root/tmp/ascend-escape',
      },
      grub: 'linux /vmlinuz ro\n',
    });
    const planned = await planTinyGuest(tiny);
    await applyEdits({ ...tiny.context, ...planned, report: () => undefined }).catch(() => undefined);
    await expect(readFile('/tmp/ascend-escape/10-ascend-ens192.link')).rejects.toThrow('ENOENT');
    await expect(readFile('/tmp/ascend-escape/90-ascend-console.cfg')).rejects.toThrow('ENOENT');
    expect(await leftovers(tiny.folder)).toEqual([]);
  });

  it('ends with a code when cancelled, and leaves nothing behind', async () => {
    await using tiny = await buildTinyGuest({ tool: '#!/bin/sh\nsleep 1000\n' });
    const planned = await planTinyGuest(tiny);
    const controller = new AbortController();
    const report = (phase: string): void => {
      if (phase.startsWith('initramfs')) setTimeout(() => controller.abort(), 300);
    };
    const started = performance.now();
    const applying = applyEdits({ ...tiny.context, ...planned, report, signal: controller.signal });
    await expect(applying).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' });
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(await leftovers(tiny.folder)).toEqual([]);
  });
});

describe('verifyEdits', () => {
  it('fails for an overlay that was not edited', async () => {
    await using tiny = await buildTinyGuest(oldNames);
    const planned = await planTinyGuest(tiny);
    const verified = await verifyEdits({ ...tiny.context, ...planned });
    expect(failures(verified)).toEqual(
      expect.arrayContaining([
        'etc/fstab is not as planned',
        'etc/systemd/network/10-ascend-ens192.link is not as planned',
        'the initramfs of kernel 6.1.0-1-amd64 holds 1 of 4 drivers',
        '/boot/initrd.img-6.1.0-2-amd64 lacks drivers of the target',
      ]),
    );
  });
});
