import { createHash } from 'node:crypto';
import type { WindowsFacts } from '@ascend/domain';
import type { ChosenDriver } from '../drivers/chooseDriver.ts';
import type { HiveName, RegistryEdit } from '../registry/registryEdit.ts';
import type { RegistryData } from '../registry/registryValue.ts';

/** PROCESSOR_ARCHITECTURE_* numbers (winnt.h). */
const archNumbers = { x86: 0, amd64: 9, arm64: 12 } as const;
/** 1601-01-01 to 1970-01-01 in milliseconds. */
const filetimeEpochMs = 11_644_473_600_000n;

function guidBytes(guid: string): Buffer {
  const hex = guid.replaceAll(/[{}-]/g, '');
  const bytes = Buffer.from(hex.padEnd(32, '0').slice(0, 32), 'hex');
  // The first three fields of a GUID are stored little-endian.
  return Buffer.concat([
    bytes.subarray(0, 4).toReversed(),
    bytes.subarray(4, 6).toReversed(),
    bytes.subarray(6, 8).toReversed(),
    bytes.subarray(8),
  ]);
}

function filetime(date: string): bigint {
  const [month, day, year] = date.split('/').map(Number);
  if (month === undefined || day === undefined || year === undefined) return 0n;
  return (BigInt(Date.UTC(year, month - 1, day)) + filetimeEpochMs) * 10_000n;
}

/** The `Version` value of a driver package: architecture, class, date and version of the driver, 48 bytes. */
function packageVersion(driver: ChosenDriver, arch: NonNullable<WindowsFacts['arch']>): string {
  const { classGuid, date, version } = driver.package;
  const bytes = Buffer.alloc(48);
  bytes.writeUInt8(0xff, 1);
  bytes.writeUInt8(archNumbers[arch], 2);
  guidBytes(classGuid).copy(bytes, 8);
  bytes.writeBigUInt64LE(filetime(date), 24);
  const words = version === '' ? [] : version.split('.').map(Number);
  for (const [index, word] of words.entries()) bytes.writeUInt16LE(Math.min(word, 0xffff), 38 - index * 2);
  return bytes.toString('hex');
}

/** Name of a package in the driver database: INF, architecture and a hash of what the INF is. */
function packageLabel(driver: ChosenDriver, arch: string): string {
  const { infName, version, date } = driver.package;
  const hash = createHash('sha256').update(`${infName}\0${version}\0${date}`).digest('hex').slice(0, 16);
  return `${infName.toLowerCase()}_${arch}_${hash}`;
}

/** Bus and device of a hardware id: `PCI\VEN_1AF4&DEV_1001` is below the key `PCI`. */
function isKeyPath(id: string): boolean {
  return /^[\w]+\\[\w&.#-]+$/.test(id);
}

/**
 * Entries that map the hardware of a driver to its service before any driver installation ran: `DriverDatabase` of
 * Windows 8 and later (layout as in guests where Windows had installed such drivers itself, seen 2026-11).
 */
export function driverDatabaseEdits(
  driver: ChosenDriver,
  hive: HiveName,
  arch: NonNullable<WindowsFacts['arch']>,
): readonly RegistryEdit[] {
  const { package: found, matches } = driver;
  const inf = found.infName.toLowerCase();
  const label = packageLabel(driver, arch);
  const reason = `Windows must know at boot that ${found.service?.name ?? inf} drives this device`;
  const set = (key: string, name: string, value: RegistryData): RegistryEdit => ({
    kind: 'set-registry-value',
    hive,
    key: `DriverDatabase\\${key}`,
    name,
    value,
    reason,
  });
  const ids = matches.filter((match) => isKeyPath(match.id));
  const section = ids[0]?.installSection ?? '';
  const configuration = section.replace(/\.NT\w*$/i, '').toLowerCase();
  const base = `DriverPackages\\${label}`;
  return [
    set(`DriverInfFiles\\${inf}`, '', { type: 'REG_MULTI_SZ', data: [label] }),
    set(`DriverInfFiles\\${inf}`, 'Active', { type: 'REG_SZ', data: label }),
    set(`DriverInfFiles\\${inf}`, 'Configurations', { type: 'REG_MULTI_SZ', data: [configuration] }),
    // The second byte is the match rank's type: 1 = the device's own id, 2 = a compatible one.
    ...ids.map((match) =>
      set(`DeviceIds\\${match.id}`, inf, { type: 'REG_BINARY', data: match.exact ? '01ff0000' : '02ff0000' }),
    ),
    set(base, '', { type: 'REG_SZ', data: inf }),
    set(base, 'InfName', { type: 'REG_SZ', data: inf }),
    set(base, 'Provider', { type: 'REG_SZ', data: found.provider }),
    set(base, 'Version', { type: 'REG_BINARY', data: packageVersion(driver, arch) }),
    set(`${base}\\Configurations\\${configuration}`, 'ConfigFlags', { type: 'REG_DWORD', data: 0 }),
    set(`${base}\\Configurations\\${configuration}`, 'Service', {
      type: 'REG_SZ',
      data: found.service?.name ?? '',
    }),
    ...ids.map((match) =>
      set(`${base}\\Descriptors\\${match.id}`, 'Configuration', { type: 'REG_SZ', data: configuration }),
    ),
  ];
}

/** The same for Windows 7 and Server 2008 R2: `CriticalDeviceDatabase` of every control set. */
export function criticalDeviceEdits(
  driver: ChosenDriver,
  controlSets: readonly string[],
): readonly RegistryEdit[] {
  const { package: found, matches } = driver;
  const service = found.service?.name ?? '';
  const reason = `Windows must know at boot that ${service} drives this device`;
  return controlSets.flatMap((set) =>
    matches
      .filter((match) => isKeyPath(match.id))
      .flatMap((match): readonly RegistryEdit[] => {
        const key = `${set}\\Control\\CriticalDeviceDatabase\\${match.id.replace('\\', '#')}`;
        const place = { kind: 'set-registry-value', hive: 'SYSTEM', key, reason } as const;
        return [
          { ...place, name: 'ClassGUID', value: { type: 'REG_SZ', data: found.classGuid } },
          { ...place, name: 'Service', value: { type: 'REG_SZ', data: service } },
        ];
      }),
  );
}
