import type { GuestNeeds, GuestNeedsVariant } from '@ascend/domain';
import { hypervWindowsNeeds } from './windowsNeeds.ts';

/**
 * What both generations need: the synthetic devices of the VMBus. Modules: Azure Migrate's hydration scripts and
 * Microsoft's "create-upload-generic", collected 2026-11-20.
 */
const common: GuestNeeds = {
  linuxStorageModules: ['hv_vmbus', 'hv_storvsc', 'sd_mod'],
  linuxNetworkModules: ['hv_netvsc'],
  // hv_utils answers heartbeat, shutdown and time; hyperv_keyboard lets a passphrase be typed in the initramfs.
  linuxOptionalModules: [
    'hv_utils',
    'hv_balloon',
    'hyperv_keyboard',
    'hid_hyperv',
    'hyperv_fb',
    'hyperv_drm',
  ],
  // COM1 is a named pipe that only exists where an operator sets it up; the screen is the console.
  serialConsole: null,
  networkIdentity: 'pin-by-mac',
  agents: {
    enable: ['hv-daemons'],
    install: [
      {
        id: 'hv-daemons',
        packages: {
          deb: String.raw`hyperv-daemons_[\w.+~%:-]+\.deb`,
          rpm: String.raw`hyperv-daemons-\d[\w.+~^-]*\.rpm`,
        },
      },
    ],
    disable: ['open-vm-tools', 'vendor-vm-tools', 'waagent', 'xe-guest-utilities', 'ngt', 'cloud-set-guest'],
  },
  // No data source of its own; a seed ISO is read as NoCloud.
  cloudInitDatasources: ['NoCloud', 'None'],
  swap: 'any',
  selinuxRelabel: true,
  firstBootSlot: true,
};

/**
 * By generation, which cannot be changed later (New-VM, windows-powershell-docs f113d6bd, read 2026-11-20).
 * Generation 1: BIOS; only IDE boots. The kernel drives that disk by hv_storvsc too; ata_piix is for its DVD, and kernels
 * made for clouds do without.
 * Generation 2: UEFI, all disks SCSI, no IDE, no legacy card.
 */
export const hypervGuestNeeds: readonly GuestNeedsVariant[] = [
  {
    id: 'gen1',
    diskBuses: ['ide', 'scsi'],
    needs: {
      ...common,
      windows: hypervWindowsNeeds.gen1,
      linuxOptionalModules: [...common.linuxOptionalModules, 'ata_piix'],
      firmware: ['bios'],
    },
  },
  {
    id: 'gen2',
    diskBuses: ['scsi'],
    needs: { ...common, windows: hypervWindowsNeeds.gen2, firmware: ['uefi'] },
  },
];
