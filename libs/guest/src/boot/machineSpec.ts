import type { Firmware } from '@ascend/domain';

/** How a disk is attached. `ide` is the parallel bus of old machines and holds four disks at most. */
export type MachineBus = 'virtio-blk' | 'virtio-scsi' | 'nvme' | 'ahci' | 'ide' | 'pvscsi';

/** Every bus a machine can have. */
export const machineBuses: readonly MachineBus[] = [
  'virtio-blk',
  'virtio-scsi',
  'nvme',
  'ahci',
  'ide',
  'pvscsi',
];

/** True when `text` names a bus a machine can have. */
export function isMachineBus(text: string): text is MachineBus {
  return machineBuses.some((bus) => bus === text);
}

/** One disk of a machine, in the order the guest shall find them. */
export interface MachineDisk {
  /** QEMU's description of the image with every layer by explicit driver; nothing in it is guessed or followed. */
  readonly blockdev: Readonly<Record<string, unknown>>;
  readonly bus: MachineBus;
  /** Lowest boots first; null = not tried. */
  readonly bootIndex: number | null;
  /** At most 20 characters reach the guest. */
  readonly serial: string;
}

/** One network interface of a machine, on a user-mode network without a way out. */
export interface MachineNic {
  readonly mac: string;
  /** QEMU's device name: `virtio-net-pci`, `vmxnet3`, `e1000e` … */
  readonly model: string;
  /** Expected addresses in CIDR notation: they shape the network; empty = DHCP. */
  readonly addresses: readonly string[];
  /** Hot-plug slot number the guest sees; some guests name their interface after it (`ens192`). */
  readonly slotNumber?: number;
}

/** A QEMU machine to be. JSON. */
export interface MachineSpec {
  /** Shown by QEMU and checked when a running machine is adopted. */
  readonly name: string;
  readonly cpuCount: number;
  readonly memoryBytes: number;
  readonly firmware: Firmware;
  readonly acceleration: 'kvm' | 'tcg';
  readonly disks: readonly MachineDisk[];
  readonly nics: readonly MachineNic[];
  /** Private folder of this machine: control sockets, serial.log, packet captures, pid. One machine per folder. */
  readonly stateDir: string;
  /** `own` (default): survives its starter. `starter`: the kernel ends it with the process that started it. */
  readonly lifetime?: 'own' | 'starter';
}

/** Names of the files in a machine's folder. */
export const stateFiles = {
  pid: 'pid',
  facts: 'machine.json',
  qmp: 'qmp.sock',
  agent: 'agent.sock',
  serial: 'serial.log',
  firmwareVars: 'vars.fd',
  screen: 'screen.ppm',
} as const;

/** Name of the packet capture of one interface. */
export function captureFile(nicIndex: number): string {
  return `net${nicIndex}.pcap`;
}
