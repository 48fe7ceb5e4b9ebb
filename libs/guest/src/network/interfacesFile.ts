import type { NicConfig } from './nicConfig.ts';
import { isInterfaceName, toCidr, toMac } from './address.ts';

interface Stanza {
  readonly name: string;
  readonly method: string;
  readonly options: (readonly [string, string])[];
}

/** What one file of ifupdown says, and which other files it names. */
export interface InterfacesFile {
  readonly nics: readonly NicConfig[];
  /** Patterns of `source` lines and folders of `source-directory` lines (those end in `/*`), as written. */
  readonly sources: readonly string[];
}

const stanzaWords = new Set([
  'auto',
  'iface',
  'mapping',
  'source',
  'source-directory',
  'no-auto-down',
  'no-scripts',
]);

function option(stanza: Stanza, ...names: readonly string[]): string | null {
  return stanza.options.find(([key]) => names.includes(key))?.[1] ?? null;
}

function toNic(stanza: Stanza): NicConfig {
  const address = option(stanza, 'address');
  const cidr = address === null ? null : toCidr(address, option(stanza, 'netmask'));
  const mac = option(stanza, 'hwaddress');
  return {
    name: stanza.name,
    mac: mac === null ? null : toMac(mac.replace(/^ether\s+/, '')),
    addresses: cidr === null ? [] : [cidr],
  };
}

/** The stanza that a line opens, null for lines of other kinds. */
function openStanza(words: readonly string[], stanzas: Stanza[]): Stanza | null {
  const [first, name = '', , method = ''] = words;
  if (first !== 'iface') return null;
  const stanza: Stanza = { name: name.replace(/:\d+$/, ''), method, options: [] };
  if (method !== 'loopback' && isInterfaceName(stanza.name)) stanzas.push(stanza);
  return stanza;
}

function sourcesOf(words: readonly string[]): readonly string[] {
  const [first, path = ''] = words;
  if (path === '') return [];
  if (first === 'source') return [path];
  return first === 'source-directory' ? [`${path.replace(/\/$/, '')}/*`] : [];
}

// Interfaces made of others carry the MAC of one of them and are no network cards.
const virtualOptions = /^(?:bridge[-_]ports|bond[-_](?:slaves|mode)|vlan[-_]raw[-_]device)$/;

function isCard(stanza: Stanza): boolean {
  return !stanza.name.includes('.') && !stanza.options.some(([key]) => virtualOptions.test(key));
}

/** Reads the text of `etc/network/interfaces` (ifupdown). Loopback, bridges, bonds and VLANs are left out. */
export function parseInterfaces(text: string): InterfacesFile {
  const stanzas: Stanza[] = [];
  const sources: string[] = [];
  let open: Stanza | null = null;
  for (const raw of text.replaceAll('\\\n', ' ').split('\n')) {
    const line = raw.trim().split(/\s+/);
    const [first = ''] = line;
    if (first === '' || first.startsWith('#')) continue;
    if (stanzaWords.has(first) || first.startsWith('allow-')) {
      open = openStanza(line, stanzas);
      sources.push(...sourcesOf(line));
    } else {
      open?.options.push([first, line.slice(1).join(' ')]);
    }
  }
  return { nics: stanzas.filter(isCard).map(toNic), sources };
}
