import type { PlannedDisk, PlannedNic, VmSpec } from '@ascend/domain';

/** A small VM with one disk per size; `overrides` replaces fields. */
export function sampleVm(params: {
  readonly name: string;
  readonly disks: readonly PlannedDisk[];
  readonly nics: readonly PlannedNic[];
}): VmSpec {
  return {
    name: params.name,
    cpuCount: 1,
    coresPerSocket: null,
    memoryBytes: 128 * 1024 * 1024,
    firmware: 'bios',
    secureBoot: false,
    tpm: false,
    disks: params.disks.map((disk) => ({
      diskIndex: disk.diskIndex,
      sizeBytes: disk.targetSizeBytes,
      bus: disk.bus,
      bootOrder: disk.boot ? 0 : null,
      vmwareDiskKey: null,
    })),
    nics: params.nics.map((nic) => ({
      nicIndex: nic.nicIndex,
      mac: nic.mac,
      network: nic.network,
      model: nic.model,
      addresses: nic.addresses,
    })),
    osId: null,
    notes: null,
    tags: { owner: 'tests' },
  };
}

/** A planned disk of `sizeBytes`; index 0 is the boot disk. */
export function sampleDisk(params: {
  readonly diskIndex: number;
  readonly sizeBytes: number;
  readonly storage: string;
  readonly bus: string;
}): PlannedDisk {
  return {
    diskIndex: params.diskIndex,
    targetSizeBytes: params.sizeBytes,
    bytesToMove: params.sizeBytes,
    bus: params.bus,
    storage: params.storage,
    boot: params.diskIndex === 0,
  };
}

/** A planned network card that keeps a MAC. */
export function sampleNic(params: { readonly network: string; readonly model: string }): PlannedNic {
  return {
    nicIndex: 0,
    mac: '00:50:56:aa:bb:01',
    model: params.model,
    network: params.network,
    guestName: 'ens192',
    addresses: ['10.0.2.77/24'],
    rule: 'keep-mac-and-address',
  };
}
