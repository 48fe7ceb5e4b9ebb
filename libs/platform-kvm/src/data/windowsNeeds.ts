import { virtioWindowsNeeds, windowsAgents, windowsDevices, windowsInbox } from '@ascend/domain';

const { virtioBlock, virtioScsi, pvscsi } = windowsDevices;

const needs = virtioWindowsNeeds({
  // Agents of other platforms: they would fail at every boot (service names of their installers).
  disabledServices: [
    'VMTools',
    'VGAuthService',
    'vm3dservice',
    'vmvss',
    'WindowsAzureGuestAgent',
    'RdAgent',
    'AWSLiteAgent',
    'Ec2Config',
    'xensvc',
  ],
  agents: [windowsAgents.qemuGuestAgent, windowsAgents.cloudbaseInit],
});

/** What a Windows guest needs on QEMU, by disk bus. */
export const kvmWindowsNeeds = {
  'virtio-blk': needs({ drivers: [virtioBlock(true)] }),
  'virtio-scsi': needs({ drivers: [virtioScsi(true)] }),
  nvme: needs({ bootServices: windowsInbox.nvme }),
  ahci: needs({ bootServices: windowsInbox.ahci }),
  ide: needs({ bootServices: windowsInbox.ide }),
  pvscsi: needs({ drivers: [pvscsi(true)] }),
} as const;
