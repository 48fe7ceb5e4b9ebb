import { AppError } from '@ascend/errors';
import { readSecretReference, readSetting, type Secret, type Setting } from '@ascend/runtime';

/** Where the API listens. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** Everything the control plane is told from outside, read once at start. */
export interface Config {
  readonly listen: ListenAddress;
  readonly databaseUrl: Secret;
  readonly natsUrls: readonly string[];
  /** What enrolled agents are told; may differ from how this process reaches NATS. */
  readonly publicNatsUrls: readonly string[];
  /** CA certificate of a TLS bus that no public authority knows; null = the system's authorities. */
  readonly natsCaFile: string | null;
  readonly trustDir: string;
  readonly keyFile: string;
  readonly logLevel: string;
}

function parseListen(text: string): ListenAddress {
  const match = /^(?:\[([0-9a-f:]+)\]|([^:\s]+)):(\d{1,5})$/i.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) throw new Error('not host:port');
  return { host: match[1] ?? match[2] ?? '', port };
}

function parseUrls(text: string): readonly string[] {
  const urls = text.split(',').map((part) => part.trim());
  for (const url of urls) {
    if (!/^(nats|tls|ws|wss):$/.test(new URL(url).protocol)) throw new Error('not a nats URL');
  }
  return urls;
}

function parseReference(text: string): string {
  if (!/^(env|file):.+$/.test(text)) throw new Error('not env:NAME or file:/path');
  return text;
}

const level = (text: string): string => {
  if (!['debug', 'info', 'warn', 'error'].includes(text)) throw new Error('not a level');
  return text;
};

const asIs = (text: string): string => text;

/** Every setting of the control plane; the README's table is this list. */
export const settings = {
  listen: {
    name: 'ASCEND_API_LISTEN',
    about: 'host:port of the HTTP API; port 0 = any free one',
    fallback: { host: '127.0.0.1', port: 8082 },
    parse: parseListen,
  } satisfies Setting<ListenAddress>,
  database: {
    name: 'ASCEND_API_DATABASE',
    about: 'env:NAME or file:/path that holds the mysql:// URL of the database',
    parse: parseReference,
  } satisfies Setting<string>,
  nats: {
    name: 'ASCEND_API_NATS_URLS',
    about: 'comma-separated nats:// URLs of the bus',
    fallback: ['nats://127.0.0.1:4222'] as readonly string[],
    parse: parseUrls,
  } satisfies Setting<readonly string[]>,
  publicNats: {
    name: 'ASCEND_API_NATS_PUBLIC_URLS',
    about: 'comma-separated URLs that enrolled agents are given; empty = ASCEND_API_NATS_URLS',
    fallback: [] as readonly string[],
    parse: parseUrls,
  } satisfies Setting<readonly string[]>,
  natsCa: {
    name: 'ASCEND_API_NATS_CA_FILE',
    about: "CA certificate for tls:// buses; empty = the system's authorities",
    fallback: '',
    parse: asIs,
  } satisfies Setting<string>,
  trustDir: {
    name: 'ASCEND_API_TRUST_DIR',
    about: 'folder with the keys that sign agents (made once, mode 700)',
    parse: asIs,
  } satisfies Setting<string>,
  keyFile: {
    name: 'ASCEND_API_KEY_FILE',
    about: 'file with the key that seals secrets at rest; made on first start, mode 600',
    parse: asIs,
  } satisfies Setting<string>,
  logLevel: {
    name: 'ASCEND_API_LOG_LEVEL',
    about: 'debug, info, warn or error',
    fallback: 'info',
    parse: level,
  } satisfies Setting<string>,
} as const;

const prefix = 'ASCEND_API_';

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
  const natsUrls = readSetting(environment, settings.nats);
  const publicNatsUrls = readSetting(environment, settings.publicNats);
  const natsCaFile = readSetting(environment, settings.natsCa);
  return Object.freeze({
    natsCaFile: natsCaFile === '' ? null : natsCaFile,
    listen: readSetting(environment, settings.listen),
    databaseUrl: readSecretReference(readSetting(environment, settings.database), environment),
    natsUrls,
    publicNatsUrls: publicNatsUrls.length === 0 ? natsUrls : publicNatsUrls,
    trustDir: readSetting(environment, settings.trustDir),
    keyFile: readSetting(environment, settings.keyFile),
    logLevel: readSetting(environment, settings.logLevel),
  });
}
