import { join } from 'node:path';
import { AppError } from '@ascend/errors';
import {
  captureFile,
  stateFiles,
  type MachineDisk,
  type MachineNic,
  type MachineSpec,
} from './machineSpec.ts';
import { userNetwork } from './userNetwork.ts';

/** UEFI firmware files on this host: the code is shared read-only, the variables are the machine's own copy. */
export interface FirmwareFiles {
  readonly codePath: string;
  readonly varsPath: string;
}

const serialLength = 20;
const ideDisks = 4;

/** Buses whose disks sit on controllers of their own, and how many disks one controller takes. */
const controllers = {
  ahci: { driver: 'ich9-ahci', disks: 6 },
  pvscsi: { driver: 'pvscsi', disks: 60 },
  'virtio-scsi': { driver: 'virtio-scsi-pci', disks: 200 },
} as const;

function json(value: unknown): string {
  return JSON.stringify(value);
}

function invalid(spec: MachineSpec, problem: string): AppError {
  return new AppError({
    code: 'GUEST_MACHINE_SPEC_INVALID',
    message: `put together machine ${spec.name}: ${problem}`,
  });
}

function needsOldChipset(spec: MachineSpec): boolean {
  return spec.disks.some((disk) => disk.bus === 'ide');
}

function machineArguments(spec: MachineSpec, firmware: FirmwareFiles | null): string[] {
  const chipset = needsOldChipset(spec) ? 'pc' : 'q35';
  const flash = firmware === null ? '' : ',pflash0=firmware-code,pflash1=firmware-vars';
  const args = ['-machine', `${chipset},accel=${spec.acceleration}${flash}`];
  args.push('-cpu', spec.acceleration === 'kvm' ? 'host' : 'max', '-smp', String(spec.cpuCount));
  args.push('-m', `${Math.floor(spec.memoryBytes / 1024 ** 2)}M`);
  if (firmware !== null) {
    const flashFile = (nodeName: string, filename: string, readOnly: boolean): string =>
      json({
        driver: 'raw',
        'node-name': nodeName,
        'read-only': readOnly,
        file: { driver: 'file', filename },
      });
    args.push('-blockdev', flashFile('firmware-code', firmware.codePath, true));
    args.push('-blockdev', flashFile('firmware-vars', firmware.varsPath, false));
  }
  return args;
}

/** The disk's place: the `nth` disk of its bus. `first` is the argument list of a controller that has to be added. */
function placeOnController(
  bus: keyof typeof controllers,
  nth: number,
): { readonly id: string; readonly unit: number; readonly first: readonly string[] } {
  const { driver, disks } = controllers[bus];
  const id = `${bus}${Math.floor(nth / disks)}`;
  const unit = nth % disks;
  return { id, unit, first: unit === 0 ? ['-device', json({ driver, id })] : [] };
}

function diskDevice(spec: MachineSpec, index: number, disk: MachineDisk): readonly string[] {
  const nth = spec.disks.slice(0, index).filter((other) => other.bus === disk.bus).length;
  const base = {
    drive: `disk${index}`,
    serial: disk.serial.slice(0, serialLength),
    ...(disk.bootIndex === null ? {} : { bootindex: disk.bootIndex }),
  };
  const { bus } = disk;
  if (bus === 'virtio-blk') return ['-device', json({ driver: 'virtio-blk-pci', ...base })];
  if (bus === 'nvme') return ['-device', json({ driver: 'nvme', ...base })];
  if (bus === 'ide') {
    if (nth >= ideDisks) throw invalid(spec, `more than ${ideDisks} disks on the ide bus`);
    return ['-device', json({ driver: 'ide-hd', bus: `ide.${Math.floor(nth / 2)}`, unit: nth % 2, ...base })];
  }
  const { id, unit, first } = placeOnController(bus, nth);
  const place =
    bus === 'ahci'
      ? { driver: 'ide-hd', bus: `${id}.${unit}` }
      : { driver: 'scsi-hd', bus: `${id}.0`, 'scsi-id': unit };
  return [...first, '-device', json({ ...place, ...base })];
}

