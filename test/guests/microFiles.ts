import type { GuestFile } from './guestTree.ts';

/** File system UUIDs of the micro guest. */
export const microUuids = {
  root: '6d1c7a1e-3b52-4d0e-9a55-0a5c3e6d0001',
  data: '6d1c7a1e-3b52-4d0e-9a55-0a5c3e6d0002',
} as const;

/** The micro guest's network identity; its one interface is `eth0` on any hardware. */
export const microNic = { name: 'eth0', mac: '00:50:56:aa:bb:02', address: '10.0.2.78/24' } as const;

/** Drivers in the micro guest's initrd, with all they depend on: it boots on every bus and NIC the product emulates. */
export const microModules: readonly string[] = [
  'virtio_pci virtio_blk virtio_scsi virtio_net virtio_console',
  'vmw_pvscsi ahci ata_piix nvme sd_mod ext4 crc32c_generic',
  'vmxnet3 e1000 e1000e button evdev',
].flatMap((names) => names.split(' '));

/** Plain files of the micro guest's root disk beside kernel, initrd and modules. */
export function microFiles(release: string): readonly GuestFile[] {
  return [
    { path: 'etc/hostname', text: 'micro1\n' },
    {
      path: 'etc/os-release',
      text: 'PRETTY_NAME="Micro guest 1"\nNAME="Micro guest"\nID=micro\nVERSION_ID="1"\n',
    },
    {
      path: 'etc/fstab',
      text: `UUID=${microUuids.root} / ext4 ro 0 1\nUUID=${microUuids.data} /data ext4 ro,nofail 0 2\n`,
    },
    {
      path: 'etc/network/interfaces',
      text: `auto ${microNic.name}\niface ${microNic.name} inet static\n    address ${microNic.address}\n`,
    },
    { path: 'etc/ascend-marker', text: 'full\n' },
    { path: 'srv/.keep', text: '' },
    {
      path: 'boot/grub/grub.cfg',
      text: `set timeout=0
set default=0
menuentry 'Micro guest' {
	search --no-floppy --fs-uuid --set=root ${microUuids.root}
	linux	/boot/vmlinuz-${release} root=UUID=${microUuids.root} ro console=tty0 console=ttyS0,115200n8 quiet nokaslr
	initrd	/boot/initrd.img-${release}
}
`,
    },
  ];
}

/** First program of the micro guest: finds its disks, takes its address and says so on the serial console. */
export const microInit = `#!/bin/sh
# Everything is busybox; there is no second stage.
/bin/busybox mkdir -p /proc /sys /dev /root /data
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
for path in /sys/bus/pci/devices/*/modalias /sys/bus/virtio/devices/*/modalias; do
  [ -e "$path" ] && modprobe -q "$(cat "$path")"
done
for path in /sys/bus/virtio/devices/*/modalias; do
  [ -e "$path" ] && modprobe -q "$(cat "$path")"
done
modprobe -q sd_mod
modprobe -q crc32c_generic
modprobe -q ext4

# Gives up as an initramfs does: a message that a watcher can recognise, then no more.
mount_uuid() {
  tries=0
  until device=$(findfs "UUID=$1" 2>/dev/null) && [ -n "$device" ]; do
    tries=$((tries + 1))
    if [ "$tries" -ge "$3" ]; then return 1; fi
    usleep 100000
  done
  mount -t ext4 -o ro "$device" "$2"
}
if ! mount_uuid ROOT_UUID /root 100; then
  echo "ALERT!  UUID=ROOT_UUID does not exist.  Dropping to a shell!" > /dev/ttyS0
  while :; do sleep 3600; done
fi
mount_uuid DATA_UUID /data 20

address=$(awk '$1 == "address" {print $2; exit}' /root/etc/network/interfaces)
ip link set lo up
if [ -e /sys/class/net/eth0 ]; then ip link set eth0 up; ip addr add "$address" dev eth0; fi
marker() { if [ -r "$1" ]; then head -n 1 "$1"; else echo none; fi; }
found=$(ip -4 -o addr show dev eth0 2>/dev/null | awk '{print $4; exit}')
name=none
[ -n "$found" ] && name=eth0
for console in /dev/tty0 /dev/ttyS0; do
  echo "ASCEND-READY root=$(marker /root/etc/ascend-marker) data=$(marker /data/ascend-marker) addr=\${found:-none} if=$name" > $console
  echo > $console
  echo "micro1 login: " > $console
done

# The power button ends the machine, and a stand-in for the guest agent answers the few questions a boot check asks.
modprobe -q button
modprobe -q evdev
mkdir -p /etc/acpi/PWRF
printf '#!/bin/sh\\numount /data /root\\npoweroff -f\\n' > /etc/acpi/PWRF/00000080
chmod 755 /etc/acpi/PWRF/00000080
acpid -d > /dev/null 2>&1 &
port=
for path in /sys/class/virtio-ports/*/name; do
  [ -e "$path" ] || continue
  [ "$(cat "$path")" = org.qemu.guest_agent.0 ] && port=/dev/\${path#/sys/class/virtio-ports/} && port=\${port%/name}
done
agent() {
  while read -r line; do
    case "$line" in
      *guest-sync*) echo "{\\"return\\": $(echo "$line" | sed 's/.*"id": *\\([0-9]*\\).*/\\1/')}" ;;
      *guest-ping*) echo '{"return": {}}' ;;
      *guest-network-get-interfaces*)
        echo "{\\"return\\": [{\\"name\\": \\"eth0\\", \\"hardware-address\\": \\"$(cat /sys/class/net/eth0/address)\\", \\"ip-addresses\\": [{\\"ip-address-type\\": \\"ipv4\\", \\"ip-address\\": \\"\${address%/*}\\", \\"prefix\\": \${address#*/}}]}]}" ;;
      *) echo '{"error": {"class": "CommandNotFound", "desc": "not in this guest"}}' ;;
    esac
  done
}
if [ -n "$port" ]; then
  # One descriptor for both ways: such a port can be opened only once.
  exec 3<> "$port"
  while :; do agent <&3 >&3; usleep 200000; done
fi
while :; do sleep 3600; done
`
  .replaceAll('ROOT_UUID', microUuids.root)
  .replaceAll('DATA_UUID', microUuids.data);
