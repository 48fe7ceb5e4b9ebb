import type { WindowsNeeds } from './capability.ts';

type DriverNeed = WindowsNeeds['drivers'][number];

/**
 * Drivers that Windows ships, by the controller they drive; one service of each group must start at boot. Names: the
 * registry of Windows 7 to Server 2025 (storahci since 8, msahci before; stornvme since 8.1 and Server 2012 R2).
 */
export const windowsInbox = {
  ahci: [['storahci', 'msahci']],
  nvme: [['stornvme']],
  ide: [['intelide'], ['atapi']],
  lsiSas: [['LSI_SAS']],
  lsiParallel: [['LSI_SCSI', 'symmpi']],
  // storflt is the filter that belongs to storvsc; Windows 10 and later do without.
  vmbus: [['vmbus'], ['storvsc', 'storflt']],
} as const satisfies Readonly<Record<string, WindowsNeeds['bootServices']>>;

function device(
  about: string,
  hardwareIds: readonly string[],
  installedServices: readonly string[],
): (bootCritical: boolean) => DriverNeed {
  return (bootCritical) => ({ about, hardwareIds, bootCritical, installedServices, inboxSinceBuild: null });
}

function pci(vendor: string, ...devices: readonly string[]): readonly string[] {
  return devices.map((id) => `PCI\\VEN_${vendor}&DEV_${id}`);
}

/**
 * Devices for which Windows ships no driver. PCI ids: virtio 1.2 §4.1.2 (transitional and modern), Linux drivers
 * vmw_pvscsi, vmxnet3 and ena; service names: the INF files of virtio-win and of the vendors.
 */
export const windowsDevices = {
  virtioBlock: device('the virtio disk', pci('1AF4', '1001', '1042'), ['viostor']),
  virtioScsi: device('the virtio SCSI controller', pci('1AF4', '1004', '1048'), ['vioscsi']),
  virtioNet: device('the virtio network card', pci('1AF4', '1000', '1041'), ['netkvm']),
  pvscsi: device('the paravirtual SCSI controller', pci('15AD', '07C0'), ['pvscsi']),
  vmxnet3: device('the vmxnet3 network card', pci('15AD', '07B0'), ['vmxnet3ndis6']),
  ena: device('the elastic network adapter', pci('1D0F', 'EC20', 'EC21'), ['ena']),
} as const;

/** Needs on hardware with a virtio network card, by what the guest boots from; agents and foreign services are the target's own. */
export function virtioWindowsNeeds(
  target: Pick<WindowsNeeds, 'agents' | 'disabledServices'>,
): (boot: Partial<Pick<WindowsNeeds, 'bootServices' | 'drivers'>>) => WindowsNeeds {
  return ({ bootServices = [], drivers = [] }) =>
    windowsNeeds({
      bootServices,
      drivers: [...drivers, windowsDevices.virtioNet(false)],
      ...target,
    });
}

/** Needs of a target, every part that is left out empty. */
export function windowsNeeds(some: Partial<WindowsNeeds>): WindowsNeeds {
  return { bootServices: [], drivers: [], disabledServices: [], sanPolicy: 1, agents: [], ...some };
}
