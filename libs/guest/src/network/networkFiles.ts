import { isIP } from 'node:net';
import type { NetworkFileFacts, NetworkStack } from '@ascend/domain';
import { readText, type GuestFiles } from '../guestFiles.ts';
import { readCloudConfigs } from '../linux/cloudInit.ts';
import { yamlMember } from './yaml.ts';

const maxFiles = 400;
const maxAddresses = 1000;

interface Place {
  readonly stack: NetworkStack;
  readonly folder: string;
  readonly name: RegExp;
}

const places: readonly Place[] = [
  { stack: 'ifupdown', folder: '/etc/network', name: /^interfaces$/ },
  { stack: 'ifupdown', folder: '/etc/network/interfaces.d', name: /^[\w.-]+$/ },
  { stack: 'netplan', folder: '/etc/netplan', name: /^[\w.@+-]+\.yaml$/ },
  { stack: 'networkd', folder: '/etc/systemd/network', name: /^[\w.@+-]+\.network$/ },
  { stack: 'networkmanager', folder: '/etc/NetworkManager/system-connections', name: /^[\w .@+-]+$/ },
  {
    stack: 'ifcfg-redhat',
    folder: '/etc/sysconfig/network-scripts',
    name: /^(?:ifcfg|route6?|rule6?)-[\w.-]+$/,
  },
  {
    stack: 'ifcfg-suse',
    folder: '/etc/sysconfig/network',
    name: /^(?:ifcfg-[\w.-]+|ifroute-[\w.-]+|routes)$/,
  },
];

/** IP addresses in a text, without prefix, each once, in order; lines that are comments are left out. */
export function addressesIn(text: string): readonly string[] {
  const found = new Set<string>();
  for (const line of text.split('\n')) {
    if (/^\s*[#;]/.test(line)) continue;
    for (const match of line.matchAll(/[0-9A-Fa-f:.]{3,45}/g)) {
      if (isIP(match[0]) !== 0) found.add(match[0]);
      if (found.size >= maxAddresses) return [...found];
    }
  }
  return [...found];
}

/** Files of no network card: loopback and the notes that distributions put beside. */
function isForeign(path: string): boolean {
  return /\/(?:ifcfg-lo|README[\w.]*|ifcfg\.template|[\w.-]+~)$/.test(path);
}

async function readPlace(files: GuestFiles, place: Place): Promise<readonly NetworkFileFacts[]> {
  const entries = (await files.list(place.folder)).filter((entry) => place.name.test(entry.name));
  const found: NetworkFileFacts[] = [];
  for (const name of entries
    .map((entry) => entry.name)
    .toSorted()
    .slice(0, maxFiles)) {
    const path = `${place.folder}/${name}`;
    const text = isForeign(path) ? null : await readText(files, path);
    if (text !== null) found.push({ path: path.slice(1), stack: place.stack, addresses: addressesIn(text) });
  }
  return found;
}

/** Lists every network configuration file of the guest with the program that reads it and the addresses in it. */
export async function readNetworkFiles(files: GuestFiles): Promise<readonly NetworkFileFacts[]> {
  const found: NetworkFileFacts[] = [];
  for (const place of places) found.push(...(await readPlace(files, place)));
  // A link here is kept by a service and would be turned into a file by an edit.
  const etc = (await files.list('/etc')).filter((entry) => entry.kind === 'file');
  const names = new Set(etc.map((entry) => entry.name));
  for (const name of ['hosts', 'resolv.conf'].filter((candidate) => names.has(candidate))) {
    const text = await readText(files, `/etc/${name}`);
    if (text !== null) found.push({ path: `etc/${name}`, stack: 'names', addresses: addressesIn(text) });
  }
  for (const { path, config } of await readCloudConfigs(files)) {
    const network = yamlMember(config, 'network');
    if (network === null || yamlMember(network, 'config') === 'disabled') continue;
    const addresses = addressesIn((await readText(files, path)) ?? '');
    found.push({ path: path.slice(1), stack: 'cloud-init', addresses });
  }
  return found;
}
