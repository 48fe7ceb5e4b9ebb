import { windowsInbox, windowsNeeds, type WindowsNeeds } from '@ascend/domain';

const common: Partial<WindowsNeeds> = {
  disabledServices: [
    'VMTools',
    'VGAuthService',
    'vm3dservice',
    'vmvss',
    'QEMU-GA',
    'BalloonService',
    'AWSLiteAgent',
    'Ec2Config',
    'xensvc',
  ],
  agents: [
    {
      name: 'azure-vm-agent',
      services: ['WindowsAzureGuestAgent', 'RdAgent'],
      packages: [{ arch: null, pattern: String.raw`WindowsAzureVmAgent[\w.-]*\.msi`, kind: 'msi' }],
    },
  ],
};

/** As Azure/AzMigrate-Hydration prepares: vmbus, storvsc, storflt, for generation 1 intelide and atapi (read 2026-11-20). */
export const azureWindowsNeeds = {
  gen1: windowsNeeds({ ...common, bootServices: [...windowsInbox.vmbus, ...windowsInbox.ide] }),
  gen2: windowsNeeds({ ...common, bootServices: windowsInbox.vmbus }),
  'gen2-nvme': windowsNeeds({ ...common, bootServices: [['vmbus'], ...windowsInbox.nvme] }),
} as const;
