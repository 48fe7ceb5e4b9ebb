import type { WindowsControlSetFacts, WindowsFacts, WindowsServiceFacts } from '@ascend/domain';
import type { GuestFiles } from '../../guestFiles.ts';
import type { Hive, HiveKey } from '../registry/hive.ts';
import { listKeys, readDword, readText } from '../registry/registryValue.ts';
import { findPath } from '../windowsFiles.ts';

/** Groups whose drivers bring up disks and networks (key `Group` of a service). */
const deviceGroups = new Set(['scsi miniport', 'system bus extender', 'boot bus extender', 'ndis', 'base']);
const maxServices = 20_000;
/** SERVICE_WIN32_OWN_PROCESS and SERVICE_WIN32_SHARE_PROCESS. */
const programTypes = 0x30;

/** Path of a service's file on the Windows volume; null when it cannot be told. */
function filePathOf(imagePath: string | null, service: string, systemRoot: string): string | null {
  if (imagePath === null || imagePath === '') return `${systemRoot}/System32/drivers/${service}.sys`;
  const plain = imagePath
    .replace(/^"([^"]*)".*$/, '$1')
    .replace(/^(\\\?\?\\)?[A-Za-z]:\\/, '')
    .replace(/^\\?(%SystemRoot%|SystemRoot)\\/i, `${systemRoot}/`)
    .replaceAll('\\', '/');
  const path = /^system32\//i.test(plain) ? `${systemRoot}/${plain}` : plain;
  return /\.sys$/i.test(path) ? path : null;
}

/** Programs that start by themselves, or were switched off: the agents of platforms are among them. */
function isAgentLike(key: HiveKey): boolean {
  const start = readDword(key, 'Start');
  return ((readDword(key, 'Type') ?? 0) & programTypes) !== 0 && (start === 2 || start === 4);
}

async function readService(
  files: GuestFiles,
  key: HiveKey,
  systemRoot: string,
): Promise<WindowsServiceFacts> {
  const imagePath = readText(key, 'ImagePath');
  const type = readDword(key, 'Type');
  const path = type === 1 || type === 2 ? filePathOf(imagePath, key.name, systemRoot) : null;
  return {
    name: key.name,
    start: readDword(key, 'Start'),
    type,
    imagePath,
    group: readText(key, 'Group'),
    startOverride: key.subkey('StartOverride') !== null,
    filePresent: path === null ? null : (await findPath(files, path)) !== null,
  };
}

/**
 * Every control set with the services that bring up disks and networks, and those named in `wanted`.
 *
 * @throws {AppError} GUEST_HIVE_CORRUPT
 */
export async function readControlSets(params: {
  readonly files: GuestFiles;
  readonly system: Hive;
  readonly systemRoot: string;
  /** Names of further services, in upper case. */
  readonly wanted: ReadonlySet<string>;
}): Promise<readonly WindowsControlSetFacts[]> {
  const { files, system, systemRoot, wanted } = params;
  const sets: WindowsControlSetFacts[] = [];
  for (const name of listKeys(system, '').filter((key) => /^ControlSet\d{3}$/i.test(key))) {
    const services: WindowsServiceFacts[] = [];
    for (const key of (system.key(`${name}\\Services`)?.subkeys() ?? []).slice(0, maxServices)) {
      const group = readText(key, 'Group')?.toLowerCase() ?? '';
      const isListed = wanted.has(key.name.toUpperCase()) || deviceGroups.has(group) || isAgentLike(key);
      if (!isListed) continue;
      services.push(await readService(files, key, systemRoot));
    }
    sets.push({ name, services });
  }
  return sets;
}

/** The key `Select`: which control set Windows boots. */
export function readSelect(system: Hive): WindowsFacts['select'] {
  const key = system.key('Select');
  return {
    current: readDword(key, 'Current'),
    default: readDword(key, 'Default'),
    lastKnownGood: readDword(key, 'LastKnownGood'),
  };
}
