import { windowsDevices, windowsInbox, windowsNeeds, type WindowsNeeds } from '@ascend/domain';

const { pvscsi, vmxnet3 } = windowsDevices;

function needs(some: Pick<Partial<WindowsNeeds>, 'bootServices' | 'drivers'>): WindowsNeeds {
  return windowsNeeds({
    bootServices: some.bootServices ?? [],
    drivers: [...(some.drivers ?? []), vmxnet3(false)],
    // Agents of other platforms: they would fail at every boot (service names of their installers).
    disabledServices: [
      'QEMU-GA',
      'BalloonService',
      'WindowsAzureGuestAgent',
      'RdAgent',
      'AWSLiteAgent',
      'Ec2Config',
      'xensvc',
    ],
    agent: {
      name: 'vmware-tools',
      services: ['VMTools'],
      packagePattern: String.raw`^vmware[ -]tools.*\.msi$`,
    },
  });
}

/** What a Windows guest needs here, by disk controller. pvscsi and vmxnet3 have no driver in Windows. */
export const vmwareWindowsNeeds: Readonly<Record<string, WindowsNeeds>> = {
  pvscsi: needs({ drivers: [pvscsi(true)] }),
  'lsilogic-sas': needs({ bootServices: windowsInbox.lsiSas }),
  lsilogic: needs({ bootServices: windowsInbox.lsiParallel }),
  ahci: needs({ bootServices: windowsInbox.ahci }),
  nvme: needs({ bootServices: windowsInbox.nvme }),
  ide: needs({ bootServices: windowsInbox.ide }),
};
