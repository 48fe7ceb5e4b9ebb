import type { GuestFile } from '../guestTree.ts';
import {
  matrixNic,
  matrixUuids,
  rootDevice,
  sourceBus,
  volumeNames,
  type MatrixGuest,
} from './matrixGuest.ts';
import { networkFiles } from './networkFiles.ts';

/** Begins the line that a guest prints on its serial console once it is up. */
export const matrixMarker = 'ASCEND-READY';

/** Host name of a guest. */
export function matrixHost(guest: MatrixGuest): string {
  return `matrix-${guest.name}`;
}

/** The line of a guest that is up with its own name, interface and address; the kernel's release is left to the guest. */
export function readyPattern(guest: MatrixGuest): RegExp {
  const { address, name } = matrixNic(guest);
  const literal = address.replaceAll('.', String.raw`\.`);
  return new RegExp(`^${matrixMarker} host=${matrixHost(guest)} kernel=\\S+ addr=${literal} if=${name}$`);
}

// Network programs answer at different times: the address gets 40 s, then the line is printed without it.
const readyScript = `#!/bin/sh
# One line on the serial console once the system is up: what is running here, and at which address.
tries=40 if=none addr=none
while [ "$addr" = none ] && [ "$tries" -gt 0 ]; do
  tries=$((tries - 1))
  for path in /sys/class/net/e*; do
    [ -e "$path" ] || continue
    name=\${path##*/}
    [ "$if" = none ] && if=$name
    found=$(ip -4 -o addr show dev "$name" scope global | awk '{print $4; exit}')
    if [ -n "$found" ]; then if=$name addr=$found; fi
  done
  [ "$addr" != none ] || sleep 1
done
# The login prompt has no line end of its own.
printf '\\n%s\\n' "${matrixMarker} host=$(cat /etc/hostname) kernel=$(uname -r) addr=$addr if=$if" > /dev/ttyS0
`;

const readyUnit = `[Unit]
Description=Report on the serial console that the system is up
After=multi-user.target serial-getty@ttyS0.service

[Service]
Type=oneshot
ExecStart=/usr/local/sbin/ascend-ready

[Install]
WantedBy=default.target
`;

function fstab(guest: MatrixGuest): string {
  const rootOptions = { ext4: 'errors=remount-ro', xfs: 'defaults', btrfs: 'defaults,subvol=@' };
  const isChecked = guest.rootFileSystem === 'ext4' ? 1 : 0;
  const fs = guest.rootFileSystem;
  const lines = [`${rootDevice(guest)} / ${fs} ${rootOptions[fs]} 0 ${isChecked}`];
  if (guest.hasSeparateBoot) lines.push(`UUID=${matrixUuids.boot} /boot ext4 defaults 0 2`);
  if (guest.firmware === 'uefi') lines.push(`UUID=${matrixUuids.efi} /boot/efi vfat umask=0077 0 1`);
  if (guest.container === 'lvm') {
    lines.push(`/dev/mapper/${volumeNames.group}-${volumeNames.swap} none swap sw 0 0`);
  }
  if (guest.rootDisk === 1) lines.push(`UUID=${matrixUuids.data} /srv/data ext4 defaults 0 2`);
  return `${lines.join('\n')}\n`;
}

/** Modules of the source's hardware and of the root file system: all that the initramfs of a guest may hold. */
export function initramfsModules(guest: MatrixGuest): readonly string[] {
  const storage = sourceBus(guest) === 'pvscsi' ? 'vmw_pvscsi' : 'ahci';
  // Away from the machine the hook of cryptsetup finds neither its devices nor, from them, the ciphers.
  const ciphers = guest.container === 'luks' ? ['dm_crypt', 'aes_generic', 'xts', 'sha256_generic'] : [];
  return [storage, 'vmxnet3', 'sd_mod', guest.rootFileSystem, 'crc32c_generic', ...ciphers];
}

function initramfsFiles(guest: MatrixGuest): readonly GuestFile[] {
  const modules = initramfsModules(guest);
  if (guest.initramfsTool === 'dracut') {
    // `drivers` names all modules there are to be; the parts for QEMU's guests would add theirs regardless.
    const text = `hostonly="no"
drivers=" ${modules.join(' ')} "
omit_dracutmodules+=" qemu qemu-net "
compress="gzip"
`;
    return [{ path: 'etc/dracut.conf.d/source.conf', text }];
  }
  return [{ path: 'etc/initramfs-tools/modules', text: `${modules.join('\n')}\n` }];
}

function cryptFiles(guest: MatrixGuest): readonly GuestFile[] {
  if (guest.container !== 'luks') return [];
  return [
    {
      path: 'etc/crypttab',
      text: `${volumeNames.opened} UUID=${matrixUuids.luks} ${luksKeyPath} luks,initramfs\n`,
    },
    // Nobody types at a rehearsal: the key file goes into the initramfs, which lies on the open /boot. A test's guest only.
    { path: 'etc/cryptsetup-initramfs/conf-hook', text: `KEYFILE_PATTERN=${luksKeyPath}\n` },
    { path: 'etc/initramfs-tools/conf.d/umask', text: 'UMASK=0077\n' },
  ];
}

/** The guest's path of the file that opens its LUKS container. */
export const luksKeyPath = '/etc/keys/root.key';

/** Every file a guest of the matrix has beyond its packages, but for boot loader and key file. */
export function matrixFiles(guest: MatrixGuest): readonly GuestFile[] {
  const host = matrixHost(guest);
  return [
    { path: 'etc/hostname', text: `${host}\n` },
    { path: 'etc/hosts', text: `127.0.0.1 localhost\n127.0.1.1 ${host}\n` },
    { path: 'etc/machine-id', text: `6a7e00013b524d0e9a550a5c3e6d02${guest.number}\n`, mode: 0o444 },
    { path: 'etc/fstab', text: fstab(guest) },
    // Under emulation on a busy machine udev may need minutes; the default of 90 s ends in emergency mode.
    { path: 'etc/systemd/system.conf.d/patience.conf', text: '[Manager]\nDefaultDeviceTimeoutSec=600s\n' },
    { path: 'etc/systemd/system/ascend-ready.service', text: readyUnit },
    // Five consoles that nobody looks at; each costs emulated processor time.
    { path: 'etc/systemd/system/getty-static.service', link: '/dev/null' },
    { path: 'usr/local/sbin/ascend-ready', text: readyScript, mode: 0o755 },
    ...networkFiles(guest),
    ...initramfsFiles(guest),
    ...cryptFiles(guest),
  ];
}
