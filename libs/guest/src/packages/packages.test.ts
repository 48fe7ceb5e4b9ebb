import { mkdir, readFile, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { GuestFacts } from '@ascend/domain';
import { withTempFolder } from '@ascend/disk/testing';
import { runProcess } from '@ascend/runtime';
import { describe, expect, test } from 'vitest';
import { buildDeb, buildRpm } from '../testing/buildPackages.ts';
import { choosePackage } from './choosePackage.ts';
import { misfitOf } from './fitsGuest.ts';
import { readLinuxPackage, type LinuxPackage } from './linuxPackage.ts';
import { readPackageFolder } from './packageFolder.ts';

const signal = AbortSignal.timeout(120_000);
const about = { name: 'qemu-guest-agent', version: '1:7.2+dfsg-7+deb12u16', architecture: 'amd64' };

describe('a package', () => {
  test.each(['gzip', 'xz', 'zstd'] as const)('of dpkg-deb packed by %s says what it is', async (packing) => {
    await withTempFolder(async (folder) => {
      const path = await buildDeb(folder, 'a.deb', about, packing);
      expect(await readLinuxPackage(path, { workDir: folder, signal })).toEqual({ kind: 'deb', ...about });
      expect((await readPackageFolder(folder)).files.map(({ relPath }) => relPath)).toContain('a.deb');
    });
  });

  test('of rpmbuild says what it is', async () => {
    await withTempFolder(async (folder) => {
      const path = await buildRpm(folder, 'a.rpm', {
        name: 'qemu-guest-agent',
        version: '8.2.0',
        release: '11.el9_4.13',
        architecture: 'x86_64',
      });
      expect(await readLinuxPackage(path, { workDir: folder, signal })).toEqual({
        kind: 'rpm',
        name: 'qemu-guest-agent',
        version: '8.2.0-11.el9_4.13',
        architecture: 'x86_64',
      });
    });
  });

  test('that is cut, anything else, or of absurd sizes is refused', async () => {
    await withTempFolder(async (folder) => {
      const deb = await buildDeb(folder, 'a.deb', about);
      const rpm = await buildRpm(folder, 'a.rpm', {
        ...about,
        version: '1',
        release: '1',
        architecture: 'x86_64',
      });
      const rpmBytes = await readFile(rpm);
      const huge = Buffer.from(rpmBytes);
      huge.writeUInt32BE(0xffff_ffff, 96 + 8);
      const wrongSize = Buffer.from(await readFile(deb));
      wrongSize.write('9999999999', 8 + 60 + 4 + 48, 'latin1');
      const source = Buffer.from(rpmBytes);
      source.writeUInt16BE(1, 6);
      const broken: Readonly<Record<string, Buffer>> = {
        'text.deb': Buffer.from('no package'),
        'cut.deb': (await readFile(deb)).subarray(0, 100),
        'size.deb': wrongSize,
        'text.rpm': Buffer.alloc(4096, 'x'),
        'cut.rpm': rpmBytes.subarray(0, 600),
        'huge.rpm': huge,
        'source.rpm': source,
      };
      for (const [name, bytes] of Object.entries(broken)) {
        await writeFile(join(folder, name), bytes);
        await expect(
          readLinuxPackage(join(folder, name), { workDir: folder, signal }),
          name,
        ).rejects.toMatchObject({
          code: 'GUEST_AGENT_PACKAGE_INVALID',
        });
      }
    });
  });

  test('whose name a script cannot hold is refused', async () => {
    await withTempFolder(async (folder) => {
      const path = await buildDeb(folder, 'a.deb', about, 'gzip');
      const control = 'Package: x$(id)\nVersion: 1\nArchitecture: amd64\n';
      await mkdir(join(folder, 'evil'));
      await writeFile(join(folder, 'evil/control'), control);
      await runProcess({
        program: 'tar',
        args: ['-czf', join(folder, 'control.tar.gz'), '-C', join(folder, 'evil'), './control'],
      });
      await runProcess({ program: 'ar', args: ['r', path, join(folder, 'control.tar.gz')] });
      await expect(readLinuxPackage(path, { workDir: folder, signal })).rejects.toMatchObject({
        code: 'GUEST_AGENT_PACKAGE_INVALID',
      });
    });
  });
});

function guest(distribution: string, version: string, arch = 'x86_64'): GuestFacts {
  return {
    family: 'linux',
    distribution,
    version,
    arch,
    hostname: null,
    root: null,
    firmware: 'bios',
    initramfsTool: 'none',
    kernels: [],
    nics: [],
    remarks: [],
  };
}

function deb(version: string, architecture = 'amd64'): LinuxPackage {
  return { kind: 'deb', name: 'a', version, architecture };
}

function rpm(version: string, architecture = 'x86_64'): LinuxPackage {
  return { kind: 'rpm', name: 'a', version, architecture };
}

describe('a package fits a guest', () => {
  test.each([
    ['a plain version', deb('7.2-7'), 'a.deb', guest('debian', '12')],
    ['its own update', deb('7.2-7+deb12u1'), 'a.deb', guest('debian', '12')],
    ['its own folder', deb('7.2-7'), 'debian-12/a.deb', guest('debian', '12')],
    ['a folder of any other name', deb('7.2-7'), 'linux/agents/a.deb', guest('debian', '12')],
    ['its release', deb('1:6.2-2ubuntu6'), 'ubuntu-22.04/a.deb', guest('ubuntu', '22.04')],
    ['packages of the distribution it is made from', rpm('8.2-11.el9_4'), 'a.rpm', guest('rocky', '9.4')],
    ['its major version', rpm('8.2-11.el9'), 'rhel-9/a.rpm', guest('rhel', '9.4')],
    ['all architectures', rpm('1-1', 'noarch'), 'a.rpm', guest('fedora', '40')],
    ['its architecture', deb('1', 'arm64'), 'a.deb', guest('debian', '12', 'aarch64')],
  ])('by %s', (_why, found, relPath, facts) => {
    expect(misfitOf(found, relPath, facts)).toBeNull();
  });

  test.each([
    ['an update of another version', deb('7.2-7+deb11u1'), 'a.deb', guest('debian', '12')],
    ['another distribution', deb('1:6.2-2ubuntu6'), 'a.deb', guest('debian', '12')],
    ['the folder of another one', deb('7.2-7'), 'debian-11/a.deb', guest('debian', '12')],
    ['another major version', rpm('8.2-11.el8'), 'a.rpm', guest('rocky', '9.4')],
    ['Fedora', rpm('8.2-1.fc40'), 'a.rpm', guest('rhel', '9.4')],
    ['another architecture', deb('1', 'arm64'), 'a.deb', guest('debian', '12')],
    ['an unknown architecture of the guest', deb('1'), 'a.deb', guest('debian', '12', 'riscv64')],
  ])('but not %s', (_why, found, relPath, facts) => {
    expect(misfitOf(found, relPath, facts)).toContain(relPath);
  });
});

describe('a folder of packages', () => {
  test('is listed without links, empty files and files that are too large', async () => {
    await withTempFolder(async (folder) => {
      await mkdir(join(folder, 'debian-12'));
      await writeFile(join(folder, 'debian-12/a.deb'), 'a');
      await writeFile(join(folder, 'empty.msi'), '');
      await writeFile(join(folder, 'huge.msi'), '');
      await truncate(join(folder, 'huge.msi'), 257 * 1024 * 1024);
      await symlink('/etc/passwd', join(folder, 'link.msi'));
      const { files } = await readPackageFolder(folder);
      expect(files).toEqual([
        { path: join(folder, 'debian-12/a.deb'), relPath: 'debian-12/a.deb', sizeBytes: 1 },
      ]);
    });
  });

  test('that is not there, or is a file, is refused', async () => {
    await withTempFolder(async (folder) => {
      await writeFile(join(folder, 'file'), 'x');
      for (const name of ['file', 'nowhere']) {
        await expect(readPackageFolder(join(folder, name))).rejects.toMatchObject({
          code: 'GUEST_AGENT_PACKAGE_INVALID',
        });
      }
    });
  });

  test('of too many files is refused', async () => {
    await withTempFolder(async (folder) => {
      for (let index = 0; index <= 1000; index += 1) await writeFile(join(folder, `${index}.msi`), 'x');
      await expect(readPackageFolder(folder)).rejects.toMatchObject({ code: 'GUEST_AGENT_PACKAGE_INVALID' });
    });
  });

  test('gives the newest of the files that fit a pattern, numbers read as numbers', () => {
    const files = ['tools-9.1.exe', 'tools-10.0.exe', 'old/tools-10.0.exe.bak', 'other.exe'].map(
      (relPath) => ({ relPath }),
    );
    expect(choosePackage(files, String.raw`TOOLS-[\d.]+\.exe`)).toEqual({ relPath: 'tools-10.0.exe' });
    expect(choosePackage(files, 'nothing')).toBeNull();
  });
});
