import type { GuestNeeds, GuestNeedsVariant } from '@ascend/domain';
import { nitroWindowsNeeds, xenWindowsNeeds } from './windowsNeeds.ts';

/**
 * What EC2 needs of a guest that AWS does not convert itself (image registered from a snapshot). Sources: VM Import/Export
 * guide, awslabs nitro_check_script.sh, collected 2026-11-20.
 */
const common: Omit<GuestNeeds, 'linuxStorageModules' | 'linuxNetworkModules' | 'linuxOptionalModules'> = {
  // GetConsoleOutput and the serial console show ttyS0.
  serialConsole: 'ttyS0',
  // The MAC is the platform's and the address comes by DHCP; a private address is asked of the platform.
  networkIdentity: 'platform-dhcp',
  agents: {
    enable: [],
    disable: [
      'open-vm-tools',
      'vendor-vm-tools',
      'waagent',
      'hv-daemons',
      'xe-guest-utilities',
      'ngt',
      'cloud-set-guest',
    ],
  },
  cloudInitDatasources: ['Ec2', 'None'],
  swap: 'any',
  selinuxRelabel: true,
  firstBootSlot: true,
};

/**
 * Nitro instances show volumes as NVMe and cards as ENA; Xen instances (t2, m4, c4, r4) have neither (`ebsNvme:
 * unsupported` in DescribeInstanceTypes, read 2026-11-20) and boot by BIOS alone.
 */
export const awsGuestNeeds: readonly GuestNeedsVariant[] = [
  {
    id: 'nitro',
    diskBuses: ['nvme'],
    needs: {
      ...common,
      windows: nitroWindowsNeeds,
      linuxStorageModules: ['nvme'],
      linuxNetworkModules: ['ena'],
      // Fail-back to a Xen type; sd_mod and the rest of another hypervisor are not needed.
      linuxOptionalModules: ['nvme_core', 'xen_blkfront', 'xen_netfront', 'ixgbevf'],
      firmware: ['bios', 'uefi'],
      // EBS may stall for long; the default limit of 30 s would make the root read-only (nvme documentation of AWS,
      // general knowledge). Kernels before 4.15 take 255 at most and read this number as that.
      kernelArguments: ['nvme_core.io_timeout=4294967295'],
    },
  },
  {
    id: 'xen',
    diskBuses: ['xen-blk'],
    needs: {
      ...common,
      windows: xenWindowsNeeds,
      linuxStorageModules: ['xen_blkfront'],
      linuxNetworkModules: ['xen_netfront'],
      // The driver of xen_netfront registers as `vif`; enhanced networking of m4 and c4 shows an Intel card.
      nicDrivers: ['vif', 'ixgbevf'],
      linuxOptionalModules: ['nvme', 'ena', 'ixgbevf'],
      firmware: ['bios'],
    },
  },
];
