import type { VmDescription } from '../ova/vmDescription.ts';

/** A VM with two disks and something of everything. */
export function sampleVm(): VmDescription {
  return {
    name: 'web & <db> 01',
    cpuCount: 4,
    coresPerSocket: 2,
    memoryBytes: 2 * 1024 ** 3,
    firmware: 'uefi',
    secureBoot: true,
    os: { cimId: 101, guestId: 'debian10_64Guest', description: 'Debian 12' },
    disks: [{ sizeBytes: 64 * 1024 ** 2 }, { sizeBytes: 10 * 1024 ** 2 }],
    scsiModel: 'VirtualSCSI',
    nics: [
      { network: 'LAN <1> & "co"', mac: '52:54:00:AA:BB:CC', model: 'VmxNet3' },
      { network: 'backup', mac: null, model: 'E1000e' },
    ],
    notes: 'restored\nfrom a backup',
    systemType: 'vmx-13',
  };
}
