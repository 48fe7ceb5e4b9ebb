import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withTempFolder } from '@ascend/disk/testing';
import { runProcess } from '@ascend/runtime';
import { describe, expect, test } from 'vitest';
import { openFileSource } from '../../byteSource.ts';
import { giveToUnprivileged } from '../../apply/volumeExport.ts';
import { leftovers } from '../../testing/leftovers.ts';
import {
  memoryFiles,
  phonyMac,
  phonyPlanParams,
  phonyVersions,
  phonyWindows,
  writePhonyDrivers,
  writePhonyVolume,
  type PhonyName,
} from '../../testing/phonyWindows/index.ts';
import { readDriverFolder } from '../drivers/driverFolder.ts';
import { mountNtfs } from '../ntfs/mountNtfs.ts';
import { readNtfsState } from '../ntfs/ntfsState.ts';
import { ntfsVolume, type NtfsVolume } from '../ntfs/ntfsVolume.ts';
import { planWindowsEdits } from '../plan/planWindowsEdits.ts';
import { probeWindows } from '../probe/probeWindows.ts';
import { openHive } from '../registry/hive.ts';
import { readDword, readText } from '../registry/registryValue.ts';
import { applyWindowsEdits } from './applyWindowsEdits.ts';
import { copyEfiFile, hasEfiFile } from '../../efi/copyEfiFile.ts';

const names = Object.keys(phonyVersions).filter((name): name is PhonyName => name in phonyVersions);
const state = { dirty: false, logClosed: true, encrypted: false, dynamicDisk: false };
const signal = (): AbortSignal => AbortSignal.timeout(120_000);

/** Files in memory that can be written. */
function memoryVolume(tree: Map<string, Buffer>): NtfsVolume {
  return {
    ...memoryFiles(tree),
    write: async (path, bytes) => {
      tree.set(`/${path.replace(/^\//, '')}`, Buffer.from(bytes));
    },
  };
}

async function prepare(volume: NtfsVolume, workDir: string) {
  const drivers = join(workDir, 'drivers');
  await writePhonyDrivers(drivers);
  const probed = await probeWindows({ files: volume, volume: state, services: ['VMTools'] });
  if (probed === null) throw new Error('no Windows found');
  const plan = planWindowsEdits({
    ...phonyPlanParams(phonyMac),
    facts: probed.facts,
    drivers: await readDriverFolder(drivers),
  });
  const applied = await applyWindowsEdits({
    volume,
    hives: probed.hives,
    edits: plan.edits,
    workDir,
    signal: signal(),
  });
  return { plan, applied };
}

