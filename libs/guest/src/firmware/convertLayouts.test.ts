import { writtenDisks } from '@ascend/domain';
import { describe, expect, it } from 'vitest';
import { applyEdits } from '../apply/applyEdits.ts';
import { imageOf } from '../apply/volumeExport.ts';
import { planEdits } from '../edits/planEdits.ts';
import { probeGuest } from '../probe/probeGuest.ts';
import { buildLayoutGuest, type LayoutPart } from '../testing/layoutGuest.ts';
import { leftovers } from '../testing/leftovers.ts';
import { tinyNeeds, tinyNic } from '../testing/tinyPlan.ts';
import { verifyEdits } from '../verify/verifyEdits.ts';
import { verifyConversion } from './verifyConversion.ts';

const ext4 = { fileSystem: 'ext4', disk: 0, sizeMib: 32 } as const;
/** The head of a program for x86-64: all that the probe reads of one. */
const program = `\x7fELF\x02\x01\x01${'\0'.repeat(9)}\x02\0\x3e\0${'\0'.repeat(44)}`;
const menu = "menuentry 'Tiny' {\n  linux /boot/vmlinuz ro quiet\n}\n";

/** Probes, plans for UEFI, edits and verifies; returns what a test asserts about. */
async function convert(parts: readonly LayoutPart[], grub: string = menu) {
  await using layout = await buildLayoutGuest(parts, { grub, files: { 'usr/bin/dpkg': program } });
  const guest = await probeGuest({ ...layout.context, images: layout.images });
  const { edits, findings } = planEdits({ guest, needs: tinyNeeds, nics: [tinyNic], firmware: 'uefi' });
  const images = await layout.withOverlays(writtenDisks(guest));
  const params = { ...layout.context, images, guest, edits, needs: tinyNeeds };
  await applyEdits({ ...params, report: () => undefined });
  const verified = await verifyEdits(params);
  const edit = edits.find((candidate) => candidate.kind === 'convert-firmware');
  const onBackup =
    edit === undefined
      ? []
      : (
          await verifyConversion({
            ...layout.context,
            image: imageOf(layout.images, 0),
            menuImage: imageOf(layout.images, edit.place.menu.diskIndex),
            edit,
          })
        ).findings;
  return {
    menuPath: guest.bootDisk?.menu?.path,
    codes: findings.map(({ code, severity }) => `${severity} ${code}`),
    evidence: findings.map(({ evidence }) => evidence),
    failures: verified.findings.filter(({ severity }) => severity !== 'ok').map(({ message }) => message),
    diff: verified.diff.map(({ path }) => path),
    onBackup: onBackup.map(({ severity }) => severity),
    left: await leftovers(layout.folder),
  };
}

const layouts: readonly (readonly [string, readonly LayoutPart[], string])[] = [
  ['a root of its own', [{ ...ext4, mountPoint: '/' }], '/boot/grub/grub.cfg'],
  [
    '/boot on a partition and the root on LVM',
    [
      { ...ext4, mountPoint: '/boot' },
      { ...ext4, mountPoint: '/', logical: 'root', device: '/dev/mapper/vg0-root' },
    ],
    '/grub/grub.cfg',
  ],
  [
    'everything on LVM',
    [{ ...ext4, mountPoint: '/', logical: 'root', device: '/dev/mapper/vg0-root' }],
    '/boot/grub/grub.cfg',
  ],
  [
    'a Btrfs subvolume',
    [{ mountPoint: '/', fileSystem: 'btrfs', disk: 0, sizeMib: 160, subvolume: '@' }],
    '/@/boot/grub/grub.cfg',
  ],
  ['XFS', [{ mountPoint: '/', fileSystem: 'xfs', disk: 0, sizeMib: 320 }], '/boot/grub/grub.cfg'],
];

describe.runIf(process.getuid?.() === 0)('a boot loader for UEFI', () => {
  it.each(layouts)('is put before a guest with %s, whose menu GRUB can read', async (_, parts, path) => {
    const result = await convert(parts);
    expect(result.codes).toContain('fixed GUEST_FIRMWARE_CONVERTED');
    expect(result.menuPath).toBe(path);
    expect(result.failures).toEqual([]);
    expect(result.diff).toContain('EFI/BOOT/BOOTX64.EFI');
    // The same check on the backup, which has none of it: partition and program are missed there, table and menu are in order.
    expect(result.onBackup).toEqual(['ok', 'blocked', 'blocked', 'ok']);
    expect(result.left).toEqual([]);
  });

  it('is not made where the menu is one that only a patched GRUB reads', async () => {
    const result = await convert([{ ...ext4, mountPoint: '/' }], `${menu}blscfg\n`);
    expect(result.codes).toEqual(['blocked GUEST_FIRMWARE_UNSUPPORTED']);
    expect(result.evidence.join()).toContain('blscfg');
  });
});
