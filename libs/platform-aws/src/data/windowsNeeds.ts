import { windowsDevices, windowsInbox, windowsNeeds } from '@ascend/domain';

const disabledServices = [
  'VMTools',
  'VGAuthService',
  'vm3dservice',
  'vmvss',
  'QEMU-GA',
  'BalloonService',
  'WindowsAzureGuestAgent',
  'RdAgent',
];

/**
 * Nitro: the disk driver of Windows 8.1 / Server 2012 R2 and later drives EBS volumes; without the ENA driver there is no
 * network until it is installed. Its agent comes as a setup program, which nobody can install offline.
 */
export const nitroWindowsNeeds = windowsNeeds({
  bootServices: windowsInbox.nvme,
  drivers: [windowsDevices.ena(false)],
  disabledServices,
});

/** Xen types: the vendor's PV drivers come as a setup program; Windows boots from the emulated IDE disk before them. */
export const xenWindowsNeeds = windowsNeeds({ bootServices: windowsInbox.ide, disabledServices });
