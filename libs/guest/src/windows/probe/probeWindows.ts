import { bootControlSet, type WindowsFacts, type WindowsVolumeFacts } from '@ascend/domain';
import type { GuestFiles } from '../../guestFiles.ts';
import type { Hive } from '../registry/hive.ts';
import { readDword, readText } from '../registry/registryValue.ts';
import { findPath, readStart } from '../windowsFiles.ts';
import { agentsOf, type AgentTable } from './agents.ts';
import { programArchitecture } from './architecture.ts';
import { readControlSets, readSelect } from './controlSets.ts';
import { readHibernation } from './hibernation.ts';
import { readInterfaces } from './interfaces.ts';
import { readGuestHive, type GuestHive } from './readHives.ts';

/** What a look at a Windows volume gave. */
export interface ProbedWindows {
  readonly facts: WindowsFacts;
  /** The hives as edits start from them. */
  readonly hives: readonly GuestHive[];
}

type Version = Pick<WindowsFacts, 'productName' | 'edition' | 'installationType' | 'ntVersion' | 'build'>;

function readVersion(software: Hive | undefined): Version {
  const key = software?.key(String.raw`Microsoft\Windows NT\CurrentVersion`) ?? null;
  const [major, minor] = [
    readDword(key, 'CurrentMajorVersionNumber'),
    readDword(key, 'CurrentMinorVersionNumber'),
  ];
  const build = Number(readText(key, 'CurrentBuildNumber') ?? readText(key, 'CurrentBuild') ?? Number.NaN);
  // CurrentVersion stays at 6.3 since Windows 10.
  const ntVersion = major === null ? readText(key, 'CurrentVersion') : `${major}.${minor ?? 0}`;
  return {
    productName: readText(key, 'ProductName'),
    edition: readText(key, 'EditionID'),
    installationType: readText(key, 'InstallationType'),
    ntVersion: /^\d{1,2}\.\d{1,2}$/.test(ntVersion ?? '') ? ntVersion : null,
    build: Number.isInteger(build) ? build : null,
  };
}

/** The folder of the system on its volume, as spelled there; null when there is no Windows. */
async function findSystemRoot(files: GuestFiles): Promise<string | null> {
  for (const name of ['Windows', 'WINNT']) {
    const config = await findPath(files, `/${name}/System32/config`);
    if (config !== null) return config.split('/')[1] ?? null;
  }
  return null;
}

type Settings = Pick<WindowsFacts, 'fastStartup' | 'timeZone' | 'computerName' | 'sanPolicy' | 'interfaces'>;

function readSettings(system: Hive, set: string | null): Settings {
  if (set === null) {
    return { fastStartup: false, timeZone: null, computerName: null, sanPolicy: null, interfaces: [] };
  }
  const control = `${set}\\Control`;
  const zone = system.key(`${control}\\TimeZoneInformation`);
  return {
    fastStartup: readDword(system.key(`${control}\\Session Manager\\Power`), 'HiberbootEnabled') === 1,
    timeZone: readText(zone, 'TimeZoneKeyName') ?? readText(zone, 'StandardName'),
    computerName: readText(system.key(`${control}\\ComputerName\\ComputerName`), 'ComputerName'),
    sanPolicy: readDword(system.key(`${set}\\Services\\partmgr\\Parameters`), 'SanPolicy'),
    interfaces: readInterfaces(system, set),
  };
}

/**
 * Reads what a conversion must know of a Windows from its registry and files: read-only, this project's own readers.
 * null when no Windows is on the volume.
 *
 * @throws {AppError} GUEST_HIVE_CORRUPT, GUEST_FILE_TOO_LARGE
 */
export async function probeWindows(params: {
  readonly files: GuestFiles;
  /** What is known of the volume itself (`readNtfsState`, partition table). */
  readonly volume: WindowsVolumeFacts;
  /** Services to list besides those for disks and networks: what the needs of the target name. */
  readonly services?: readonly string[];
  /** Agents to look for. */
  readonly agents?: AgentTable;
}): Promise<ProbedWindows | null> {
  const { files, volume, services = [], agents = {} } = params;
  const systemRoot = await findSystemRoot(files);
  if (systemRoot === null) return null;
  const config = `/${systemRoot}/System32/config`;
  const system = await readGuestHive(files, config, 'SYSTEM');
  if (system === null) return null;
  const software = await readGuestHive(files, config, 'SOFTWARE');
  const drivers = await readGuestHive(files, config, 'DRIVERS');
  const hives = [system, software, drivers].filter((hive) => hive !== null);
  const agentNames = Object.values(agents).flat();
  const wanted = new Set([...services, ...agentNames].map((name) => name.toUpperCase()));
  const controlSets = await readControlSets({ files, system: system.hive, systemRoot, wanted });
  const select = readSelect(system.hive);
  const bootSet = bootControlSet({ select, controlSets });
  const boot = bootSet?.name ?? null;
  const present = bootSet?.services.map((service) => service.name) ?? [];
  const current = software?.hive.key(String.raw`Microsoft\Windows\CurrentVersion`) ?? null;
  const facts: WindowsFacts = {
    ...readVersion(software?.hive),
    arch: programArchitecture(await readStart(files, `/${systemRoot}/System32/cmd.exe`, 4096)),
    systemRoot,
    select,
    controlSets,
    hives: hives.map((hive) => hive.facts),
    agents: agentsOf(agents, present),
    hibernation: await readHibernation(files),
    volume,
    ...readSettings(system.hive, boot),
    devicePath: readText(current, 'DevicePath'),
  };
  return { facts, hives };
}
