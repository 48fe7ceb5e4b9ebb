import type { GuestNeeds, GuestNeedsVariant } from '@ascend/domain';
import { azureWindowsNeeds } from './windowsNeeds.ts';

/**
 * What Azure needs of a guest on a specialised disk. Sources: MicrosoftDocs azure-compute-docs `create-upload-generic.md`,
 * Azure/AzMigrate-Hydration `post-rec-script.sh`, collected 2026-11-20.
 */
const common: GuestNeeds = {
  linuxStorageModules: ['hv_vmbus', 'hv_storvsc', 'sd_mod'],
  linuxNetworkModules: ['hv_netvsc'],
  // Accelerated networking shows a Mellanox or MANA card beside the synthetic one.
  linuxOptionalModules: [
    'hv_utils',
    'hv_balloon',
    'mlx4_core',
    'mlx4_en',
    'mlx5_core',
    'mana',
    'nvme',
    'ata_piix',
  ],
  // The provisioning media is a UDF disk.
  linuxUnblockedModules: ['udf', 'vfat'],
  serialConsole: 'ttyS0',
  networkIdentity: 'platform-dhcp',
  kernelArguments: ['earlyprintk=ttyS0', 'rootdelay=300', 'net.ifnames=0'],
  unwantedKernelArguments: ['rhgb', 'quiet', 'crashkernel=auto'],
  agents: {
    enable: ['waagent', 'hv-daemons'],
    install: [
      {
        id: 'waagent',
        packages: {
          deb: String.raw`(?:wa|walinux)agent_[\w.+~%:-]+\.deb`,
          rpm: String.raw`WALinuxAgent-\d[\w.+~^-]*\.rpm`,
        },
        services: ['walinuxagent.service', 'waagent.service'],
      },
    ],
    disable: ['open-vm-tools', 'vendor-vm-tools', 'xe-guest-utilities', 'ngt', 'cloud-set-guest'],
  },
  cloudInitDatasources: ['Azure', 'None'],
  swap: 'warn-on-system-disk',
  selinuxRelabel: true,
  firstBootSlot: true,
};

/**
 * Generation 1 boots by BIOS from an IDE-like disk, generation 2 by UEFI from SCSI (`generation-2.md`). Sizes of v6 have
 * NVMe alone and generation 2 alone (SKU sample of Azure/karpenter-provider-azure; `nvme-linux.md`), read 2026-11-20.
 */
export const azureGuestNeeds: readonly GuestNeedsVariant[] = [
  {
    id: 'gen1',
    diskBuses: ['scsi', 'ide'],
    // hv_storvsc drives the IDE disk too, and kernels made for clouds ship no ata_piix.
    needs: { ...common, windows: azureWindowsNeeds.gen1, firmware: ['bios'] },
  },
  {
    id: 'gen2',
    diskBuses: ['scsi'],
    needs: { ...common, windows: azureWindowsNeeds.gen2, firmware: ['uefi'] },
  },
  {
    id: 'gen2-nvme',
    diskBuses: ['nvme'],
    needs: {
      ...common,
      windows: azureWindowsNeeds['gen2-nvme'],
      // The controller is a PCI device passed through by the VMBus (general knowledge of the Linux driver).
      linuxStorageModules: ['hv_vmbus', 'pci_hyperv', 'nvme'],
      linuxOptionalModules: [...common.linuxOptionalModules, 'hv_storvsc', 'sd_mod'],
      kernelArguments: [...(common.kernelArguments ?? []), 'nvme_core.io_timeout=240'],
      firmware: ['uefi'],
    },
  },
];
