import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { GuestFacts, GuestNeeds } from '@ascend/domain';
import { describe, expect, test } from 'vitest';
import { applyEdits } from '../../apply/applyEdits.ts';
import { planEdits } from '../../edits/planEdits.ts';
import { probeGuest } from '../../probe/probeGuest.ts';
import { leftovers } from '../../testing/leftovers.ts';
import {
  buildHive,
  buildPhonyDisk,
  phonyMac,
  phonyNeeds,
  phonyNic,
  phonyPlannedNic,
  phonyWindows,
  writePhonyDrivers,
  type PhonyDisk,
} from '../../testing/phonyWindows/index.ts';
import { readDriverFolder } from '../drivers/driverFolder.ts';

const needs: GuestNeeds = {
  linuxStorageModules: [],
  linuxNetworkModules: [],
  linuxOptionalModules: [],
  serialConsole: null,
  networkIdentity: 'pin-by-mac',
  windows: phonyNeeds,
};
const hive = '/Windows/System32/config/SYSTEM';

async function probe(disk: PhonyDisk): Promise<GuestFacts> {
  return await probeGuest({ ...disk.context, images: [{ diskIndex: 0, image: disk.image }] });
}

async function planOf(disk: PhonyDisk, guest: GuestFacts) {
  const folder = join(disk.folder, 'drivers');
  await writePhonyDrivers(folder);
  const windows = { drivers: await readDriverFolder(folder), acceptDirtyFileSystem: false };
  return planEdits({ guest, needs, nics: [phonyPlannedNic(phonyMac)], windows });
}

describe('a registry hive', () => {
  test.each([
    ['that is huge', { sparse: { [hive]: 3 * 1024 ** 3 } }],
    ['that is a link to a file of this machine', { links: { [hive]: '/usr/bin/bash' } }],
    ['that is a link to itself', { links: { [hive]: 'SYSTEM' } }],
    ['that is a link to an endless file', { links: { [hive]: '/dev/zero' } }],
  ])('%s leaves no Windows to edit', async (_what, odd) => {
    await using disk = await buildPhonyDisk(phonyWindows('2k19'), { uefi: false, odd });
    const guest = await probe(disk);
    expect(guest.root).toBeNull();
    const { edits, findings } = await planOf(disk, guest);
    expect(edits).toEqual([]);
    expect(findings.map(({ severity }) => severity)).toContain('blocked');
    expect(await leftovers(disk.folder)).toEqual([]);
  });

  test.each([
    ['cut in its first bin', buildHive({ Select: {} }).subarray(0, 5000)],
    ['whose root leads outside', damagedRoot()],
    ['of other bytes', Buffer.alloc(8192, 'regf')],
  ])('%s leaves no Windows to edit', async (_what, bytes) => {
    await using disk = await buildPhonyDisk(phonyWindows('2k19', { files: { [hive]: bytes } }), {
      uefi: false,
    });
    const guest = await probe(disk);
    const { edits, findings } = await planOf(disk, guest);
    expect(edits).toEqual([]);
    expect(findings.map(({ severity }) => severity)).toContain('blocked');
  });
});

function damagedRoot(): Buffer {
  const bytes = Buffer.from(buildHive({ Select: {} }));
  bytes.writeUInt32LE(0x7fff_fff0, 36);
  return bytes;
}

describe('links and odd names of the guest', () => {
  test.each(['../../../../../../var/tmp', '/tmp', 'Ascend'])(
    'a folder that is a link (%s) gets no file of ours, here or there: the edit fails',
    async (target) => {
      const odd = { links: { '/Windows/Ascend': target } };
      await using disk = await buildPhonyDisk(phonyWindows('2k19'), { uefi: false, odd });
      const guest = await probe(disk);
      const { edits } = await planOf(disk, guest);
      expect(edits.some((edit) => edit.kind === 'write-file')).toBe(true);
      const image = await disk.withOverlay();
      const work = { ...disk.context, images: [{ diskIndex: 0, image }], guest, edits, needs };
      await expect(applyEdits({ ...work, report: () => undefined })).rejects.toMatchObject({
        code: 'GUEST_EDIT_FAILED',
      });
      const outside = await Promise.all(
        ['/tmp', '/var/tmp'].map((folder) => stat(`${folder}/firstboot.cmd`).catch(() => null)),
      );
      expect(outside).toEqual([null, null]);
      expect(await leftovers(disk.folder)).toEqual([]);
    },
  );

  test('text of the registry never becomes a command of the first boot', async () => {
    const evil = '1.2.3.4" & calc.exe & "';
    const system = Object.fromEntries(
      ['ControlSet001', 'ControlSet002'].map((set) => [
        `${set}\\Services\\Tcpip\\Parameters\\Interfaces\\${phonyNic}`,
        {
          EnableDHCP: { type: 'REG_DWORD', data: 0 } as const,
          IPAddress: { type: 'REG_MULTI_SZ', data: ['10.0.2.77', evil] } as const,
          SubnetMask: { type: 'REG_MULTI_SZ', data: ['255.255.255.0', '255.255.255.0'] } as const,
          DefaultGateway: { type: 'REG_MULTI_SZ', data: [evil] } as const,
          NameServer: { type: 'REG_SZ', data: `10.0.2.3,${evil}` } as const,
        },
      ]),
    );
    await using disk = await buildPhonyDisk(phonyWindows('2k19', { system }), { uefi: false });
    const { edits } = await planOf(disk, await probe(disk));
    const scripts = edits.flatMap((edit) => (edit.kind === 'write-file' ? [edit.content] : []));
    expect(scripts.length).toBeGreaterThan(1);
    expect(scripts.join('\n')).not.toContain('calc');
    expect(scripts.join('\n')).toContain('10.0.2.77');
  });

  test('names of files that no path of Windows can have do not stop the look', async () => {
    const files = {
      '/Windows/System32/drivers/ümläut €.sys': Buffer.from('x'),
      [`/${'x'.repeat(200)}`]: Buffer.from('x'),
    };
    const odd = { links: { '/loop': 'loop', '/Windows/up': '../../../../..' } };
    await using disk = await buildPhonyDisk(phonyWindows('2k19', { files }), { uefi: false, odd });
    const { edits, findings } = await planOf(disk, await probe(disk));
    expect(findings.filter(({ severity }) => severity === 'blocked')).toEqual([]);
    expect(edits.length).toBeGreaterThan(20);
  });
});
