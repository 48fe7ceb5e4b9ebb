import { chooseNeeds, type Firmware, type GuestNeeds, type GuestNeedsVariant } from '@ascend/domain';
import type { MachineBus } from '@ascend/guest';
import { awsGuestNeeds } from '@ascend/platform-aws/data';
import { azureGuestNeeds } from '@ascend/platform-azure/data';
import { cloudstackGuestNeeds } from '@ascend/platform-cloudstack/data';
import { kvmHardware } from '@ascend/platform-kvm/data';
import { nutanixGuestNeeds } from '@ascend/platform-nutanix/data';
import { vmwareGuestNeeds } from '@ascend/platform-vmware/data';

/** One platform as the matrix rehearses it: its data, and the emulator's hardware that stands for its own. */
interface MatrixTarget {
  readonly variants: readonly GuestNeedsVariant[];
  /** The emulator's card. */
  readonly nicModel: string;
  /** False: the emulator has no such card, so there is no address to be judged. */
  readonly hasNic: boolean;
  /** The platform's own words for the buses of the emulator that it has. */
  readonly buses: Partial<Readonly<Record<MachineBus, string>>>;
}

/** Every platform whose disk controllers the emulator has. Hyper-V and Xen instances have none of them. */
const targets = {
  kvm: {
    variants: kvmHardware.needs,
    nicModel: 'virtio-net-pci',
    hasNic: true,
    buses: {
      'virtio-blk': 'virtio-blk',
      'virtio-scsi': 'virtio-scsi',
      nvme: 'nvme',
      ahci: 'ahci',
      ide: 'ide',
      pvscsi: 'pvscsi',
    },
  },
  vmware: {
    variants: vmwareGuestNeeds,
    nicModel: 'vmxnet3',
    hasNic: true,
    buses: { pvscsi: 'pvscsi', ahci: 'ahci', nvme: 'nvme', ide: 'ide' },
  },
  cloudstack: {
    variants: cloudstackGuestNeeds,
    nicModel: 'virtio-net-pci',
    hasNic: true,
    buses: { 'virtio-blk': 'virtio', 'virtio-scsi': 'scsi', ahci: 'sata', ide: 'ide' },
  },
  nutanix: {
    variants: nutanixGuestNeeds,
    nicModel: 'virtio-net-pci',
    hasNic: true,
    buses: { 'virtio-blk': 'pci', 'virtio-scsi': 'scsi', ahci: 'sata', ide: 'ide' },
  },
  // ENA and the VMBus cannot be emulated: the card is a stand-in that the guest is not prepared for.
  aws: { variants: awsGuestNeeds, nicModel: 'virtio-net-pci', hasNic: false, buses: { nvme: 'nvme' } },
  azure: { variants: azureGuestNeeds, nicModel: 'virtio-net-pci', hasNic: false, buses: { nvme: 'nvme' } },
} as const satisfies Record<string, MatrixTarget>;

/** The platform whose data a cell is converted with. */
export type MatrixTargetName = keyof typeof targets;

/** What a guest is converted for, and the card it then finds. */
export interface TargetHardware {
  readonly needs: GuestNeeds;
  readonly nicModel: string;
  readonly hasNic: boolean;
}

/** The data of a platform for one disk bus. @throws {Error} when the platform has no such hardware */
export function targetHardware(name: MatrixTargetName, bus: MachineBus, firmware: Firmware): TargetHardware {
  const target: MatrixTarget = targets[name];
  const diskBus = target.buses[bus];
  const variant = diskBus === undefined ? null : chooseNeeds(target.variants, { firmware, diskBus });
  if (variant === null) throw new Error(`${name} has no ${bus} disks with ${firmware}`);
  return { needs: variant.needs, nicModel: target.nicModel, hasNic: target.hasNic };
}
