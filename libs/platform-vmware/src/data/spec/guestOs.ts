// Identifiers of vim25 (`VirtualMachineGuestOsIdentifier`, general knowledge, 2026-11-21), of VMX files and of VirtualBox
// after `normal`: without the word size and without `Guest`.
const windows: Readonly<Record<string, string>> = {
  windows7: 'windows-7',
  windows8: 'windows-8',
  windows81: 'windows-8.1',
  windows9: 'windows-10',
  windows10: 'windows-10',
  windows11: 'windows-11',
  longhorn: 'windows-server-2008',
  winlonghorn: 'windows-server-2008',
  windows7server: 'windows-server-2008-r2',
  windows7srv: 'windows-server-2008-r2',
  windows8server: 'windows-server-2012',
  windows8srv: 'windows-server-2012',
  windows9server: 'windows-server-2016',
  windows9srv: 'windows-server-2016',
  windows2019srv: 'windows-server-2019',
  windows2019srvnext: 'windows-server-2022',
  windows2022srvnext: 'windows-server-2025',
  windows2008: 'windows-server-2008',
  windows2012: 'windows-server-2012',
  windows2016: 'windows-server-2016',
  windows2019: 'windows-server-2019',
  windows2022: 'windows-server-2022',
  windows2025: 'windows-server-2025',
};

/** Ids of os-release by the platform's names. */
const linux: Readonly<Record<string, string>> = {
  debian: 'debian',
  ubuntu: 'ubuntu',
  rhel: 'rhel',
  redhat: 'rhel',
  centos: 'centos',
  fedora: 'fedora',
  sles: 'sles',
  opensuse: 'opensuse',
  oraclelinux: 'ol',
  oracle: 'ol',
  rockylinux: 'rocky',
  almalinux: 'almalinux',
  amazonlinux: 'amzn',
  freebsd: 'freebsd',
};

// CIM_OperatingSystem.OSType, as in the OVF writer of the disk library: only numbers that mean one system.
const cimNumbers: Readonly<Record<string, string>> = {
  '80': 'rhel',
  '85': 'sles',
  '94': 'ubuntu',
  '96': 'debian',
  '103': 'windows-server-2008-r2',
  '105': 'windows-7',
  '107': 'centos',
};

function normal(id: string): string {
  return id
    .toLowerCase()
    .replace(/guest$/, '')
    .replace(/[_-]?64$/, '');
}

/** `debian12_64Guest`, `debian12-64` → `debian-12`; null for one without a known meaning. */
export function canonicalOs(id: string): string | null {
  const name = normal(id);
  if (Object.hasOwn(windows, name)) return windows[name] ?? null;
  const [, distribution = '', version, longTerm] = /^([a-z]+)(\d+)?(_lts)?$/.exec(name) ?? [];
  const own = Object.hasOwn(linux, distribution) ? linux[distribution] : undefined;
  if (own === undefined) return null;
  if (version === undefined) return own;
  return `${own}-${version}${longTerm === undefined ? '' : '.04'}`;
}

/** The system that a number of the CIM schema stands for; null for the many that mean several. */
export function osOfCimNumber(number: string): string | null {
  return Object.hasOwn(cimNumbers, number) ? (cimNumbers[number] ?? null) : null;
}

/** The processor that such a system needs; null where the identifier does not tell. */
export function archOfGuest(id: string): string | null {
  if (/arm/i.test(id)) return 'aarch64';
  return /64/.test(id) ? 'x86_64' : null;
}
