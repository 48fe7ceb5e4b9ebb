import type { VmSpec } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import type { VmDescription } from './vmDescription.ts';

type Os = VmDescription['os'];

// Numbers: CIM_OperatingSystem.OSType, DMTF CIM schema 2.22. Identifiers: only such as hosts of the virtual hardware family below know; one that a
// host does not know makes it refuse the import.
const osTable: readonly (readonly [RegExp, Omit<Os, 'description'>])[] = [
  [/^ubuntu/, { cimId: 94, guestId: 'ubuntu64Guest' }],
  [/^debian/, { cimId: 96, guestId: 'debian10_64Guest' }],
  [/^(rhel|redhat)/, { cimId: 80, guestId: 'rhel7_64Guest' }],
  [/^centos/, { cimId: 107, guestId: 'centos7_64Guest' }],
  [/^sles/, { cimId: 85, guestId: 'sles12_64Guest' }],
  [/^windows.*server/, { cimId: 102, guestId: 'windows9Server64Guest' }],
  [/^windows/, { cimId: 102, guestId: 'windows9_64Guest' }],
];
const linux: Omit<Os, 'description'> = { cimId: 101, guestId: 'otherLinux64Guest' };
const unknown: Omit<Os, 'description'> = { cimId: 102, guestId: 'otherGuest64' };
const linuxNames = /^(rocky|alma|ol|oracle|fedora|arch|alpine|amzn|opensuse|suse|linux|kali|gentoo)/;

function osOf(osId: string | null): Os {
  const id = osId?.toLowerCase() ?? '';
  const found = osTable.find(([pattern]) => pattern.test(id))?.[1];
  return { ...(found ?? (linuxNames.test(id) ? linux : unknown)), description: osId ?? 'unknown' };
}

function scsiModelOf(spec: VmSpec): VmDescription['scsiModel'] {
  const bus = spec.disks.find((disk) => disk.bus !== null)?.bus?.toLowerCase() ?? '';
  if (/sas/.test(bus)) return 'lsilogicsas';
  if (/lsi/.test(bus)) return 'lsilogic';
  if (/pvscsi|paravirtual/.test(bus)) return 'VirtualSCSI';
  // Windows brings a driver for this one.
  return /^windows/i.test(spec.osId ?? '') ? 'lsilogicsas' : 'VirtualSCSI';
}

function nicModelOf(model: string | null, isWindows: boolean): VmDescription['nics'][number]['model'] {
  const name = model?.toLowerCase() ?? '';
  if (name === 'e1000e') return 'E1000e';
  if (name === 'e1000') return 'E1000';
  return isWindows && name !== 'vmxnet3' ? 'E1000e' : 'VmxNet3';
}

function remarksOf(spec: VmSpec, diskBytes: readonly number[]): string[] {
  const ordered = spec.disks.toSorted((a, b) => a.diskIndex - b.diskIndex);
  const resized = ordered.flatMap(({ sizeBytes }, index) => {
    const actual = diskBytes[index];
    // 0: the specification does not tell, as many formats do not.
    return actual === undefined || actual === sizeBytes || sizeBytes === 0
      ? []
      : [
          `disk ${index + 1} is described with ${actual} bytes as its chain has, not ${sizeBytes} as the specification`,
        ];
  });
  return [
    ...resized,
    ...(spec.tpm ? ['the descriptor names no TPM: add one after the import'] : []),
    'nothing in the guest was changed: it must bring drivers for the controllers that the descriptor names',
  ];
}

/**
 * Describes a VM for an appliance: the specification with the disks that are really there, in their order. `remarks` tell what an
 * operator should know. Pure.
 *
 * @throws {AppError} DISK_OVF_INVALID - the specification names another number of disks
 */
export function describeVm(
  spec: VmSpec,
  diskBytes: readonly number[],
): { readonly vm: VmDescription; readonly remarks: readonly string[] } {
  if (spec.disks.length > 0 && spec.disks.length !== diskBytes.length) {
    throw new AppError({
      code: 'DISK_OVF_INVALID',
      message: `describe VM ${spec.name}: the specification names ${spec.disks.length} disks, ${diskBytes.length} are given`,
      details: { specified: spec.disks.length, given: diskBytes.length },
      hint: 'Name the top file of every disk of the VM, in the order of the specification.',
    });
  }
  const isWindows = /^windows/i.test(spec.osId ?? '');
  const { name, cpuCount, coresPerSocket, memoryBytes, firmware, secureBoot, notes } = spec;
  return {
    vm: {
      name,
      cpuCount,
      coresPerSocket,
      memoryBytes,
      firmware,
      secureBoot,
      os: osOf(spec.osId),
      disks: diskBytes.map((sizeBytes) => ({ sizeBytes })),
      scsiModel: scsiModelOf(spec),
      nics: spec.nics
        .toSorted((a, b) => a.nicIndex - b.nicIndex)
        .map((nic) => ({
          network: nic.network ?? 'VM Network',
          mac: nic.mac,
          model: nicModelOf(nic.model, isWindows),
        })),
      notes,
      systemType: 'vmx-13',
    },
    remarks: remarksOf(spec, diskBytes),
  };
}
