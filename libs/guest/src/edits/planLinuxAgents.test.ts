import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { GuestFacts, GuestNeeds, LinuxFacts } from '@ascend/domain';
import { withTempFolder } from '@ascend/disk/testing';
import { runProcess } from '@ascend/runtime';
import { describe, expect, it } from 'vitest';
import type { LinuxPackage } from '../packages/linuxPackage.ts';
import type { PackageFile, PackageFolder } from '../packages/packageFolder.ts';
import { planFirstBoot } from './planFirstBoot.ts';
import { planLinuxAgents } from './planLinuxAgents.ts';

const linux: LinuxFacts = {
  init: 'systemd',
  agents: [],
  selinux: 'absent',
  cloudInit: null,
  networkFiles: [],
  persistentNames: [],
  dhcpClient: true,
  blockedModules: [],
  deviceCaches: [],
  systemDiskSwaps: [],
  rcLocal: null,
};

const debian: GuestFacts = {
  family: 'linux',
  distribution: 'debian',
  version: '12',
  arch: 'x86_64',
  hostname: null,
  root: { diskIndex: 0, offsetBytes: 0, sizeBytes: 1e9, fileSystem: 'ext4' },
  firmware: 'bios',
  initramfsTool: 'initramfs-tools',
  kernels: [],
  nics: [],
  linux,
  remarks: [],
};
const rocky: GuestFacts = { ...debian, distribution: 'rocky', version: '9.4' };

const needs: GuestNeeds = {
  linuxStorageModules: [],
  linuxNetworkModules: [],
  linuxOptionalModules: [],
  serialConsole: null,
  networkIdentity: 'pin-by-mac',
  agents: {
    enable: ['qemu-guest-agent'],
    disable: [],
    install: [
      {
        id: 'qemu-guest-agent',
        satisfiedBy: ['ngt'],
        packages: {
          deb: String.raw`qemu-guest-agent_[\w.+-]+\.deb`,
          rpm: String.raw`qemu-guest-agent-[\w.+-]+\.rpm`,
        },
        services: ['qemu-guest-agent.service'],
      },
    ],
  },
};

function fileOf(relPath: string, version: string, about: Partial<LinuxPackage> = {}): PackageFile {
  const kind = relPath.endsWith('.deb') ? 'deb' : 'rpm';
  const architecture = kind === 'deb' ? 'amd64' : 'x86_64';
  const own = { kind, name: 'qemu-guest-agent', version, architecture, ...about } as const;
  return { path: `/packages/${relPath}`, relPath, sizeBytes: 9, linux: own };
}

const bookworm = fileOf('qemu-guest-agent_7.2-7+deb12u1_amd64.deb', '7.2-7+deb12u1');
const folder: PackageFolder = {
  folder: '/packages',
  files: [
    fileOf('debian-11/qemu-guest-agent_9.9_amd64.deb', '9.9'),
    bookworm,
    fileOf('qemu-guest-agent_8.0_arm64.deb', '8.0', { architecture: 'arm64' }),
    fileOf('qemu-guest-agent-8.2.0-11.el9.x86_64.rpm', '8.2.0-11.el9'),
    fileOf('qemu-guest-agent-9.0.0-1.fc40.x86_64.rpm', '9.0.0-1.fc40'),
  ],
};

describe('the target’s agent', () => {
  it.each([
    ['a Debian', debian, bookworm.path, 'deb'],
    ['a Rocky Linux', rocky, '/packages/qemu-guest-agent-8.2.0-11.el9.x86_64.rpm', 'rpm'],
  ])(
    'of %s is staged as the package that fits, never a newer one of others',
    (_what, guest, source, kind) => {
      const { edits, findings, script } = planLinuxAgents(guest, needs, folder);
      const path = `etc/ascend/first-boot/packages/qemu-guest-agent.${kind}`;
      expect(edits).toEqual([expect.objectContaining({ kind: 'stage-file', source, path })]);
      expect(findings.map(({ code, severity }) => [code, severity])).toEqual([
        ['GUEST_AGENT_PACKAGE_STAGED', 'fixed'],
      ]);
      expect(script).toContain(`install_${kind} ./qemu-guest-agent.${kind} qemu-guest-agent`);
    },
  );

  it.each([
    ['is there', ['qemu-guest-agent']],
    ['has one that does its work', ['ngt']],
  ])('is not brought where it %s', (_what, ids) => {
    const agents = ids.map((id) => ({ id, services: [] }));
    const plan = planLinuxAgents({ ...debian, linux: { ...linux, agents } }, needs, folder);
    expect(plan).toEqual({ edits: [], findings: [], script: null });
  });

  it.each([
    ['no folder is configured', debian, needs, null, 'no folder of packages'],
    ['the folder is empty', debian, needs, { ...folder, files: [] }, 'has no package'],
    [
      'no package fits',
      { ...debian, version: '13' },
      needs,
      { ...folder, files: [bookworm] },
      'another distribution',
    ],
    [
      'the file is no package',
      debian,
      needs,
      { ...folder, files: [{ ...bookworm, linux: null }] },
      'is no deb package',
    ],
    ['the distribution is not known', { ...debian, distribution: 'alpine' }, needs, folder, 'has no package'],
    [
      'the target lets no script run',
      debian,
      { ...needs, firstBootSlot: false },
      folder,
      'does not let a script',
    ],
  ])('is a warning with the file’s name where %s', (_what, guest, wanted, packages, reason) => {
    const { edits, findings, script } = planLinuxAgents(guest, wanted, packages);
    expect([edits, script]).toEqual([[], null]);
    expect(findings.map(({ code, severity }) => [code, severity])).toEqual([
      ['GUEST_AGENT_PACKAGE_MISSING', 'warning'],
    ]);
    expect(findings[0]?.message).toContain(reason);
    expect(findings[0]?.evidence).toMatch(/qemu-guest-agent_\*\.deb|none is known/);
  });
});

