import type { Firmware, GuestFacts, GuestNeeds, HardwareModel, StaticDevice } from '@ascend/domain';
import { isMachineBus, type MachineBus } from './machineSpec.ts';

/** Linux modules that drive a disk on each bus of the emulator. */
export const busModules: Readonly<Record<MachineBus, readonly string[]>> = {
  'virtio-blk': ['virtio_pci', 'virtio_blk'],
  'virtio-scsi': ['virtio_pci', 'virtio_scsi', 'sd_mod'],
  nvme: ['nvme'],
  ahci: ['ahci', 'sd_mod'],
  ide: ['ata_piix', 'sd_mod'],
  pvscsi: ['vmw_pvscsi', 'sd_mod'],
};

/** Linux modules that drive each network card of the emulator. */
export const nicModules: Readonly<Record<string, readonly string[]>> = {
  'virtio-net-pci': ['virtio_net'],
  vmxnet3: ['vmxnet3'],
  e1000e: ['e1000e'],
  e1000: ['e1000'],
};

/** The emulator's hardware that stands for the target's. */
export interface Rehearsal {
  readonly bus: MachineBus;
  readonly nicModel: string;
  /** Devices that stand for others of the target, in sentences; empty = all are the target's own. */
  readonly standIns: readonly string[];
  readonly staticOnly: readonly StaticDevice[];
}

type KernelFacts = GuestFacts['kernels'][number];

function bootedKernels(guest: GuestFacts): readonly KernelFacts[] {
  return guest.kernels.filter((kernel) => kernel.initramfsPath !== null);
}

/** Every kernel that can be started has the modules when it looks for its disks. */
function boots(guest: GuestFacts, modules: readonly string[]): boolean {
  return bootedKernels(guest).every((kernel) => {
    const present = new Set([...kernel.initramfsModules, ...(kernel.builtinModules ?? [])]);
    return modules.every((module) => present.has(module));
  });
}

function ships(guest: GuestFacts, modules: readonly string[]): boolean {
  return bootedKernels(guest).every((kernel) =>
    modules.every((module) => kernel.availableModules.includes(module)),
  );
}

/** OVMF has no driver for the paravirtual controller (Debian 12, tried 2026-11-20). */
function firmwareBoots(bus: string, firmware: Firmware): boolean {
  return !(firmware === 'uefi' && bus === 'pvscsi');
}

const ovmfGap: StaticDevice = {
  device: 'pvscsi controller',
  modules: busModules.pvscsi,
  reason: "the emulator's UEFI firmware has no driver for it; another controller takes its place",
};

/**
 * Chooses the emulator's devices for a rehearsal: the target's own where there are such, else the first stand-in the guest
 * has drivers for. A guest that has drivers for none gets the first and will show it.
 */
export function chooseRehearsal(model: HardwareModel, guest: GuestFacts, firmware: Firmware): Rehearsal {
  const buses = model.diskBuses.filter(isMachineBus);
  const possible = buses.filter((bus) => firmwareBoots(bus, firmware));
  const linux = guest.family === 'linux';
  const [first = 'virtio-blk'] = possible;
  const emulated = model.staticOnly.length === 0;
  // A stand-in is for what cannot be emulated; a driver that is missing for the target's own device must show.
  const bus =
    (emulated && buses[0] === first) || !linux
      ? first
      : (possible.find((one) => boots(guest, busModules[one])) ?? first);
  const [firstNic = 'virtio-net-pci'] = model.nicModels;
  const nicModel = linux
    ? (model.nicModels.find((one) => ships(guest, nicModules[one] ?? [])) ?? firstNic)
    : firstNic;
  const gap = buses[0] !== first && buses[0] === 'pvscsi' ? [ovmfGap] : [];
  const staticOnly = [...model.staticOnly, ...gap];
  return {
    bus,
    nicModel,
    standIns: staticOnly.map(({ device, reason }) => `${device}: ${reason}`),
    staticOnly,
  };
}

/** One driver of the target as it was found in the guest's files. */
export interface DriverCheck {
  readonly module: string;
  /** `initramfs`: in every one or built in. `shipped`: loaded from the root file system. `missing`: neither. */
  readonly found: 'initramfs' | 'shipped' | 'missing';
  /** A disk driver must be in every initramfs; a card's driver may come from the root. */
  readonly ok: boolean;
  /** The rehearsal boots with it too. */
  readonly emulated: boolean;
}

/** Looks up every driver the target needs in the kernels of the guest. Empty for guests other than Linux. */
export function checkDrivers(
  guest: GuestFacts,
  needs: GuestNeeds,
  staticOnly: readonly StaticDevice[],
): readonly DriverCheck[] {
  if (guest.family !== 'linux') return [];
  const notShown = new Set(staticOnly.flatMap(({ modules }) => modules));
  const check = (module: string, isDisk: boolean): DriverCheck => {
    const found = boots(guest, [module]) ? 'initramfs' : ships(guest, [module]) ? 'shipped' : 'missing';
    const ok = found === 'initramfs' || (found === 'shipped' && !isDisk);
    return { module, found, ok, emulated: !notShown.has(module) };
  };
  return [
    ...needs.linuxStorageModules.map((module) => check(module, true)),
    ...needs.linuxNetworkModules.map((module) => check(module, false)),
  ];
}
