/** Finds one family; the first group of the pattern, if any, is the version. */
interface OsRule {
  readonly pattern: RegExp;
  readonly id: (version: string) => string;
}

/** `86` and `810` in names of images mean 8.6 and 8.10: the major version has one digit then, unless it is below 30. */
function majorOf(version: string): string {
  return Number(version) < 30 ? String(Number(version)) : version.slice(0, 1);
}

const plain = (family: string) => (version: string) => `${family}-${majorOf(version)}`;

// What lies between a family and its version: no digits, and not much. Bounded, so that hostile names cost no time.
const rules: readonly OsRule[] = [
  {
    pattern: /windows[^\d]{0,12}server[^\d]{0,24}(20\d\d)[ _-]{0,3}r2/,
    id: (year) => `windows-server-${year}-r2`,
  },
  { pattern: /windows[^\d]{0,12}server[^\d]{0,24}(20\d\d)/, id: (year) => `windows-server-${year}` },
  { pattern: /windows[^\d]{0,16}(8\.1|7|8|10|11)(?!\d)/, id: (version) => `windows-${version}` },
  {
    pattern: /ubuntu[^\d]{0,24}(?:0001-com-ubuntu[^\d]{0,40})?(\d\d[._]\d\d)/,
    id: (version) => `ubuntu-${version.replace('_', '.')}`,
  },
  { pattern: /debian[^\d]{0,24}(\d{1,2})/, id: plain('debian') },
  { pattern: /(?:red ?hat enterprise linux|rhel)[^\d]{0,24}(\d{1,3})/, id: plain('rhel') },
  { pattern: /centos[ _-]{0,3}stream[^\d]{0,12}(\d{1,2})/, id: plain('centos-stream') },
  { pattern: /centos[^\d]{0,24}(\d{1,2})/, id: plain('centos') },
  { pattern: /rocky[^\d]{0,24}(\d{1,2})/, id: plain('rocky') },
  { pattern: /alma[^\d]{0,24}(\d{1,2})/, id: plain('almalinux') },
  { pattern: /oracle[^\d]{0,24}(\d{1,2})/, id: plain('ol') },
  { pattern: /(?:suse linux enterprise|sles)[^\d]{0,24}(\d{1,2})/, id: plain('sles') },
  {
    pattern: /opensuse[^\d]{0,12}leap[^\d]{0,8}(\d\d[._]\d)/,
    id: (version) => `opensuse-leap-${version.replace('_', '.')}`,
  },
  { pattern: /(?:amazon linux|\bamzn|\bal)[ _-]{0,3}(2023|2)(?!\d)/, id: (version) => `amzn-${version}` },
  { pattern: /fedora[^\d]{0,24}(\d{2})/, id: (version) => `fedora-${version}` },
  { pattern: /freebsd[^\d]{0,12}(\d{1,2})/, id: plain('freebsd') },
];

/**
 * The canonical id (`debian-12`, `ubuntu-22.04`, `rhel-9`, `windows-server-2019`) of a system by its usual name, as platforms and images
 * show it, e.g. `Debian GNU/Linux 12 (64-bit)`; null = family or version is not told.
 */
export function osIdOfName(name: string | null): string | null {
  const text = name?.toLowerCase().slice(0, 200) ?? '';
  for (const { pattern, id } of rules) {
    const version = pattern.exec(text)?.[1];
    if (version !== undefined) return id(version);
  }
  return null;
}
