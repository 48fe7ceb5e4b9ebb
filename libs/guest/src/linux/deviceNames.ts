/** A kernel device name found in a configuration file. */
export interface DeviceNameHit {
  /** `/dev/sda1` */
  readonly device: string;
  /** Zero-based line. */
  readonly line: number;
}

// Names whose letter or number depends on the order of discovery and on the driver, and links that are made of the
// slot (by-path) or of the serial number (by-id) of the old hardware.
const pattern =
  /(^|[\s="',:])(\/dev\/(?:(?:[shv]d|xvd)[a-z]{1,2}\d{0,3}|nvme\d{1,2}n\d{1,2}(?:p\d{1,3})?|disk\/by-(?:path|id)\/(?!dm-|lvm-|md-)[\w.:+-]{1,200}))(?=$|[\s"',:])/g;

/** Partition number of a link that names the slot or serial number of a disk; null = whole disk or another name. */
export function linkPartition(device: string): number | null {
  const digits = /^\/dev\/disk\/by-(?:path|id)\/.+-part(\d{1,3})$/.exec(device)?.[1];
  return digits === undefined ? null : Number(digits);
}

function isComment(line: string): boolean {
  return line.trimStart().startsWith('#');
}

/** Finds unstable device names outside comments. */
export function findDeviceNames(text: string): readonly DeviceNameHit[] {
  return text.split('\n').flatMap((line, index) => {
    if (isComment(line)) return [];
    return [...line.matchAll(pattern)].map((match) => ({ device: match[2] ?? '', line: index }));
  });
}

/** Replaces each device name of `replacements` (name → `UUID=…`) outside comments; everything else keeps its bytes. */
export function replaceDeviceNames(text: string, replacements: ReadonlyMap<string, string>): string {
  return text
    .split('\n')
    .map((line) =>
      isComment(line)
        ? line
        : line.replaceAll(pattern, (whole, before: string, device: string) => {
            const replacement = replacements.get(device);
            return replacement === undefined ? whole : before + replacement;
          }),
    )
    .join('\n');
}

/** Disk letter and partition of a name, by order of discovery: `/dev/sdb2` is disk 1, partition 2; null partition = whole disk. */
export function parseDeviceName(
  device: string,
): { readonly disk: number; readonly partition: number | null } | null {
  const lettered = /^\/dev\/(?:[shv]d|xvd)([a-z]{1,2})(\d*)$/.exec(device);
  if (lettered?.[1] !== undefined) {
    const letters = lettered[1];
    const disk = letters.split('').reduce((value, letter) => value * 26 + letter.charCodeAt(0) - 96, 0) - 1;
    return { disk, partition: lettered[2] === '' ? null : Number(lettered[2]) };
  }
  const nvme = /^\/dev\/nvme(\d+)n1(?:p(\d+))?$/.exec(device);
  if (nvme?.[1] === undefined) return null;
  return { disk: Number(nvme[1]), partition: nvme[2] === undefined ? null : Number(nvme[2]) };
}
