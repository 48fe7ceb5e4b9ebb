import type { GuestNicFacts } from '@ascend/domain';
import { listFiles, readText, type GuestFiles } from '../guestFiles.ts';
import { readCloudConfigs } from '../linux/cloudInit.ts';
import { parseAssignments } from '../linux/osRelease.ts';
import { toMac } from './address.ts';
import { parseCloudNetwork } from './cloudNetwork.ts';
import { parseInterfaces } from './interfacesFile.ts';
import { parseKeyfile } from './keyfile.ts';
import { parseNetplan } from './netplan.ts';
import { parseIfcfg, parseLinkFile, parseNetworkFile, parsePersistentNetRules } from './networkd.ts';
import type { NicConfig } from './nicConfig.ts';

/** Interfaces of a guest, and remarks for files that were not understood. */
export interface NicsFound {
  readonly nics: readonly GuestNicFacts[];
  readonly remarks: readonly string[];
}

interface FoundConfig extends NicConfig {
  readonly configPath: string;
  readonly macLines: readonly string[];
}

const maxFiles = 200;

const macPattern = /(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}/g;

/** Lines that hold the MAC by which a file recognises its interface. */
function linesWith(mac: string | null, text: string): readonly string[] {
  if (mac === null) return [];
  const lines = text.split('\n').map((line) => line.trim());
  return lines.filter(
    (line) => !line.startsWith('#') && (line.match(macPattern) ?? []).some((found) => toMac(found) === mac),
  );
}

/** `text`: the file, when it recognises interfaces by MAC rather than giving them one. */
function at(configPath: string, nic: NicConfig, text: string): FoundConfig {
  return { ...nic, configPath, macLines: linesWith(nic.mac, text) };
}

async function texts(
  files: GuestFiles,
  folder: string,
  suffix: string,
): Promise<readonly (readonly [string, string])[]> {
  const found: (readonly [string, string])[] = [];
  for (const name of (await listFiles(files, folder, suffix)).slice(0, maxFiles)) {
    const text = await readText(files, `${folder}/${name}`);
    if (text !== null) found.push([`${folder}/${name}`, text]);
  }
  return found;
}

async function readIfupdown(files: GuestFiles): Promise<FoundConfig[]> {
  const found: FoundConfig[] = [];
  const pending = ['/etc/network/interfaces'];
  const seen = new Set<string>();
  while (pending.length > 0 && seen.size < maxFiles) {
    const path = pending.shift() ?? '';
    if (seen.has(path)) continue;
    seen.add(path);
    const text = await readText(files, path);
    if (text === null) continue;
    const parsed = parseInterfaces(text);
    for (const nic of parsed.nics) found.push(at(path, nic, ''));
    for (const source of parsed.sources) {
      const absolute = source.startsWith('/') ? source : `/etc/network/${source}`;
      const folder = absolute.slice(0, absolute.lastIndexOf('/'));
      if (!absolute.includes('*')) pending.push(absolute);
      else pending.push(...(await listFiles(files, folder, '')).map((name) => `${folder}/${name}`));
    }
  }
  return found;
}

async function readNetplan(files: GuestFiles, remarks: string[]): Promise<FoundConfig[]> {
  const found: FoundConfig[] = [];
  for (const folder of ['/lib/netplan', '/etc/netplan', '/run/netplan']) {
    for (const [path, text] of await texts(files, folder, '.yaml')) {
      const nics = parseNetplan(text);
      if (nics === null) remarks.push(`${path}: not understood as network configuration`);
      for (const nic of nics ?? []) found.push(at(path, nic, text));
    }
  }
  return found;
}

async function readSingles(files: GuestFiles): Promise<FoundConfig[]> {
  const found: FoundConfig[] = [];
  const add = (path: string, nic: NicConfig | null, text: string): void => {
    if (nic !== null) found.push(at(path, nic, text));
  };
  for (const [path, text] of await texts(files, '/etc/systemd/network', '.network'))
    add(path, parseNetworkFile(text), text);
  for (const [path, text] of await texts(files, '/etc/NetworkManager/system-connections', '')) {
    add(path, parseKeyfile(text), text);
  }
  for (const folder of ['/etc/sysconfig/network-scripts', '/etc/sysconfig/network']) {
    for (const [path, text] of await texts(files, folder, '')) {
      const fileName = path.slice(path.lastIndexOf('/') + 1);
      if (fileName.startsWith('ifcfg-')) add(path, parseIfcfg(parseAssignments(text), fileName), text);
    }
  }
  return found;
}

/** The network part of cloud-init's own configuration; what it made of it lies in the other files already. */
async function readCloudInit(files: GuestFiles): Promise<FoundConfig[]> {
  const configs = await readCloudConfigs(files);
  return configs.flatMap(({ path, config }) => parseCloudNetwork(config).map((nic) => at(path, nic, '')));
}

/** Names that the guest itself binds to MACs: `.link` files and udev rules. */
async function readBindings(files: GuestFiles): Promise<ReadonlyMap<string, string>> {
  const byName = new Map<string, string>();
  for (const [, text] of await texts(files, '/etc/systemd/network', '.link')) {
    const link = parseLinkFile(text);
    if (link !== null) byName.set(link.name, link.mac);
  }
  const rules = await readText(files, '/etc/udev/rules.d/70-persistent-net.rules');
  for (const rule of rules === null ? [] : parsePersistentNetRules(rules)) byName.set(rule.name, rule.mac);
  return byName;
}

function withConfig(known: GuestNicFacts, config: FoundConfig, boundMac: string | null): GuestNicFacts {
  return {
    ...known,
    mac: known.mac ?? config.mac ?? boundMac,
    addresses: [...new Set([...known.addresses, ...config.addresses])],
  };
}

function newNic(name: string, config: FoundConfig): GuestNicFacts {
  return {
    name,
    mac: null,
    addresses: [],
    configPath: config.configPath.replace(/^\//, ''),
    ...(config.macLines.length === 0 ? {} : { macLines: config.macLines }),
  };
}

/** One entry per interface: stanzas for the same name (IPv4 and IPv6, aliases) are joined. */
function join(
  configs: readonly FoundConfig[],
  bindings: ReadonlyMap<string, string>,
): readonly GuestNicFacts[] {
  const nics = new Map<string, GuestNicFacts>();
  for (const config of configs) {
    const bound = [...bindings].find(([, mac]) => mac === config.mac)?.[0];
    const name = config.name ?? bound ?? '';
    const key = name === '' ? `mac ${config.mac ?? ''}` : name;
    const known = nics.get(key) ?? newNic(name, config);
    nics.set(key, withConfig(known, config, bindings.get(name) ?? null));
  }
  return [...nics.values()];
}

/**
 * Reads every kind of network configuration the guest may hold: ifupdown, netplan, networkd, NetworkManager keyfiles,
 * ifcfg of Red Hat and SUSE, cloud-init; MACs also from `.link` files and udev rules. An interface matched by MAC alone has the name ''.
 */
export async function readNics(files: GuestFiles): Promise<NicsFound> {
  const remarks: string[] = [];
  const configs = [
    ...(await readIfupdown(files)),
    ...(await readNetplan(files, remarks)),
    ...(await readSingles(files)),
    ...(await readCloudInit(files)),
  ];
  return { nics: join(configs, await readBindings(files)), remarks };
}
