import type { GuestNeeds, GuestNeedsVariant } from '@ascend/domain';
import { vmwareWindowsNeeds } from './windowsNeeds.ts';

/**
 * What all VMware hardware needs: vmxnet3, the agent, cloud-init's own data source.
 * Modules: virt-v2v and kernel sources, collected 2026-11-20; agents and data sources: packages of Debian 12 and RHEL 9.
 */
const common: Omit<GuestNeeds, 'linuxStorageModules'> = {
  linuxNetworkModules: ['vmxnet3'],
  // The other controllers and e1000e, which an operator may choose later.
  linuxOptionalModules: ['vmw_pvscsi', 'mptspi', 'mptsas', 'ahci', 'nvme', 'sd_mod', 'e1000e', 'vmw_balloon'],
  // A virtual serial port exists only where an operator adds one: the screen is the console.
  serialConsole: null,
  networkIdentity: 'pin-by-mac',
  agents: {
    enable: ['open-vm-tools', 'vendor-vm-tools'],
    install: [
      {
        id: 'open-vm-tools',
        satisfiedBy: ['vendor-vm-tools'],
        packages: {
          deb: String.raw`open-vm-tools_[\w.+~%:-]+\.deb`,
          rpm: String.raw`open-vm-tools-\d[\w.+~^-]*\.rpm`,
        },
        services: ['open-vm-tools.service', 'vmtoolsd.service'],
      },
    ],
    disable: ['waagent', 'hv-daemons', 'xe-guest-utilities', 'ngt', 'cloud-set-guest'],
  },
  // VMware reads guestinfo, OVF the ISO of a vApp; NoCloud where an operator attaches a seed.
  cloudInitDatasources: ['VMware', 'OVF', 'NoCloud', 'None'],
  swap: 'any',
  selinuxRelabel: true,
  firstBootSlot: true,
};

function onController(
  id: string,
  linuxStorageModules: readonly string[],
  more: Partial<GuestNeeds> = {},
): GuestNeedsVariant {
  const own = vmwareWindowsNeeds[id];
  const windows = own === undefined ? {} : { windows: own };
  return { id, diskBuses: [id], needs: { ...common, linuxStorageModules, ...windows, ...more } };
}

/**
 * By disk controller (names of vim25 device classes without `Virtual…Controller`: vmware-hyperv notes §1.4, 2026-11-20).
 * The SCSI disk driver is a module of its own in Debian's kernels and is asked for beside each SCSI controller.
 */
export const vmwareGuestNeeds: readonly GuestNeedsVariant[] = [
  onController('pvscsi', ['vmw_pvscsi', 'sd_mod']),
  onController('lsilogic-sas', ['mptsas', 'sd_mod']),
  // The firmware drivers of EFI know no parallel LSI controller as boot device on old hosts, but boot it since hardware version 8.
  onController('lsilogic', ['mptspi', 'sd_mod']),
  onController('ahci', ['ahci', 'sd_mod']),
  // Needs hardware version 13 and a kernel of 3.3 or later.
  onController('nvme', ['nvme']),
  onController('ide', ['ata_piix', 'sd_mod'], { firmware: ['bios'] }),
];
