import type { Firmware } from '@ascend/domain';
import type { SpecNode } from '@ascend/vm-spec';

/** What `os` tells. */
export interface DomainBoot {
  readonly firmware: Firmware | null;
  readonly secureBoot: boolean;
  readonly cpuArch: string | null;
  /** Place of `hd` in the machine's order; -1 = disks tell their own order. */
  readonly diskPlace: number;
}

/** Firmware, architecture and boot order of the machine. */
export function readBoot(os: SpecNode): DomainBoot {
  const loader = os.child('loader');
  const features = os.child('firmware', 'feature').items();
  const secureFeature = features.some(
    (one) => one.child('@name').text() === 'secure-boot' && one.child('@enabled').boolean() === true,
  );
  const cpuArch = os.child('type', '@arch').text();
  const told = os.child('@firmware').text();
  const looksLikeEfi =
    loader.child('@type').text() === 'pflash' || /ovmf|aavmf|edk2|efi/i.test(loader.text() ?? '');
  const isEfi = told === 'efi' || (told === null && (looksLikeEfi || cpuArch === 'aarch64'));
  const devices = os
    .child('boot')
    .items()
    .map((one) => one.child('@dev').text());
  const secureBoot = isEfi && (loader.child('@secure').boolean() === true || secureFeature);
  // What is left are paths of the old host; a kernel outside of the disks is told.
  const hasKernel = ['kernel', 'initrd', 'cmdline', 'dtb'].some((name) => os.child(name).exists);
  if (!hasKernel) os.ignore();
  else
    os.ignoring(
      '@firmware',
      'type',
      'loader',
      'nvram',
      'bootmenu',
      'smbios',
      'bios',
      'boot',
      'firmware',
      'acpi',
    );
  return { firmware: isEfi ? 'uefi' : 'bios', secureBoot, cpuArch, diskPlace: devices.indexOf('hd') };
}
