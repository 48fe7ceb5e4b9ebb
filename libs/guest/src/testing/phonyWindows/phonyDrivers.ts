import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** An INF as vendors of virtual disks write them: several architectures, install and service sections. */
export function viostorInf(decoration: string, version: string, date = '01/12/2024'): string {
  return [
    '; made for tests',
    '[Version]',
    'Signature="$WINDOWS NT$"',
    'Class=SCSIAdapter',
    'ClassGuid={4D36E97B-E325-11CE-BFC1-08002BE10318}',
    'Provider=%VENDOR%',
    `DriverVer = ${date},${version}`,
    'CatalogFile=viostor.cat',
    '[SourceDisksNames]',
    '1 = %DiskId%,,,""',
    '[SourceDisksFiles]',
    'viostor.sys = 1,,',
    '[DestinationDirs]',
    'DefaultDestDir = 12 ; drivers',
    '[Manufacturer]',
    `%VENDOR% = VirtioStor,NTx86.6.1,${decoration}`,
    `[VirtioStor.${decoration}]`,
    '%VirtioStor.DeviceDesc% = rhelscsi_inst, PCI\\VEN_1AF4&DEV_1001&SUBSYS_00021AF4&REV_00, PCI\\VEN_1AF4&DEV_1001',
    '%VirtioStor.DeviceDesc% = rhelscsi_inst, PCI\\VEN_1AF4&DEV_1042&SUBSYS_11001AF4&REV_01, PCI\\VEN_1AF4&DEV_1042',
    '[VirtioStor.NTx86.6.1]',
    '%VirtioStor.DeviceDesc% = rhelscsi_inst, PCI\\VEN_1AF4&DEV_1001',
    '[rhelscsi_inst]',
    'CopyFiles=@viostor.sys',
    '[rhelscsi_inst.Services]',
    'AddService=viostor,0x00000002,rhelscsi_service,scsi_EventLog',
    '[rhelscsi_service]',
    'DisplayName = "Red Hat; VirtIO disk"',
    'ServiceType = %SERVICE_KERNEL_DRIVER%',
    'StartType = %SERVICE_BOOT_START%',
    'ErrorControl = 1',
    'ServiceBinary = %12%\\viostor.sys',
    'LoadOrderGroup = SCSI miniport',
    'AddReg = pnpsafe_pci_addreg',
    '[pnpsafe_pci_addreg]',
    'HKR, "Parameters\\PnpInterface", "5", 0x00010001, 0x00000001',
    'HKR, "Parameters", "BusType", %REG_DWORD%, 0x00000001',
    'HKLM, "Software\\Foreign", "x", , "must not be taken"',
    '[Strings]',
    'VENDOR = "Red Hat, Inc."',
    'DiskId = "disk"',
    'VirtioStor.DeviceDesc = "VirtIO SCSI controller"',
    'SERVICE_KERNEL_DRIVER = 1',
    'SERVICE_BOOT_START = 0',
    'REG_DWORD = 0x00010001',
    '',
  ].join('\r\n');
}

/** A network driver: no boot start, binary in the driver store. */
export function netkvmInf(decoration: string, version: string): string {
  return [
    '[version]',
    'Signature = "$Windows NT$"',
    'Class = Net',
    'CatalogFile = netkvm.cat',
    'ClassGUID = {4d36e972-e325-11ce-bfc1-08002be10318}',
    'Provider = %VENDOR%',
    `DriverVer=01/12/2024,${version}`,
    '[Manufacturer]',
    `%VENDOR% = NetKVM,${decoration}`,
    `[NetKVM.${decoration}]`,
    '%kvmnet6.DeviceDesc% = kvmnet6.ndi, PCI\\VEN_1AF4&DEV_1000&SUBSYS_00011AF4&REV_00, PCI\\VEN_1AF4&DEV_1000',
    '[kvmnet6.ndi]',
    'CopyFiles = kvmnet6.CopyFiles',
    '[kvmnet6.ndi.Services]',
    'AddService = netkvm, 2, kvmnet6.Service',
    '[kvmnet6.Service]',
    'ServiceType = 1',
    'StartType = 3',
    'ErrorControl = 1',
    'ServiceBinary = %13%\\netkvm.sys',
    'LoadOrderGroup = NDIS',
    '[SourceDisksFiles]',
    'netkvm.sys = 1,,',
    '[Strings]',
    'VENDOR = "Red Hat, Inc."',
    'kvmnet6.DeviceDesc = "VirtIO Ethernet Adapter"',
    '',
  ].join('\n');
}

/** Folders like those of a virtio-win image; the newest kernel has the oldest driver version, so the folder must decide. */
const packages = [
  ['2k8R2', 'NTamd64.6.1', '61.65.104.5800'],
  ['w7', 'NTamd64.6.1', '61.65.104.5800'],
  ['2k12R2', 'NTamd64.6.3', '63.80.104.21500'],
  ['2k19', 'NTamd64.10.0', '100.95.104.26200'],
  ['2k25', 'NTamd64.10.0', '100.90.104.21500'],
] as const;

/** Writes a folder of driver packages like a virtio-win image has. The drivers are no programs. */
export async function writePhonyDrivers(root: string, date?: string): Promise<void> {
  for (const [os, decoration, version] of packages) {
    for (const [name, inf] of [
      ['viostor', viostorInf(decoration, version, date)],
      ['NetKVM', netkvmInf(decoration, version)],
    ] as const) {
      const folder = join(root, name, os, 'amd64');
      await mkdir(folder, { recursive: true });
      const base = name.toLowerCase();
      await writeFile(join(folder, `${base}.inf`), inf);
      await writeFile(join(folder, `${base}.sys`), `${base} ${os}`);
      await writeFile(join(folder, `${base}.cat`), 'catalog');
    }
  }
}
