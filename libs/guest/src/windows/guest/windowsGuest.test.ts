import { createHash } from 'node:crypto';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { imageBlockdev } from '@ascend/disk';
import type { GuestFacts, GuestNeeds } from '@ascend/domain';
import { runProcess } from '@ascend/runtime';
import { describe, expect, test } from 'vitest';
import { applyEdits } from '../../apply/applyEdits.ts';
import { planEdits } from '../../edits/planEdits.ts';
import { probeGuest } from '../../probe/probeGuest.ts';
import { leftovers } from '../../testing/leftovers.ts';
import {
  buildPhonyDisk,
  phonyMac,
  phonyNeeds,
  phonyPlannedNic,
  phonyWindows,
  writePhonyDrivers,
  type PhonyDisk,
  type PhonyName,
} from '../../testing/phonyWindows/index.ts';
import { verifyEdits } from '../../verify/verifyEdits.ts';
import { readDriverFolder } from '../drivers/driverFolder.ts';

const needs: GuestNeeds = {
  linuxStorageModules: [],
  linuxNetworkModules: [],
  linuxOptionalModules: [],
  serialConsole: null,
  networkIdentity: 'pin-by-mac',
  windows: phonyNeeds,
};

async function sha256(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
}

async function probe(disk: PhonyDisk): Promise<GuestFacts> {
  return await probeGuest({ ...disk.context, images: [{ diskIndex: 0, image: disk.image }] });
}

async function plan(disk: PhonyDisk, guest: GuestFacts) {
  const folder = join(disk.folder, 'drivers');
  await writePhonyDrivers(folder);
  return planEdits({
    guest,
    needs,
    nics: [phonyPlannedNic(phonyMac)],
    windows: { drivers: await readDriverFolder(folder), acceptDirtyFileSystem: false },
  });
}

/** The SYSTEM hive of an edited disk, taken out by other programs: qemu-img and ntfscat. */
async function extractSystem(disk: PhonyDisk, image: PhonyDisk['image']): Promise<string> {
  const flat = join(disk.folder, 'flat.raw');
  const source = `json:${JSON.stringify(imageBlockdev(image, { readOnly: true }))}`;
  await runProcess({ program: 'qemu-img', args: ['convert', '-O', 'raw', source, flat] });
  const volume = join(disk.folder, 'flat-volume.raw');
  const args = [`if=${flat}`, `of=${volume}`, 'bs=1M', `skip=${disk.volumeOffset / 1048576}`, 'count=32'];
  await runProcess({ program: 'dd', args: [...args, 'status=none'] });
  const hive = join(disk.folder, 'SYSTEM');
  const read = 'ntfscat "$1" /Windows/System32/config/SYSTEM > "$2"';
  await runProcess({ program: 'sh', args: ['-c', read, 'sh', volume, hive] });
  return hive;
}

async function exportKey(hive: string, key: string): Promise<string> {
  return (await runProcess({ program: 'hivexregedit', args: ['--export', hive, key] })).stdout;
}

describe('a Windows guest from probe to verified overlay', () => {
  test.each<[PhonyName, boolean]>([
    ['w7', false],
    ['2k12R2', false],
    ['2k19', true],
    ['2k25', true],
  ])(
    '%s (UEFI: %s) is edited as planned, and the backup is not touched',
    async (name, uefi) => {
      await using disk = await buildPhonyDisk(phonyWindows(name), { uefi });
      const before = await sha256(disk.diskPath);
      const guest = await probe(disk);
      expect(guest).toMatchObject({
        family: 'windows',
        firmware: uefi ? 'uefi' : 'bios',
        hostname: 'PHONY',
        arch: 'x86_64',
        root: { diskIndex: 0, offsetBytes: disk.volumeOffset, fileSystem: 'ntfs' },
        windows: { hibernation: 'none', volume: { dirty: false, logClosed: true, encrypted: false } },
      });
      const { edits, findings } = await plan(disk, guest);
      expect(findings.filter(({ severity }) => severity === 'blocked')).toEqual([]);
      expect(edits.filter(({ kind }) => kind === 'copy-efi-file')).toHaveLength(uefi ? 1 : 0);
      const image = await disk.withOverlay();
      const work = { ...disk.context, images: [{ diskIndex: 0, image }], guest, edits, needs };
      await applyEdits({ ...work, report: () => undefined });
      const verified = await verifyEdits(work);
      expect(verified.findings.filter(({ severity }) => severity !== 'ok')).toEqual([]);
      expect(verified.findings.length).toBeGreaterThan(6);
      expect(verified.diff.length).toBeGreaterThan(20);
      const hive = await extractSystem(disk, image);
      expect(await exportKey(hive, '\\ControlSet001\\Services\\viostor')).toContain('"Start"=dword:00000000');
      expect(await exportKey(hive, '\\ControlSet002\\Services\\VMTools')).toContain('"Start"=dword:00000004');
      expect(await sha256(disk.diskPath)).toBe(before);
      expect(await leftovers(disk.folder)).toEqual([]);
    },
    180_000,
  );

  test('an overlay that lacks edits does not pass', async () => {
    await using disk = await buildPhonyDisk(phonyWindows('2k19'), { uefi: false });
    const guest = await probe(disk);
    const { edits } = await plan(disk, guest);
    const image = await disk.withOverlay();
    const work = { ...disk.context, images: [{ diskIndex: 0, image }], guest, needs };
    await applyEdits({ ...work, edits: edits.slice(3), report: () => undefined });
    const lacking = await verifyEdits({ ...work, edits });
    expect(lacking.findings.filter(({ severity }) => severity === 'blocked').length).toBeGreaterThan(0);
  }, 180_000);
});

