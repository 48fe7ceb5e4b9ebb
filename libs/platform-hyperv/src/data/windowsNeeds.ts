import {
  windowsInbox,
  windowsNeeds,
  type WindowsAgentNeed,
  type WindowsAgentPackage,
  type WindowsNeeds,
} from '@ascend/domain';

function integrationServices(
  system: string,
  builds: Pick<WindowsAgentNeed, 'fromBuild' | 'belowBuild'>,
): WindowsAgentNeed {
  const packageOf = (arch: 'amd64' | 'x86', word: string): WindowsAgentPackage => {
    return { arch, pattern: String.raw`${system}-hypervintegrationservices-${word}\.cab`, kind: 'cab' };
  };
  return {
    name: 'integration-services',
    // Their services are part of Windows already, in a version of its own time.
    services: [],
    packages: [packageOf('amd64', 'x64'), packageOf('x86', 'x86')],
    ...builds,
  };
}

const common: Partial<WindowsNeeds> = {
  // Its own integration services are part of Windows; agents of other platforms would fail at every boot.
  disabledServices: [
    'VMTools',
    'VGAuthService',
    'vm3dservice',
    'vmvss',
    'QEMU-GA',
    'BalloonService',
    'WindowsAzureGuestAgent',
    'RdAgent',
    'AWSLiteAgent',
    'Ec2Config',
    'xensvc',
  ],
  // Part of Windows since 8.1 and Server 2012 R2; older ones have those of their own time. Names of the update packages of the
  // vendor (KB3063109; general knowledge, not read again).
  agents: [
    integrationServices(String.raw`windows6\.x`, { belowBuild: 9200 }),
    integrationServices(String.raw`windows6\.2`, { fromBuild: 9200, belowBuild: 9600 }),
  ],
};

/** All drivers are part of Windows. Generation 1 boots from IDE (Azure/AzMigrate-Hydration, read 2026-11-20). */
export const hypervWindowsNeeds = {
  gen1: windowsNeeds({ ...common, bootServices: [...windowsInbox.vmbus, ...windowsInbox.ide] }),
  gen2: windowsNeeds({ ...common, bootServices: windowsInbox.vmbus }),
} as const;
