import { buildHive, type HiveTree, type KeyValues } from './buildHive.ts';
import type { FileTree } from './memoryFiles.ts';

/** What tells one Windows from another in its registry. */
export interface PhonyVersion {
  readonly productName: string;
  readonly installationType: 'Client' | 'Server';
  readonly ntVersion: string;
  readonly build: number;
  /** Where the driver database is; Windows 7 has none. */
  readonly driverDatabase: readonly ('SYSTEM' | 'DRIVERS')[];
  /** Drivers for disks that this Windows ships, with their `Start` in an installation on another platform. */
  readonly inbox: Readonly<Record<string, number>>;
}

const modernInbox = { storahci: 3, stornvme: 3, storvsc: 3, vmbus: 3, LSI_SAS: 0, intelide: 3, atapi: 0 };

/** Versions a test can make, by the names virtio-win uses. */
export const phonyVersions = {
  w7: {
    productName: 'Windows 7 Professional',
    installationType: 'Client',
    ntVersion: '6.1',
    build: 7601,
    driverDatabase: [],
    inbox: { msahci: 3, intelide: 3, atapi: 0, LSI_SAS: 0, storvsc: 3, vmbus: 3 },
  },
  '2k8R2': {
    productName: 'Windows Server 2008 R2 Standard',
    installationType: 'Server',
    ntVersion: '6.1',
    build: 7601,
    driverDatabase: [],
    inbox: { msahci: 3, intelide: 3, atapi: 0, LSI_SAS: 0, storvsc: 3, vmbus: 3 },
  },
  '2k12R2': {
    productName: 'Windows Server 2012 R2 Standard',
    installationType: 'Server',
    ntVersion: '6.3',
    build: 9600,
    driverDatabase: ['SYSTEM'],
    inbox: modernInbox,
  },
  '2k19': {
    productName: 'Windows Server 2019 Standard',
    installationType: 'Server',
    ntVersion: '10.0',
    build: 17763,
    driverDatabase: ['SYSTEM', 'DRIVERS'],
    inbox: modernInbox,
  },
  '2k25': {
    productName: 'Windows Server 2025 Datacenter',
    installationType: 'Server',
    ntVersion: '10.0',
    build: 26100,
    driverDatabase: ['SYSTEM', 'DRIVERS'],
    inbox: modernInbox,
  },
} as const satisfies Readonly<Record<string, PhonyVersion>>;

/** Name of a version that can be made. */
export type PhonyName = keyof typeof phonyVersions;

/** GUID of the network card of every phony guest. */
export const phonyNic = '{0C4B5A8E-1D2F-4E3A-9B6C-7D8E9F001122}';
/** Its MAC, which only Windows 10 and later remember. */
export const phonyMac = '00:50:56:aa:bb:01';
const netClass = '{4D36E972-E325-11CE-BFC1-08002BE10318}';

const text = (data: string) => ({ type: 'REG_SZ', data }) as const;
const number = (data: number) => ({ type: 'REG_DWORD', data }) as const;
const texts = (...data: readonly string[]) => ({ type: 'REG_MULTI_SZ', data }) as const;

function driverService(name: string, start: number): KeyValues {
  const path = { type: 'REG_EXPAND_SZ', data: `System32\\drivers\\${name}.sys` } as const;
  return {
    Start: number(start),
    Type: number(1),
    ErrorControl: number(1),
    Group: text('SCSI miniport'),
    ImagePath: path,
  };
}

