import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withTempFolder } from '@ascend/disk/testing';
import { runProcess } from '@ascend/runtime';
import { expect, it } from 'vitest';
import { writePhonyDrivers } from '../testing/phonyWindows/index.ts';
import { describeSources } from './describeSources.ts';
import { noGuestSources } from './guestSources.ts';

const devices = [
  String.raw`PCI\VEN_1AF4&DEV_1000`,
  String.raw`PCI\VEN_1AF4&DEV_1001`,
  String.raw`PCI\VEN_1AF4&DEV_1042`,
];

it('a machine tells the devices it has drivers for, from a folder and from an image alike', async () => {
  await withTempFolder(async (workDir) => {
    const tree = join(workDir, 'tree');
    const image = join(workDir, 'drivers.iso');
    await writePhonyDrivers(tree);
    await runProcess({
      program: 'bsdtar',
      args: ['-c', '-f', image, '--format', 'iso9660', '-C', tree, '.'],
    });
    for (const windowsDrivers of [tree, image]) {
      const facts = await describeSources({ sources: { ...noGuestSources, windowsDrivers }, workDir });
      expect(facts).toEqual({
        windowsDrivers: { packages: 10, devices, problem: null },
        agentPackages: null,
      });
    }
  });
});

it('what cannot be read is told with the reason, never thrown', async () => {
  await withTempFolder(async (workDir) => {
    const broken = join(workDir, 'broken.iso');
    await writeFile(broken, 'no image');
    const sources = { windowsDrivers: broken, agentPackages: join(workDir, 'nowhere') };
    const facts = await describeSources({ sources, workDir });
    expect(facts.windowsDrivers).toMatchObject({ packages: 0, devices: [] });
    expect(facts.windowsDrivers?.problem).toContain('broken.iso');
    expect(facts.agentPackages).toEqual([]);
  });
});

it('a machine tells the names of its packages, with their folders', async () => {
  await withTempFolder(async (workDir) => {
    const agentPackages = join(workDir, 'packages');
    await mkdir(join(agentPackages, 'debian-12'), { recursive: true });
    await writeFile(join(agentPackages, 'debian-12/a.deb'), 'a');
    await writeFile(join(agentPackages, 'b.msi'), 'b');
    const facts = await describeSources({ sources: { ...noGuestSources, agentPackages }, workDir });
    expect(facts).toEqual({ windowsDrivers: null, agentPackages: ['b.msi', 'debian-12/a.deb'] });
    await rm(agentPackages, { recursive: true });
  });
});
