import type { Firmware } from '@ascend/domain';
import { AppError } from '@ascend/errors';

/** What an appliance says about its VM. */
export interface VmDescription {
  readonly name: string;
  readonly cpuCount: number;
  /** null = the importer decides. */
  readonly coresPerSocket: number | null;
  /** A multiple of 1 MiB. */
  readonly memoryBytes: number;
  readonly firmware: Firmware;
  readonly secureBoot: boolean;
  /**
   * The guest: its number in the CIM table of operating systems (1 = other, 36 = Linux, 101 = Linux 64-bit, 103 = Windows Server 64-bit …)
   * and, if known, the identifier that importers use (`debian12_64Guest`).
   */
  readonly os: { readonly cimId: number; readonly guestId: string | null; readonly description: string };
  /** In order; the first one boots. */
  readonly disks: readonly { readonly sizeBytes: number }[];
  readonly scsiModel: 'lsilogic' | 'lsilogicsas' | 'VirtualSCSI';
  readonly nics: readonly {
    readonly network: string;
    /** null = the importer gives one. */
    readonly mac: string | null;
    readonly model: 'VmxNet3' | 'E1000e' | 'E1000';
  }[];
  readonly notes: string | null;
  /** Virtual hardware family, e.g. `vmx-13`, the first one with UEFI secure boot. */
  readonly systemType: string;
}

/** Disks of one SCSI controller: 16 places, of which the controller takes number 7. */
export const disksPerController = 15;
const maxControllers = 4;
const maxNics = 10;
const mib = 1024 * 1024;

function invalid(problem: string): AppError {
  return new AppError({ code: 'DISK_OVF_INVALID', message: `describe VM: ${problem}` });
}

function isWhole(value: number, least: number, most: number): boolean {
  return Number.isSafeInteger(value) && value >= least && value <= most;
}

function machineProblem(vm: VmDescription): string | null {
  const { cpuCount, coresPerSocket, memoryBytes } = vm;
  if (vm.name.trim() === '') return 'it has no name';
  if (!isWhole(cpuCount, 1, 4096)) return `${cpuCount} CPUs`;
  if (coresPerSocket !== null && (!isWhole(coresPerSocket, 1, cpuCount) || cpuCount % coresPerSocket !== 0))
    return `${coresPerSocket} cores a socket do not divide ${cpuCount} CPUs`;
  if (!isWhole(memoryBytes, mib, 2 ** 50) || memoryBytes % mib !== 0)
    return `${memoryBytes} bytes of memory are no multiple of 1 MiB`;
  if (vm.secureBoot && vm.firmware !== 'uefi') return 'secure boot needs UEFI';
  if (!isWhole(vm.os.cimId, 0, 65_535)) return `${vm.os.cimId} is no number of an operating system`;
  return /^[A-Za-z0-9-]{1,32}$/.test(vm.systemType) ? null : 'the hardware family is no identifier';
}

function deviceProblem({ disks, nics }: VmDescription): string | null {
  const most = disksPerController * maxControllers;
  if (disks.length === 0 || disks.length > most)
    return `${disks.length} disks; 1 to ${most} can be described`;
  const badDisk = disks.find(({ sizeBytes }) => !isWhole(sizeBytes, 512, 2 ** 53) || sizeBytes % 512 !== 0);
  if (badDisk !== undefined) return `a disk of ${badDisk.sizeBytes} bytes, no multiple of 512`;
  if (nics.length > maxNics) return `${nics.length} network interfaces; ${maxNics} can be described`;
  const badNic = nics.find(({ mac }) => mac !== null && !/^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(mac));
  if (badNic !== undefined) return `${JSON.stringify(badNic.mac)} is no hardware address`;
  return nics.some(({ network }) => network === '') ? 'a network without a name' : null;
}

/**
 * Refuses facts that no descriptor can hold.
 *
 * @throws {AppError} DISK_OVF_INVALID
 */
export function checkVmDescription(vm: VmDescription): void {
  const problem = machineProblem(vm) ?? deviceProblem(vm);
  if (problem !== null) throw invalid(problem);
}

/** A VM's name as a file name without extension: at most 60 characters that no file system or archive refuses. */
export function fileBaseName(vmName: string): string {
  const plain = vmName
    .normalize('NFKD')
    .replaceAll(/\p{M}+/gu, '')
    .replaceAll(/[^A-Za-z0-9._-]+/g, '-')
    .replaceAll(/^[.-]+|[.-]+$/g, '')
    .slice(0, 60);
  return plain === '' ? 'vm' : plain;
}
