/** Paths of libosinfo ids that mean another name than os-release has (general knowledge, 2026-11-21). */
const renamed: Readonly<Record<string, string>> = {
  'almalinux.org/almalinux': 'almalinux',
  'amazon.com/amzn': 'amzn',
  'centos.org/centos': 'centos',
  'centos.org/centos-stream': 'centos',
  'debian.org/debian': 'debian',
  'fedoraproject.org/fedora': 'fedora',
  'freebsd.org/freebsd': 'freebsd',
  'opensuse.org/opensuse': 'opensuse',
  'oracle.com/ol': 'ol',
  'redhat.com/rhel': 'rhel',
  'rockylinux.org/rocky': 'rocky',
  'suse.com/sles': 'sles',
  'ubuntu.com/ubuntu': 'ubuntu',
};

const windows: Readonly<Record<string, string>> = {
  '7': 'windows-7',
  '8': 'windows-8',
  '8.1': 'windows-8.1',
  '10': 'windows-10',
  '11': 'windows-11',
  '2k8': 'windows-server-2008',
  '2k8r2': 'windows-server-2008-r2',
  '2k12': 'windows-server-2012',
  '2k12r2': 'windows-server-2012-r2',
  '2k16': 'windows-server-2016',
  '2k19': 'windows-server-2019',
  '2k22': 'windows-server-2022',
  '2k25': 'windows-server-2025',
};

/** Families whose releases are told by the first number alone. */
const majorOnly = new Set(['almalinux', 'centos', 'ol', 'rhel', 'rocky']);

function own(table: Readonly<Record<string, string>>, key: string): string | null {
  return Object.hasOwn(table, key) ? (table[key] ?? null) : null;
}

/** `http://debian.org/debian/12` → `debian-12`; another id stays as it is. */
export function osOfLibosinfo(id: string): string {
  const [, path = '', version = ''] = /^https?:\/\/([^/]+\/[^/]+)\/([^/]+)$/.exec(id) ?? [];
  if (path === 'microsoft.com/win') return own(windows, version) ?? id;
  const name = own(renamed, path);
  if (name === null) return id;
  return `${name}-${majorOnly.has(name) ? (version.split('.')[0] ?? version) : version}`;
}