describe('a Windows that must not be edited', () => {
  test.each([
    [
      'hibernated',
      { files: { '/hiberfil.sys': Buffer.from('HIBR'.padEnd(4096, '\0')) } },
      undefined,
      'GUEST_HIBERNATED',
    ],
    ['on a dynamic disk', {}, '42', 'GUEST_LAYOUT_UNSUPPORTED'],
  ])('%s is blocked with a reason', async (_what, options, partitionType, code) => {
    const layout = partitionType === undefined ? { uefi: false } : { uefi: false, partitionType };
    await using disk = await buildPhonyDisk(phonyWindows('2k19', options), layout);
    const guest = await probe(disk);
    const { edits, findings } = await plan(disk, guest);
    expect(edits).toEqual([]);
    expect(findings.filter(({ severity }) => severity === 'blocked').map((one) => one.code)).toEqual([code]);
  });

  test('in use when it was backed up is blocked, unless the operator allows it', async () => {
    await using disk = await buildPhonyDisk(phonyWindows('2k19'), { uefi: false });
    // The dirty flag of $Volume: ntfsfix sets it by name of the volume's state.
    const volume = join(disk.folder, 'volume.raw');
    await runProcess({
      program: 'dd',
      args: [`if=${disk.diskPath}`, `of=${volume}`, 'bs=1M', 'skip=1', 'count=32', 'status=none'],
    });
    await runProcess({ program: 'ntfsfix', args: [volume] });
    await runProcess({
      program: 'dd',
      args: [`if=${volume}`, `of=${disk.diskPath}`, 'bs=1M', 'seek=1', 'conv=notrunc', 'status=none'],
    });
    const guest = await probe(disk);
    expect(guest.windows?.volume.dirty).toBe(true);
    const params = { guest, needs, nics: [] };
    expect(planEdits(params).findings).toContainEqual(
      expect.objectContaining({ code: 'GUEST_FILE_SYSTEM_DIRTY', severity: 'blocked' }),
    );
    const windows = { drivers: null, acceptDirtyFileSystem: true };
    expect(planEdits({ ...params, windows }).findings).toContainEqual(
      expect.objectContaining({ code: 'GUEST_FILE_SYSTEM_DIRTY', severity: 'warning' }),
    );
  });

  test('behind BitLocker is known to be a Windows, and blocked', async () => {
    await using disk = await buildPhonyDisk(phonyWindows('2k19'), { uefi: false });
    const file = await open(disk.diskPath, 'r+');
    await file.write('-FVE-FS-', 1048576 + 3, 'latin1');
    await file.close();
    const guest = await probe(disk);
    expect(guest).toMatchObject({ family: 'windows', root: null, windows: { volume: { encrypted: true } } });
    const { findings } = planEdits({ guest, needs, nics: [] });
    expect(findings.map(({ code, severity }) => [code, severity])).toEqual([['GUEST_ENCRYPTED', 'blocked']]);
  });

  test('a damaged NTFS volume is a remark, not an error', async () => {
    await using disk = await buildPhonyDisk(phonyWindows('2k19'), { uefi: false });
    const file = await open(disk.diskPath, 'r+');
    await file.write(Buffer.alloc(1048576, 0x5a), 0, 1048576, 1048576 + 4096);
    await file.close();
    const guest = await probe(disk);
    expect(guest.root).toBeNull();
    expect(guest.remarks.join()).toMatch(/^disk 0 partition 1: this NTFS volume cannot be looked into: /);
  });
});