describe('editing a Windows guest', () => {
  test.each(names)('%s: every edit is in the hives and files as another reader sees them', async (name) => {
    await withTempFolder(async (workDir) => {
      const tree = new Map(phonyWindows(name));
      const { plan, applied } = await prepare(memoryVolume(tree), workDir);
      const system = openHive(tree.get('/Windows/System32/config/SYSTEM') ?? Buffer.alloc(0));
      for (const set of ['ControlSet001', 'ControlSet002']) {
        const viostor = system.key(`${set}\\Services\\viostor`);
        expect([readDword(viostor, 'Start'), readText(viostor, 'Group')]).toStrictEqual([0, 'SCSI miniport']);
        expect(system.key(`${set}\\Services\\storahci\\StartOverride`)).toBeNull();
        expect(readDword(system.key(`${set}\\Services\\VMTools`), 'Start')).toBe(4);
      }
      expect(tree.get('/Windows/System32/drivers/viostor.sys')?.toString()).toBe(`viostor ${name}`);
      // Planned again on the result, no boot driver, service or policy is left to do.
      const again = await probeWindows({
        files: memoryFiles(tree),
        volume: state,
        services: ['VMTools', 'viostor'],
      });
      const left = planWindowsEdits({
        ...phonyPlanParams(phonyMac),
        facts: again?.facts ?? (await Promise.reject(new Error('no Windows found'))),
        networkIdentity: 'platform-dhcp',
      }).findings.map((each) => each.code);
      expect(left).toStrictEqual(['GUEST_DRIVER_PACKAGE_MISSING', 'GUEST_AGENT_PACKAGE_MISSING']);
      // hivex agrees with what this project's reader says.
      await writeFile(join(workDir, 'SYSTEM'), tree.get('/Windows/System32/config/SYSTEM') ?? '');
      const { stdout } = await runProcess({
        program: 'hivexregedit',
        args: ['--export', join(workDir, 'SYSTEM'), '\\ControlSet002\\Services\\viostor'],
      });
      expect(stdout).toContain('"Start"=dword:00000000');
      expect(Object.keys(applied.registry)).toContain('SOFTWARE');
      expect(plan.edits.length).toBeGreaterThan(30);
    });
  });

  test('on a real NTFS volume, mounted without privileges, files are written in place and nothing is left running', async () => {
    await withTempFolder(async (workDir) => {
      const path = join(workDir, 'volume.img');
      await writePhonyVolume({ path, files: phonyWindows('2k19'), workDir, signal: signal() });
      const mount = await mountNtfs({ volumePath: path, workDir, acceptDirty: false, signal: signal() });
      try {
        await prepare(ntfsVolume(mount, signal()), workDir);
        await mount.unmount();
      } finally {
        await mount.kill();
      }
      expect(await leftovers(workDir)).toStrictEqual([]);
      const out = join(workDir, 'SYSTEM');
      await runProcess({
        program: 'sh',
        args: ['-c', 'ntfscat "$1" /Windows/System32/config/SYSTEM > "$2"', 'sh', path, out],
      });
      const system = openHive(await readFile(out));
      expect(readDword(system.key('ControlSet002\\Services\\viostor'), 'Start')).toBe(0);
      const listed = await runProcess({
        program: 'ntfsls',
        args: ['-p', '/Windows/Drivers/Ascend/viostor', path],
      });
      expect(
        listed.stdout
          .split('\n')
          .filter((line) => line.includes('viostor'))
          .toSorted(),
      ).toStrictEqual(['viostor.cat', 'viostor.inf', 'viostor.sys']);
      const source = await openFileSource(path);
      expect(await readNtfsState(source)).toStrictEqual({ dirty: false, logClosed: true, encrypted: false });
      await source.close();
    });
  });

  test('a hive that cannot be edited means that nothing is written at all', async () => {
    await withTempFolder(async (workDir) => {
      const tree = new Map(phonyWindows('2k12R2'));
      const software = Buffer.from(tree.get('/Windows/System32/config/SOFTWARE') ?? '');
      software.write('XXXX', 4096, 'latin1');
      tree.set('/Windows/System32/config/SOFTWARE', software);
      const before = new Map(tree);
      await expect(prepare(memoryVolume(tree), workDir)).rejects.toMatchObject({ code: 'GUEST_EDIT_FAILED' });
      expect(tree).toStrictEqual(before);
    });
  });

  test('a path that leaves the volume is refused', async () => {
    const mount = {
      kind: 'rootless',
      pid: 0,
      enter: [],
      unmount: async () => undefined,
      kill: async () => undefined,
    } as const;
    const write = ntfsVolume(mount, signal()).write('Windows/../../etc/x', Buffer.alloc(1));
    await expect(write).rejects.toMatchObject({ code: 'GUEST_EDIT_FAILED' });
  });
});

describe('the EFI fallback', () => {
  const edit = {
    kind: 'copy-efi-file',
    from: 'EFI/Microsoft/Boot/bootmgfw.efi',
    to: 'EFI/BOOT/BOOTX64.EFI',
    reason: 'test',
  } as const;

  test('the boot loader is copied once and again, folders are made, a missing one is refused', async () => {
    await withTempFolder(async (workDir) => {
      const path = join(workDir, 'esp.img');
      const loader = join(workDir, 'bootmgfw.efi');
      await writeFile(loader, Buffer.alloc(100_000, 7));
      await runProcess({ program: 'mformat', args: ['-C', '-i', path, '-T', '65536', '::'] });
      await giveToUnprivileged(path);
      await expect(copyEfiFile(path, edit, signal())).rejects.toMatchObject({ code: 'GUEST_EDIT_FAILED' });
      for (const folder of ['::/EFI/Microsoft', '::/EFI/Microsoft/Boot']) {
        await runProcess({ program: 'mmd', args: ['-i', path, folder] });
      }
      await runProcess({
        program: 'mcopy',
        args: ['-i', path, loader, '::/EFI/Microsoft/Boot/bootmgfw.efi'],
      });
      expect(await hasEfiFile(path, 'EFI/BOOT/BOOTX64.EFI', signal())).toBe(false);
      await copyEfiFile(path, edit, signal());
      await copyEfiFile(path, edit, signal());
      expect(await hasEfiFile(path, 'EFI/BOOT/BOOTX64.EFI', signal())).toBe(true);
      await runProcess({
        program: 'mcopy',
        args: ['-i', path, '::/EFI/BOOT/BOOTX64.EFI', join(workDir, 'back')],
      });
      expect((await stat(join(workDir, 'back'))).size).toBe(100_000);
    });
  });
});
