import { stat } from 'node:fs/promises';
import { isAbsolute, join, normalize } from 'node:path';
import { isSubjectId, leastBandwidth } from '@ascend/protocol';
import { AppError } from '@ascend/errors';
import { readSetting, type Setting } from '@ascend/runtime';

/** Everything the agent is told from outside, read once at start. */
export interface Config {
  /** Credentials, ledger and (by default) scratch; mode 700. */
  readonly dir: string;
  readonly scratchDir: string;
  /** Repository id → absolute root folder. Empty = whatever the control plane names. */
  readonly repositories: Readonly<Record<string, string>>;
  /** Where the appliance is kept, tried at start; null = below `dir`, built when a guest first needs it. */
  readonly applianceDir: string | null;
  /** Keys of encrypted volumes, `<LUKS UUID>.key`; null = none. */
  readonly keysDir: string | null;
  /** Operations at once. */
  readonly slots: number;
  /** Bytes per second that all transfers of this agent may move together; null = no cap. */
  readonly bandwidthBytesPerSecond: number | null;
  /** Replaces the addresses from the enrolment; empty = those. */
  readonly natsUrls: readonly string[];
  /** CA certificate of the bus; null = the public ones. */
  readonly caFile: string | null;
  /** What is put into guests: folder or image of Windows drivers, folder of agents' packages. */
  readonly guestSources: {
    readonly windowsDrivers: string | null;
    readonly agentPackages: string | null;
  };
  readonly logLevel: string;
}

function parseRepositories(text: string): Readonly<Record<string, string>> {
  const pairs = text.split(',').map((part) => part.trim());
  const entries = pairs.map((pair): [string, string] => {
    const at = pair.indexOf('=');
    const [id, path] = [pair.slice(0, at), pair.slice(at + 1)];
    if (!isSubjectId(id) || !isAbsolute(path)) throw new Error('not id=/path');
    return [id, normalize(path)];
  });
  return Object.fromEntries(entries);
}

function parseAbsolute(text: string): string {
  if (!isAbsolute(text)) throw new Error('not absolute');
  return normalize(text);
}

function parseSlots(text: string): number {
  const slots = Number(text);
  if (!Number.isInteger(slots) || slots < 1 || slots > 64) throw new Error('not 1-64');
  return slots;
}

function parseBandwidth(text: string): number {
  const [, digits = '', unit = ''] = /^(\d+)([kmg]?)$/i.exec(text) ?? [];
  const rate = Number(digits) * 1024 ** ['', 'k', 'm', 'g'].indexOf(unit.toLowerCase());
  if (digits === '' || !Number.isSafeInteger(rate) || rate < leastBandwidth.agent)
    throw new Error('not 64K or more');
  return rate;
}

function parseUrls(text: string): readonly string[] {
  const urls = text.split(',').map((part) => part.trim());
  for (const url of urls) {
    if (!/^(nats|tls|ws|wss):$/.test(new URL(url).protocol)) throw new Error('not a nats URL');
  }
  return urls;
}

function parseLevel(text: string): string {
  if (!['debug', 'info', 'warn', 'error'].includes(text)) throw new Error('not a level');
  return text;
}

