import { openedName, type VolumeFacts } from '@ascend/domain';
import { parseDeviceName } from './deviceNames.ts';

/** One encrypted volume of `etc/crypttab`. */
interface CryptEntry {
  /** What it is called below `/dev/mapper` once it is open. */
  readonly name: string;
  /** As written: `UUID=…`, `/dev/sda3`. */
  readonly device: string;
}

const maxEntries = 1_000;

/** Reads the text of a crypttab (crypttab(5)): comments and lines without a device are skipped; at most 1000 entries. */
function parseCrypttab(text: string): readonly CryptEntry[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .flatMap((line): CryptEntry[] => {
      const [name, device] = line.split(/\s+/);
      return name === undefined || device === undefined ? [] : [{ name, device }];
    })
    .slice(0, maxEntries);
}

/** The LUKS UUID that a line means; a kernel's name is believed where the guest has one encrypted volume on that partition alone. */
function luksOf({ device }: CryptEntry, volumes: readonly VolumeFacts[]): string | null {
  const uuid = /^(?:UUID=|\/dev\/disk\/by-uuid\/)"?([\da-f-]+)"?$/i.exec(device)?.[1];
  if (uuid !== undefined) return uuid;
  const partition = parseDeviceName(device)?.partition ?? null;
  const found = volumes.filter((volume) => volume.content === 'luks' && volume.partition === partition);
  return found.length === 1 ? (found[0]?.uuid ?? null) : null;
}

/** The volumes under the names that the guest itself gives to what lies inside of encryption: fstab speaks of those. */
export function withCryptNames(volumes: readonly VolumeFacts[], crypttab: string): readonly VolumeFacts[] {
  const names = new Map<string, string>();
  for (const entry of parseCrypttab(crypttab)) {
    const uuid = luksOf(entry, volumes);
    if (uuid !== null) names.set(openedName(uuid), entry.name);
  }
  return volumes.map((volume) => {
    const name = names.get(volume.name ?? '');
    return name === undefined ? volume : { ...volume, name };
  });
}