interface Tools {
  /** Attempts of the package tool that fail first. */
  readonly failures: number;
}

/** Runs what the plan puts into the guest, in a folder with package tools that only note how they were called. */
async function runBoots(
  guest: GuestFacts,
  tools: Tools,
  boots: number,
  work: (read: (name: string) => Promise<string>) => Promise<void>,
) {
  await withTempFolder(async (root) => {
    const here = join(root, 'first-boot');
    const bin = join(root, 'bin');
    await mkdir(join(here, 'packages'), { recursive: true });
    await mkdir(bin);
    const tool = `#!/bin/sh\necho "$(basename "$0") $*" >> ${root}/calls\ncase "$*" in *-q*) exit 1 ;; *-i*|*-U*) n=$(cat ${root}/n 2>/dev/null || echo 0); echo $((n + 1)) > ${root}/n; [ "$n" -ge ${tools.failures} ] ;; esac\n`;
    for (const name of ['dpkg', 'rpm', 'systemctl', 'sleep']) {
      await writeFile(join(bin, name), tool, { mode: 0o755 });
    }
    const { script } = planLinuxAgents(guest, needs, folder);
    const { edits } = planFirstBoot(guest, needs, { agents: script, script: '#!/bin/sh\necho operator\n' });
    for (const edit of edits) {
      if (edit.kind !== 'write-file' || !edit.path.startsWith('etc/ascend/first-boot/')) continue;
      const path = join(here, edit.path.slice('etc/ascend/first-boot/'.length));
      await writeFile(
        path,
        edit.content
          .replaceAll('/etc/ascend/first-boot', here)
          .replaceAll('/var/log/ascend-first-boot.log', join(root, 'log')),
      );
      await chmod(path, edit.mode);
    }
    const env = { PATH: `${bin}:/usr/bin:/bin` };
    for (let boot = 0; boot < boots; boot += 1) {
      await runProcess({ program: join(here, 'run'), args: [], env, cleanEnv: true });
    }
    await work(async (name) => await readFile(join(root, name), 'utf8').catch(() => ''));
  });
}

describe('the first boot', () => {
  it.each([
    ['dpkg', debian, 'dpkg -i ./qemu-guest-agent.deb'],
    ['rpm', rocky, 'rpm -U ./qemu-guest-agent.rpm'],
  ])(
    'installs by %s once, starts the service, then runs the operator’s script',
    async (_tool, guest, call) => {
      await runBoots(guest, { failures: 2 }, 3, async (read) => {
        const calls = (await read('calls')).split('\n');
        expect(calls.filter((line) => line === call)).toHaveLength(3);
        expect(
          calls.filter((line) => line === 'systemctl enable --now qemu-guest-agent.service'),
        ).toHaveLength(1);
        const log = await read('log');
        expect(log.split('\n').filter((line) => line === 'operator')).toHaveLength(1);
        expect(log.trimEnd().endsWith('done')).toBe(true);
      });
    },
  );

  it('cleans up after a package that cannot be installed, tries at three boots, and runs the script all the same', async () => {
    await runBoots(debian, { failures: 1000 }, 5, async (read) => {
      const calls = (await read('calls')).split('\n');
      expect(calls.filter((line) => line.startsWith('dpkg -i'))).toHaveLength(15);
      expect(calls.filter((line) => line.startsWith('dpkg --remove'))).toHaveLength(3);
      const log = await read('log');
      expect(log.split('\n').filter((line) => line === 'operator')).toHaveLength(1);
      expect(log).toContain('qemu-guest-agent could not be installed');
      expect(log.trimEnd().endsWith('given up after 3 attempts')).toBe(true);
    });
  });
});
