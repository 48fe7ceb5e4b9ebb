import type { GuestFile } from './guestTree.ts';

/** File system UUIDs of the sample guest: constants, so that fstab and boot loader need no look-up. */
export const sampleUuids = {
  root: '5f0c7a1e-3b52-4d0e-9a55-0a5c3e6d0001',
  data: '5f0c7a1e-3b52-4d0e-9a55-0a5c3e6d0002',
} as const;

/** The sample guest's network identity: the address is bound to an interface name that only the source hardware gives. */
export const sampleNic = {
  name: 'ens192',
  mac: '00:50:56:aa:bb:01',
  address: '10.0.2.77/24',
  gateway: '10.0.2.2',
} as const;

const readyScript = `#!/bin/sh
# One line on the serial console once the system is up: what is running here, and at which address.
marker() { if [ -r "$1" ]; then head -n 1 "$1"; else echo none; fi; }
if=none addr=none
for path in /sys/class/net/ens192 /sys/class/net/e*; do
  [ -e "$path" ] || continue
  name=\${path##*/}
  [ "$if" = none ] && if=$name
  found=$(ip -4 -o addr show dev "$name" scope global | awk '{print $4; exit}')
  if [ -n "$found" ]; then if=$name addr=$found; break; fi
done
echo "ASCEND-READY root=$(marker /etc/ascend-marker) data=$(marker /srv/data/ascend-marker) addr=$addr if=$if" > /dev/ttyS0
`;

const readyUnit = `[Unit]
Description=Report on the serial console that the system is up
After=multi-user.target networking.service srv-data.mount serial-getty@ttyS0.service
Wants=srv-data.mount

[Service]
Type=oneshot
ExecStart=/usr/local/sbin/ascend-ready

[Install]
WantedBy=default.target
`;

const grubDefault = `GRUB_DEFAULT=0
GRUB_TIMEOUT=0
GRUB_DISTRIBUTOR=Debian
GRUB_CMDLINE_LINUX_DEFAULT="quiet"
GRUB_CMDLINE_LINUX="console=tty0 console=ttyS0,115200n8"
GRUB_DISABLE_OS_PROBER=true
`;

// What a restored server does not need in its first minute; each costs seconds of emulated CPU.
const masked = [
  'apt-daily.timer',
  'apt-daily-upgrade.timer',
  'dpkg-db-backup.timer',
  'e2scrub_all.timer',
  'e2scrub_reap.service',
  'fstrim.timer',
  'systemd-pstore.service',
  'systemd-tmpfiles-clean.timer',
  'sys-kernel-debug.mount',
  'sys-kernel-tracing.mount',
  'systemd-update-utmp.service',
  'systemd-update-utmp-runlevel.service',
];

/** Every file the sample guest has beyond its packages. */
export function sampleFiles(): readonly GuestFile[] {
  return [
    { path: 'etc/hostname', text: 'pgtest1\n' },
    { path: 'etc/hosts', text: '127.0.0.1 localhost\n127.0.1.1 pgtest1\n' },
    { path: 'etc/machine-id', text: '5f0c7a1e3b524d0e9a550a5c3e6d0003\n', mode: 0o444 },
    {
      path: 'etc/fstab',
      text: [
        `UUID=${sampleUuids.root} / ext4 errors=remount-ro 0 1`,
        `UUID=${sampleUuids.data} /srv/data ext4 defaults,nofail,x-systemd.device-timeout=180s 0 2`,
        '',
      ].join('\n'),
    },
    {
      path: 'etc/network/interfaces',
      text: [
        'auto lo',
        'iface lo inet loopback',
        '',
        `auto ${sampleNic.name}`,
        `iface ${sampleNic.name} inet static`,
        `    address ${sampleNic.address}`,
        `    gateway ${sampleNic.gateway}`,
        '',
      ].join('\n'),
    },
    { path: 'etc/default/grub', text: grubDefault },
    // The source platform's drivers and nothing else: such a guest finds no root disk on any other hardware.
    { path: 'etc/initramfs-tools/conf.d/modules-list', text: 'MODULES=list\n' },
    { path: 'etc/initramfs-tools/modules', text: 'vmw_pvscsi\nvmxnet3\nsd_mod\next4\ncrc32c_generic\n' },
    { path: 'etc/systemd/system/ascend-ready.service', text: readyUnit },
    {
      path: 'etc/systemd/system/default.target.wants/ascend-ready.service',
      link: '/etc/systemd/system/ascend-ready.service',
    },
    { path: 'usr/local/sbin/ascend-ready', text: readyScript, mode: 0o755 },
    { path: 'etc/ascend-marker', text: 'full\n' },
    { path: 'srv/data/.keep', text: '' },
    ...masked.map((unit): GuestFile => ({ path: `etc/systemd/system/${unit}`, link: '/dev/null' })),
  ];
}
