import type { GuestFacts } from '@ascend/domain';
import type { LinuxPackage } from './linuxPackage.ts';

const architectures: Readonly<Record<LinuxPackage['kind'], Readonly<Record<string, readonly string[]>>>> = {
  deb: { x86_64: ['amd64', 'all'], i386: ['i386', 'all'], aarch64: ['arm64', 'all'] },
  rpm: {
    x86_64: ['x86_64', 'noarch'],
    i386: ['i386', 'i586', 'i686', 'noarch'],
    aarch64: ['aarch64', 'noarch'],
  },
};

/** Distributions whose packages carry the mark `el` of the one they are made from. */
const enterprise = ['rhel', 'centos', 'rocky', 'almalinux', 'ol', 'virtuozzo'];

/** What a version says about the distribution it was built for; empty = it says nothing. */
function marksOf({
  kind,
  version,
}: LinuxPackage): readonly { readonly ids: readonly string[]; readonly major: string }[] {
  const marks =
    kind === 'deb'
      ? [
          { ids: ['debian'], major: /[+~]deb(\d+)/.exec(version)?.[1] },
          { ids: ['ubuntu', 'linuxmint', 'pop'], major: /ubuntu/.test(version) ? '' : undefined },
        ]
      : [
          { ids: enterprise, major: /\.el(\d+)/.exec(version)?.[1] },
          { ids: ['fedora'], major: /\.fc(\d+)/.exec(version)?.[1] },
          { ids: ['amzn'], major: /\.amzn(\d+)/.exec(version)?.[1] },
        ];
  return marks.flatMap(({ ids, major }) => (major === undefined ? [] : [{ ids, major }]));
}

/** A folder called like a distribution and its version, `debian-12` or `ubuntu-22.04`, holds packages of that one alone. */
function foldersFit(relPath: string, distribution: string, version: string): boolean {
  const major = version.split('.')[0] ?? '';
  const named = relPath
    .split('/')
    .slice(0, -1)
    .filter((part) => /^[a-z-]+-\d[\d.]*$/.test(part));
  return named.every((part) => part === `${distribution}-${version}` || part === `${distribution}-${major}`);
}

/** Why a package is not for this guest; null = it is, as far as the package and its folder tell. */
export function misfitOf(found: LinuxPackage, relPath: string, guest: GuestFacts): string | null {
  const distribution = guest.distribution ?? '';
  const version = guest.version ?? '';
  if (architectures[found.kind][guest.arch ?? '']?.includes(found.architecture) !== true)
    return `${relPath} is for ${found.architecture}`;
  if (!foldersFit(relPath, distribution, version))
    return `${relPath} lies in the folder of another distribution`;
  const major = version.split('.')[0] ?? '';
  const marks = marksOf(found);
  const fits = marks.some(
    ({ ids, major: wanted }) => ids.includes(distribution) && (wanted === '' || wanted === major),
  );
  return marks.length === 0 || fits ? null : `${relPath} is made for another distribution: ${found.version}`;
}
