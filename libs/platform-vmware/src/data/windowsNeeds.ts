import { windowsDevices, windowsInbox, windowsNeeds, type WindowsNeeds } from '@ascend/domain';

const { pvscsi, vmxnet3 } = windowsDevices;

/** Without a dialogue and without a restart of its own. */
const silent = ['/S', '/v"/qn REBOOT=R"'];

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
    // Names of the vendor's downloads, its setup program's switches (general knowledge, not read from a page of the vendor).
    agents: [
      {
        name: 'vmware-tools',
        services: ['VMTools'],
        packages: [
          {
            arch: 'amd64',
            pattern: String.raw`VMware-tools-[\d.]+-\d+-(?:x86_64|x64)\.exe`,
            kind: 'exe',
            arguments: silent,
          },
          {
            arch: 'x86',
            pattern: String.raw`VMware-tools-[\d.]+-\d+-i[36]86\.exe`,
            kind: 'exe',
            arguments: silent,
          },
          { arch: null, pattern: String.raw`VMware-tools[\w.-]*\.msi`, kind: 'msi' },
        ],
      },
    ],
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
