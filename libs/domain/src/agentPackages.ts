import type {
  AgentNeeds,
  GuestNeeds,
  LinuxAgentNeed,
  WindowsAgentNeed,
  WindowsAgentPackage,
} from './capability.ts';
import type { GuestFacts, WindowsFacts } from './facts.ts';
import { bootControlSet, windowsService } from './windowsGuest.ts';

/** The kinds of packages that Linux distributions install. */
export type LinuxPackageKind = keyof LinuxAgentNeed['packages'];

// Ids of os-release (general knowledge of these distributions). One that is not listed gets no package.
const debian: ReadonlySet<string> = new Set([
  'debian',
  'ubuntu',
  'linuxmint',
  'raspbian',
  'devuan',
  'kali',
  'pop',
]);
const redhat: ReadonlySet<string> = new Set([
  'rhel',
  'centos',
  'rocky',
  'almalinux',
  'ol',
  'fedora',
  'amzn',
  'sles',
  'sled',
  'virtuozzo',
]);

/** The kind of packages a guest installs, by its distribution; null = not known. */
export function linuxPackageKind({
  distribution,
}: Pick<GuestFacts, 'distribution'>): LinuxPackageKind | null {
  if (distribution === null) return null;
  if (debian.has(distribution)) return 'deb';
  return redhat.has(distribution) || distribution.startsWith('opensuse') ? 'rpm' : null;
}

/** The file name alone fits a pattern: whole, whatever the case, whatever the folder. */
export function fitsFileName(pattern: string, path: string): boolean {
  const name = path.split('/').at(-1) ?? '';
  return new RegExp(`^(?:${pattern})$`, 'i').test(name);
}

/** Agents the target wants in a Linux guest that has none of them. */
export function missingLinuxAgents(guest: GuestFacts, needs: GuestNeeds): readonly LinuxAgentNeed[] {
  const wanted: AgentNeeds['install'] = needs.agents?.install ?? [];
  const { linux } = guest;
  if (linux === undefined) return [];
  const installed = new Set(linux.agents.map(({ id }) => id));
  return wanted.filter(({ id, satisfiedBy = [] }) => ![id, ...satisfiedBy].some((one) => installed.has(one)));
}

/** Agents the target wants in a Windows guest that are not installed there. */
export function missingWindowsAgents(
  facts: WindowsFacts,
  agents: readonly WindowsAgentNeed[],
): readonly WindowsAgentNeed[] {
  const set = bootControlSet(facts);
  return agents.filter(({ name, services, fromBuild = 0, belowBuild = Infinity }) => {
    const build = facts.build ?? 0;
    if (build < fromBuild || build >= belowBuild) return false;
    const runs = set !== null && services.some((service) => windowsService(set, service) !== null);
    return !runs && !facts.agents.includes(name);
  });
}

/** The packages of an agent that this Windows can install. */
export function windowsPackagesOf(
  agent: WindowsAgentNeed,
  facts: WindowsFacts,
): readonly WindowsAgentPackage[] {
  return agent.packages.filter(({ arch }) => arch === null || arch === facts.arch);
}

/** A pattern of file names for people: `qemu-guest-agent_*.deb`. */
export function showFileName(pattern: string): string {
  return pattern
    .replaceAll(/\[[^\]]*\][*+]?|\\[dw][*+]?/g, '*')
    .replaceAll('(?:', '(')
    .replaceAll('\\', '')
    .replaceAll(/\*[*-]*\*/g, '*');
}
