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
  // The setup program of the ISO that the platform attaches, renamed; its switches are general knowledge, not verified.
  agents: [
    {
      name: 'nutanix-guest-tools',
      services: ['Nutanix Guest Agent', 'Nutanix Guest Tools Agent'],
      packages: [
        {
          arch: 'amd64',
          pattern: String.raw`(?:ngt|nutanix-guest-tools)[\w.-]*\.exe`,
          kind: 'exe',
          arguments: ['/quiet', 'ACCEPTEULA=yes', '/norestart'],
        },
      ],
    },
    windowsAgents.cloudbaseInit,
  ],
});

/** What a Windows guest needs on AHV, by `adapter_type`. The vendor's drivers have the ids and services of virtio-win. */
export const nutanixWindowsNeeds = {
  scsi: needs({ drivers: [virtioScsi(true)] }),
  pci: needs({ drivers: [virtioBlock(true)] }),
  sata: needs({ bootServices: windowsInbox.ahci }),
  ide: needs({ bootServices: windowsInbox.ide }),
} as const;