function diskArguments(spec: MachineSpec): string[] {
  return spec.disks.flatMap((disk, index) => [
    '-blockdev',
    json({ ...disk.blockdev, 'node-name': `disk${index}` }),
    ...diskDevice(spec, index, disk),
  ]);
}

function nicArguments(spec: MachineSpec, nic: MachineNic, index: number): string[] {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(nic.mac)) throw invalid(spec, `nic ${index} has MAC ${nic.mac}`);
  if (!/^[a-z0-9-]+$/.test(nic.model)) throw invalid(spec, `nic ${index} has model ${nic.model}`);
  const net = userNetwork(nic.addresses);
  const id = `net${index}`;
  const settings = [
    `user,id=${id},restrict=on,ipv6=off,net=${net.network},host=${net.host}`,
    `dns=${net.dns},dhcpstart=${net.dhcpStart}`,
  ];
  // No option ROM: nothing boots from this network, and looking for it costs seconds.
  const device = { driver: nic.model, netdev: id, mac: nic.mac, romfile: '' };
  const args = ['-netdev', settings.join(',')];
  if (nic.slotNumber === undefined) args.push('-device', json(device));
  else {
    if (needsOldChipset(spec))
      throw invalid(spec, `nic ${index} has a slot number on a machine with an ide bus`);
    const port = { driver: 'pcie-root-port', id: `port${index}`, chassis: index + 1, slot: nic.slotNumber };
    args.push('-device', json(port), '-device', json({ ...device, bus: port.id }));
  }
  const capture = join(spec.stateDir, captureFile(index));
  args.push(
    '-object',
    json({ 'qom-type': 'filter-dump', id: `dump${index}`, netdev: id, file: capture, maxlen: 512 }),
  );
  return args;
}

function channelArguments(): string[] {
  // Socket names are relative to the machine's folder: a path of more than 107 bytes fits no socket address.
  return [
    '-chardev',
    `file,id=serial0,path=${stateFiles.serial}`,
    '-device',
    json({ driver: 'isa-serial', chardev: 'serial0' }),
    '-chardev',
    `socket,id=qmp,path=${stateFiles.qmp},server=on,wait=off`,
    '-mon',
    'chardev=qmp,mode=control',
    '-chardev',
    `socket,id=agent0,path=${stateFiles.agent},server=on,wait=off`,
    '-device',
    json({ driver: 'virtio-serial-pci', id: 'agent-bus' }),
    '-device',
    json({ driver: 'virtserialport', bus: 'agent-bus.0', chardev: 'agent0', name: 'org.qemu.guest_agent.0' }),
  ];
}

/**
 * The argument array of QEMU for a machine: no defaults, no display, every layer of every disk explicit, a serial console
 * and a guest-agent channel, networks that lead nowhere. To be run with the machine's folder as working directory.
 *
 * @throws {AppError} GUEST_MACHINE_SPEC_INVALID - too many disks on a bus, malformed MAC, model or slot
 */
export function qemuArguments(spec: MachineSpec, firmware: FirmwareFiles | null): readonly string[] {
  const name = `guest=${spec.name.replaceAll(',', ',,')}`;
  const bound = spec.lifetime === 'starter';
  // A daemon is made by fork and setsid: only a machine that stays with its starter can be denied both.
  const sandbox = `on,obsolete=deny,resourcecontrol=deny${bound ? ',elevateprivileges=deny,spawn=deny' : ''}`;
  const hasSlots = spec.nics.some((nic) => nic.slotNumber !== undefined);
  const parts = [
    ['-nodefaults', '-no-user-config', '-name', name, '-display', 'none', '-device', json({ driver: 'VGA' })],
    ['-sandbox', sandbox],
    ['-pidfile', join(spec.stateDir, stateFiles.pid)],
    // Native hot-plug: only there a port's slot number is what the guest reads.
    hasSlots ? ['-global', 'ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off'] : [],
    machineArguments(spec, firmware),
    diskArguments(spec),
    spec.nics.flatMap((nic, index) => nicArguments(spec, nic, index)),
    channelArguments(),
    bound ? [] : ['-daemonize'],
  ];
  return parts.flat();
}