function controlSet(name: string, version: PhonyVersion): HiveTree {
  const services = Object.entries(version.inbox).map(
    ([service, start]) => [`${name}\\Services\\${service}`, driverService(service, start)] as const,
  );
  const control = `${name}\\Control`;
  const modern = version.build >= 10_240;
  return {
    ...Object.fromEntries(services),
    // Windows 8 and later keep what a driver did not need in this key; it beats Start.
    ...(version.driverDatabase.length > 0
      ? { [`${name}\\Services\\storahci\\StartOverride`]: { '0': number(3) } }
      : { [`${name}\\Control\\CriticalDeviceDatabase\\PCI#CC_0106`]: { Service: text('msahci') } }),
    [`${name}\\Services\\VMTools`]: {
      Start: number(2),
      Type: number(16),
      ImagePath: text('"C:\\Program Files\\VMware\\vmtoolsd.exe"'),
    },
    [`${name}\\Services\\partmgr\\Parameters`]: {},
    [`${name}\\Services\\Tcpip\\Parameters\\Interfaces\\${phonyNic}`]: {
      EnableDHCP: number(0),
      IPAddress: texts('10.0.2.77', '10.0.2.78'),
      SubnetMask: texts('255.255.255.0', '255.255.255.0'),
      DefaultGateway: texts('10.0.2.2'),
      NameServer: text('10.0.2.3,10.0.2.4'),
    },
    [`${control}\\Network\\${netClass}\\${phonyNic}\\Connection`]: { Name: text('Ethernet0') },
    ...(modern
      ? {
          [`${control}\\NetworkSetup2\\Interfaces\\${phonyNic}\\Kernel`]: {
            CurrentAddress: { type: 'REG_BINARY', data: phonyMac.replaceAll(':', '') } as const,
          },
        }
      : {}),
    [`${control}\\Session Manager\\Power`]: { HiberbootEnabled: number(0) },
    [`${control}\\TimeZoneInformation`]: { TimeZoneKeyName: text('W. Europe Standard Time') },
    [`${control}\\ComputerName\\ComputerName`]: { ComputerName: text('PHONY') },
  };
}

function software(version: PhonyVersion): HiveTree {
  const modern = version.build >= 10_240;
  return {
    'Microsoft\\Windows NT\\CurrentVersion': {
      ProductName: text(version.productName),
      EditionID: text('ServerStandard'),
      InstallationType: text(version.installationType),
      CurrentVersion: text(modern ? '6.3' : version.ntVersion),
      CurrentBuildNumber: text(String(version.build)),
      ...(modern ? { CurrentMajorVersionNumber: number(10), CurrentMinorVersionNumber: number(0) } : {}),
    },
    'Microsoft\\Windows\\CurrentVersion': {
      DevicePath: { type: 'REG_EXPAND_SZ', data: '%SystemRoot%\\inf' },
    },
  };
}

/** The start of a program for a 64-bit Windows. */
export function phonyProgram(machine = 0x8664): Buffer {
  const bytes = Buffer.alloc(512);
  bytes.write('MZ', 0, 'latin1');
  bytes.writeUInt32LE(0x80, 0x3c);
  bytes.write('PE\0\0', 0x80, 'latin1');
  bytes.writeUInt16LE(machine, 0x84);
  return bytes;
}

/** Changes to a phony guest. */
export interface PhonyOptions {
  /** Further keys of the SYSTEM hive. */
  readonly system?: HiveTree;
  /** Further files by absolute path. */
  readonly files?: Readonly<Record<string, Buffer>>;
}

/** All files of a phony Windows: hives as its version has them, drivers it ships. It can be edited, never booted. */
export function phonyWindows(name: PhonyName, options: PhonyOptions = {}): FileTree {
  const version: PhonyVersion = phonyVersions[name];
  const config = '/Windows/System32/config';
  const database = { 'DriverDatabase\\DriverInfFiles': {}, 'DriverDatabase\\DriverPackages': {} };
  const system: HiveTree = {
    Select: { Current: number(1), Default: number(1), LastKnownGood: number(2), Failed: number(0) },
    MountedDevices: { '\\DosDevices\\C:': { type: 'REG_BINARY', data: '0011223300001000' } },
    ...controlSet('ControlSet001', version),
    ...controlSet('ControlSet002', version),
    ...(version.driverDatabase.includes('SYSTEM') ? database : {}),
    ...options.system,
  };
  const drivers = Object.keys(version.inbox).map(
    (driver) => [`/Windows/System32/drivers/${driver.toLowerCase()}.sys`, Buffer.from(driver)] as const,
  );
  return new Map([
    [`${config}/SYSTEM`, buildHive(system)],
    [`${config}/SOFTWARE`, buildHive(software(version))],
    ...(version.driverDatabase.includes('DRIVERS')
      ? [[`${config}/DRIVERS`, buildHive(database)] as const]
      : []),
    ['/Windows/System32/cmd.exe', phonyProgram()],
    ...drivers,
    ...Object.entries(options.files ?? {}),
  ]);
}
