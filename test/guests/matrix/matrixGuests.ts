import type { MatrixGuest, MatrixGuestName } from './matrixGuest.ts';

/** A plain Debian server: BIOS, one ext4 partition, initramfs-tools. */
const plain = {
  firmware: 'bios',
  rootFileSystem: 'ext4',
  container: 'partition',
  hasSeparateBoot: false,
  rootDisk: 0,
  hasEfiFallback: true,
  network: 'networkd',
  initramfsTool: 'initramfs-tools',
  packages: [],
} as const;

const uefi = { ...plain, firmware: 'uefi' } as const;

/** The guests of the boot matrix: each differs from a plain server in what its name says. */
export const matrixGuests: readonly MatrixGuest[] = [
  { ...plain, name: 'bios-ext4', number: 81 },
  { ...uefi, name: 'uefi-lvm', number: 82, container: 'lvm', packages: ['lvm2'] },
  { ...uefi, name: 'uefi-no-fallback', number: 83, hasEfiFallback: false, network: 'ifupdown' },
  { ...plain, name: 'xfs-root', number: 84, rootFileSystem: 'xfs', packages: ['xfsprogs'] },
  { ...plain, name: 'btrfs-root', number: 85, rootFileSystem: 'btrfs', packages: ['btrfs-progs'] },
  // The real-time kernel is a full kernel beside the usual one.
  { ...plain, name: 'two-kernels', number: 86, network: 'ifupdown', packages: ['linux-image-rt-amd64'] },
  { ...uefi, name: 'netplan', number: 87, network: 'netplan', packages: ['netplan.io'] },
  {
    ...plain,
    name: 'network-manager',
    number: 88,
    network: 'network-manager',
    packages: ['network-manager'],
  },
  { ...plain, name: 'ifupdown', number: 89, network: 'ifupdown' },
  { ...plain, name: 'dracut', number: 90, initramfsTool: 'dracut', packages: ['dracut'] },
  {
    ...uefi,
    name: 'luks-root',
    number: 91,
    container: 'luks',
    hasSeparateBoot: true,
    packages: ['cryptsetup-initramfs'],
  },
  { ...plain, name: 'second-disk', number: 92, rootDisk: 1, network: 'ifupdown' },
  { ...plain, name: 'separate-boot', number: 93, hasSeparateBoot: true },
];

/** One guest by its name. */
export function matrixGuest(name: MatrixGuestName): MatrixGuest {
  const found = matrixGuests.find((guest) => guest.name === name);
  if (found === undefined) throw new Error(`there is no matrix guest ${name}`);
  return found;
}
