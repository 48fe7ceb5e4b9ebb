import { virtioWindowsNeeds, windowsAgents, windowsDevices, windowsInbox } from '@ascend/domain';

const { virtioBlock, virtioScsi } = windowsDevices;

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

/** What a Windows guest needs on a KVM host of a zone, by `rootDiskController`. */
export const cloudstackWindowsNeeds = {
  virtio: needs({ drivers: [virtioBlock(true)] }),
  'virtio-scsi': needs({ drivers: [virtioScsi(true)] }),
  sata: needs({ bootServices: windowsInbox.ahci }),
  ide: needs({ bootServices: windowsInbox.ide }),
} as const;
