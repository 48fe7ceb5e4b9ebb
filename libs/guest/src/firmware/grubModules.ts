import type { BootMenuFacts, Firmware } from '@ascend/domain';

/** Targets of grub-mkimage, which are also the folders of their modules. */
export const grubTargets: Readonly<Record<Firmware, string>> = { bios: 'i386-pc', uefi: 'x86_64-efi' };

/** What finds and shows a menu, and the modules that menus of the usual distributions ask for by `insmod`. */
const everywhere: readonly string[] = [
  'normal configfile search search_fs_uuid search_fs_file search_label part_gpt part_msdos memdisk newc',
  'linux loadenv echo test true sleep regexp minicmd gzio serial terminal all_video gfxterm gettext',
].flatMap((names) => names.split(' '));

const byFirmware: Readonly<Record<Firmware, readonly string[]>> = {
  bios: ['biosdisk'],
  uefi: ['efi_gop'],
};

/** The driver of a file system, by what the probe calls it. */
const drivers: Readonly<Record<string, string>> = {
  ext2: 'ext2',
  ext3: 'ext2',
  ext4: 'ext2',
  xfs: 'xfs',
  btrfs: 'btrfs',
};

/** Modules of a loader that shows this menu. */
export function grubModules(firmware: Firmware, menu: BootMenuFacts): readonly string[] {
  const driver = drivers[menu.fileSystem];
  return [
    ...everywhere,
    ...byFirmware[firmware],
    ...(driver === undefined ? [] : [driver]),
    ...(menu.stacked ? ['lvm', 'mdraid09', 'mdraid1x'] : []),
  ];
}

function alias(name: string, command: string): string {
  return `function ${name} {\n  ${command} "$@"\n}\n`;
}

/**
 * Configuration inside of the loader. Menus of RHEL 7 and 8 call the kernel by commands of one firmware alone (`linux16`, `linuxefi`):
 * here both mean `linux`.
 */
export function embeddedConfig({ uuid, path }: BootMenuFacts): string {
  const prefix = path.slice(0, path.lastIndexOf('/'));
  return [
    ...['linux16', 'linuxefi'].map((name) => alias(name, 'linux')),
    ...['initrd16', 'initrdefi'].map((name) => alias(name, 'initrd')),
    `search --no-floppy --fs-uuid --set=root ${uuid}\n`,
    `set prefix=($root)'${prefix}'\n`,
    `configfile ($root)'${path}'\n`,
    `echo 'The boot menu ${path} was not found on the file system ${uuid}.'\n`,
    'sleep 30\n',
  ].join('');
}
