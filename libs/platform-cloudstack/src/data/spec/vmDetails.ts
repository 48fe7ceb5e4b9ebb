import type { SpecNode } from '@ascend/vm-spec';

/** What the settings (`details`) of a VM say of its hardware. */
export interface VmDetails {
  readonly coresPerSocket: number | null;
  readonly rootController: string | null;
  readonly dataController: string | null;
  readonly nicAdapter: string | null;
  /** `SECURE` or `LEGACY` under the key `UEFI`; null = the key is not there. */
  readonly uefi: string | null;
  readonly tpm: boolean;
}

/** Settings of no meaning on another platform: screen, sizes told elsewhere, secrets, bookkeeping. */
const meaningless = `
  keyboard rootdisksize boot.mode svga.vramSize nestedVirtualizationFlag platform hypervisortoolsversion
  timeoffset kvm.vnc.port kvm.vnc.address smc.present firmware cpuNumber cpuSpeed memory cpuOvercommitRatio
  memoryOvercommitRatio deployvm password Message.ReservedCapacityFreed.Flag SSH.PublicKey SSH.KeyPairNames
  Encrypted.Password video.hardware video.ram virtual.tpm.version io.policy iothreads nic.multiqueue.number
  nic.packed.virtqueues.enabled guest.cpu.mode guest.cpu.model Message.HypervisorType
`
  .trim()
  .split(/\s+/);

/** `osdefault` leaves the choice to the platform. */
function controllerOf(node: SpecNode): string | null {
  const text = node.text()?.toLowerCase() ?? null;
  return text === 'osdefault' ? null : text;
}

/**
 * Keys: `VmDetailConstants` of apache/cloudstack (stored version, read 2026-11-21); the keys of the TPM, of 4.20 and later, from general
 * knowledge.
 */
export function readDetails(details: SpecNode): VmDetails {
  const root = controllerOf(details.child('rootDiskController'));
  const model = details.child('virtual.tpm.model').text();
  const read = {
    coresPerSocket: details.child('cpu.corespersocket').number(),
    rootController: root,
    dataController: controllerOf(details.child('dataDiskController')) ?? root,
    nicAdapter: details.child('nicAdapter').text()?.toLowerCase() ?? null,
    uefi: details.child('UEFI').text()?.toUpperCase() ?? null,
    tpm: details.child('virtual.tpm.enabled').boolean() ?? model !== null,
  };
  details.ignoring(...meaningless);
  return read;
}
