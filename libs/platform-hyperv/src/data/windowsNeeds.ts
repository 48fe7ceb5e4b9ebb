import { windowsInbox, windowsNeeds, type WindowsNeeds } from '@ascend/domain';

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
};

/** All drivers are part of Windows. Generation 1 boots from IDE (Azure/AzMigrate-Hydration, read 2026-11-20). */
export const hypervWindowsNeeds = {
  gen1: windowsNeeds({ ...common, bootServices: [...windowsInbox.vmbus, ...windowsInbox.ide] }),
  gen2: windowsNeeds({ ...common, bootServices: windowsInbox.vmbus }),
} as const;
