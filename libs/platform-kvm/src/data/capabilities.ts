import type { PlatformCapabilities } from '@ascend/domain';

const readOn = '2026-11-21';

/** What a local QEMU host allows. Limits are those of QEMU 7.2 with a `pc` machine and QCOW2 files of 64 KiB clusters. */
export const kvmCapabilities: PlatformCapabilities = {
  platform: 'kvm',
  firmware: ['bios', 'uefi'],
  maxDisks: {
    value: 20,
    source: 'QEMU pci.0 has 32 slots; bridge, ISA, VGA, serial, SCSI, SATA and 8 network cards take the rest',
    readOn,
  },
  maxDiskBytes: {
    value: 2 ** 51,
    source: 'QEMU block/qcow2.h QCOW_MAX_L1_SIZE 32 MiB; qemu-img create refuses 2 PiB + 64 KiB',
    readOn,
  },
  diskRoundingBytes: 512,
  maxNics: { value: 8, source: 'QEMU net/net.h MAX_NICS', readOn },
  diskBuses: ['virtio-blk', 'virtio-scsi', 'nvme', 'ahci', 'ide', 'pvscsi'],
  nicModels: ['virtio-net-pci', 'e1000e', 'e1000', 'vmxnet3'],
  importShape: 'disks-then-vm',
  resumableTransfer: true,
  maxNameLength: 63,
  namePattern: '^[A-Za-z0-9][A-Za-z0-9._-]*$',
  // The connector starts QEMU with neither enrolled keys nor an emulated TPM.
  secureBoot: false,
  tpm: false,
  architectures: ['x86_64', 'i386', 'i686'],
  ownsMac: false,
  rehearsal: true,
};