const settings = {
  dir: {
    name: 'ASCEND_AGENT_DIR',
    about: 'absolute folder for credentials, ledger and scratch (mode 700)',
    parse: parseAbsolute,
  } satisfies Setting<string>,
  scratch: {
    name: 'ASCEND_AGENT_SCRATCH',
    about:
      'absolute folder for overlays and other large temporary files; default: scratch in ASCEND_AGENT_DIR',
    fallback: '',
    parse: parseAbsolute,
  } satisfies Setting<string>,
  repositories: {
    name: 'ASCEND_AGENT_REPOSITORIES',
    about: 'id=/path,id=/path: the only folders backups are read from; unset = those the control plane names',
    fallback: {} as Readonly<Record<string, string>>,
    parse: parseRepositories,
  } satisfies Setting<Readonly<Record<string, string>>>,
  appliance: {
    name: 'ASCEND_AGENT_APPLIANCE_DIR',
    about:
      'absolute folder that keeps the libguestfs appliance (1 GB); it is then tried at start. Default: appliance in ASCEND_AGENT_DIR, built when first needed',
    fallback: '',
    parse: parseAbsolute,
  } satisfies Setting<string>,
  keys: {
    name: 'ASCEND_AGENT_KEYS_DIR',
    about:
      'absolute folder (mode 700) with keys of encrypted guest volumes: <LUKS UUID>.key, one line, mode 600; unset = none',
    fallback: '',
    parse: parseAbsolute,
  } satisfies Setting<string>,
  slots: {
    name: 'ASCEND_AGENT_SLOTS',
    about: 'step operations at once, 1-64',
    fallback: 4,
    parse: parseSlots,
  } satisfies Setting<number>,
  bandwidth: {
    name: 'ASCEND_AGENT_BANDWIDTH',
    about:
      'bytes per second for all transfers together, 64K or more (K, M, G: powers of 1024); unset = no cap',
    fallback: null,
    parse: parseBandwidth,
  } satisfies Setting<number | null>,
  nats: {
    name: 'ASCEND_AGENT_NATS_URLS',
    about: 'comma-separated URLs of the bus; default: those of the enrolment',
    fallback: [] as readonly string[],
    parse: parseUrls,
  } satisfies Setting<readonly string[]>,
  ca: {
    name: 'ASCEND_AGENT_CA_FILE',
    about: 'certificate of a private authority that the bus is checked against',
    fallback: '',
    parse: parseAbsolute,
  } satisfies Setting<string>,
  windowsDrivers: {
    name: 'ASCEND_AGENT_WINDOWS_DRIVERS',
    about:
      'folder of driver packages or virtio-win ISO image for Windows guests; must be there; read again for each restore',
    fallback: '',
    parse: parseAbsolute,
  } satisfies Setting<string>,
  packages: {
    name: 'ASCEND_AGENT_PACKAGES',
    about: "folder with packages of the targets' guest agents (.deb, .rpm, .msi, .exe, .cab); must be there",
    fallback: '',
    parse: parseAbsolute,
  } satisfies Setting<string>,
  logLevel: {
    name: 'ASCEND_AGENT_LOG_LEVEL',
    about: 'debug, info, warn or error',
    fallback: 'info',
    parse: parseLevel,
  } satisfies Setting<string>,
} as const;

const prefix = 'ASCEND_AGENT_';

function orNull(text: string): string | null {
  return text === '' ? null : text;
}

/**
 * Reads the whole configuration. A variable with our prefix that no setting knows is refused, so that a typo does not
 * silently fall back to a default.
 *
 * @throws {AppError} CONFIG_INVALID - missing, malformed or unknown setting
 */
export function readConfig(environment: Readonly<Record<string, string>>): Config {
  const known = new Set<string>(Object.values(settings).map((setting) => setting.name));
  const unknown = Object.keys(environment).find((name) => name.startsWith(prefix) && !known.has(name));
  if (unknown !== undefined) {
    throw new AppError({ code: 'CONFIG_INVALID', message: `read settings: ${unknown} is not a setting` });
  }
  const dir = readSetting(environment, settings.dir);
  const scratch = readSetting(environment, settings.scratch);
  const appliance = readSetting(environment, settings.appliance);
  const keys = readSetting(environment, settings.keys);
  return {
    dir,
    scratchDir: scratch === '' ? join(dir, 'scratch') : scratch,
    repositories: readSetting(environment, settings.repositories),
    applianceDir: appliance === '' ? null : appliance,
    keysDir: keys === '' ? null : keys,
    slots: readSetting(environment, settings.slots),
    bandwidthBytesPerSecond: readSetting<number | null>(environment, settings.bandwidth),
    natsUrls: readSetting(environment, settings.nats),
    caFile: orNull(readSetting(environment, settings.ca)),
    guestSources: {
      windowsDrivers: orNull(readSetting(environment, settings.windowsDrivers)),
      agentPackages: orNull(readSetting(environment, settings.packages)),
    },
    logLevel: readSetting(environment, settings.logLevel),
  };
}

/**
 * Looks whether what the settings name for guests is there: an agent that says it has drivers must have them.
 *
 * @throws {AppError} CONFIG_INVALID
 */
export async function checkGuestSources({ guestSources }: Pick<Config, 'guestSources'>): Promise<void> {
  const named = [
    { setting: settings.windowsDrivers.name, path: guestSources.windowsDrivers, file: true },
    { setting: settings.packages.name, path: guestSources.agentPackages, file: false },
  ];
  for (const { setting, path, file } of named) {
    if (path === null) continue;
    const facts = await stat(path).catch(() => null);
    if (facts?.isDirectory() === true || (file && facts?.isFile() === true)) continue;
    const wanted = file ? 'a folder or an image file' : 'a folder';
    throw new AppError({
      code: 'CONFIG_INVALID',
      message: `read settings: ${setting} names ${path}, which is not ${wanted} that this agent can see`,
    });
  }
}
