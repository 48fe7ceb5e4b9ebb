import type { AgentFacts, AgentServiceFacts } from '@ascend/domain';
import { listFiles, readText, type GuestFiles } from '../guestFiles.ts';
import { iniValues, parseIni } from '../network/ini.ts';

/** One agent that hypervisor vendors or clouds put into Linux guests. */
interface LinuxAgent {
  readonly id: string;
  /** Names of its services without `.service`, as distributions and the vendor call them. */
  readonly services: RegExp;
  /** Programs that tell it is there even without a service. */
  readonly programs: readonly string[];
}

// Service names are those of the packages of Debian 12, RHEL 7 to 9 and SLES 15 and of the vendors' own installers
// (general knowledge of these packages, not read from a vendor page). Patterns stand where vendors put their name in.
const catalogue: readonly LinuxAgent[] = [
  {
    id: 'open-vm-tools',
    services: /^(?:open-vm-tools|vmtoolsd|vgauth|vgauthd|open-vm-tools-desktop)$/,
    programs: ['/usr/bin/vmtoolsd'],
  },
  {
    // The vendor's tar archive, older than open-vm-tools.
    id: 'vendor-vm-tools',
    services: /^vmw[a-z]*-tools(?:-thinprint)?$/,
    programs: ['/usr/sbin/vmtoolsd'],
  },
  { id: 'qemu-guest-agent', services: /^(?:qemu-guest-agent|qemu-ga)$/, programs: ['/usr/bin/qemu-ga'] },
  { id: 'waagent', services: /^(?:walinuxagent|waagent)$/, programs: ['/usr/sbin/waagent'] },
  {
    id: 'hv-daemons',
    services: /^(?:[a-z-]+\.)?(?:hv[-_]|hyper[a-z])(?:kvp|vss|fcopy)[-_]?d(?:aemon)?$/,
    programs: [],
  },
  {
    id: 'xe-guest-utilities',
    services: /^xe-(?:daemon|linux-distribution)$/,
    programs: ['/usr/sbin/xe-daemon'],
  },
  { id: 'ngt', services: /^ngt_(?:guest_agent|self_service_restore)$/, programs: ['/usr/local/ngt'] },
  {
    // Scripts of old templates that fetch password and key from the virtual router at every boot.
    id: 'cloud-set-guest',
    services: /^cloud-set-guest-(?:password|sshkey)(?:-.*)?$/,
    programs: [],
  },
];

/** Ids of all agents that a probe can recognise; needs of platforms name agents by these. */
export const agentIds: readonly string[] = catalogue.map((agent) => agent.id);

const unitFolders = ['/etc/systemd/system', '/usr/lib/systemd/system', '/lib/systemd/system'];
const initFolders = ['/etc/init.d', '/etc/rc.d/init.d'];
const runLevels = [2, 3, 4, 5];
const maxUnits = 5000;

/** What the init systems of the guest know, by name. */
interface ServiceIndex {
  /** Unit name → path of its file. */
  readonly units: ReadonlyMap<string, string>;
  readonly enabled: ReadonlySet<string>;
  readonly masked: ReadonlySet<string>;
  /** Init script name → path. */
  readonly scripts: ReadonlyMap<string, string>;
  readonly startedScripts: ReadonlySet<string>;
}

async function readUnits(files: GuestFiles): Promise<Pick<ServiceIndex, 'units' | 'enabled' | 'masked'>> {
  const units = new Map<string, string>();
  const enabled = new Set<string>();
  const masked = new Set<string>();
  for (const folder of unitFolders) {
    for (const { name, kind } of (await files.list(folder)).slice(0, maxUnits)) {
      if (!/^[\w.@:\\-]+$/.test(name)) continue;
      const path = `${folder}/${name}`;
      if (/\.(?:wants|requires)$/.test(name)) {
        for (const wanted of await files.list(path)) enabled.add(wanted.name);
      } else if (name.endsWith('.service')) {
        const isFile = (await isRegular(files, path)) || kind === 'file';
        if (!isFile && folder === unitFolders[0]) masked.add(name);
        else if (isFile && !units.has(name)) units.set(name, path);
      }
    }
  }
  return { units, enabled, masked };
}

async function isRegular(files: GuestFiles, path: string): Promise<boolean> {
  return (await files.stat(path))?.kind === 'file';
}

async function readScripts(files: GuestFiles): Promise<Pick<ServiceIndex, 'scripts' | 'startedScripts'>> {
  const scripts = new Map<string, string>();
  const startedScripts = new Set<string>();
  for (const folder of initFolders) {
    for (const name of await listFiles(files, folder, '')) {
      if (!scripts.has(name)) scripts.set(name, `${folder}/${name}`);
    }
  }
  for (const level of runLevels) {
    for (const name of await listFiles(files, `/etc/rc${level}.d`, '')) {
      const started = /^S\d\d(.+)$/.exec(name)?.[1];
      if (started !== undefined) startedScripts.add(started);
    }
  }
  return { scripts, startedScripts };
}

async function describeUnit(
  files: GuestFiles,
  name: string,
  path: string,
  index: ServiceIndex,
): Promise<AgentServiceFacts> {
  const install = parseIni((await readText(files, path)) ?? '');
  const wantedBy = iniValues(install, 'Install', 'WantedBy')
    .flatMap((value) => value.split(/\s+/))
    .filter((target) => /^[\w.@-]+\.target$/.test(target));
  const off = wantedBy.length === 0 ? 'static' : 'disabled';
  const running = index.enabled.has(name) ? 'enabled' : off;
  const state = index.masked.has(name) ? 'masked' : running;
  return { name, path: path.slice(1), kind: 'systemd', state, wantedBy };
}

async function readServices(
  files: GuestFiles,
  agent: LinuxAgent,
  index: ServiceIndex,
): Promise<readonly AgentServiceFacts[]> {
  const found: AgentServiceFacts[] = [];
  for (const [name, path] of index.units) {
    if (agent.services.test(name.replace(/\.service$/, ''))) {
      found.push(await describeUnit(files, name, path, index));
    }
  }
  for (const [name, path] of index.scripts) {
    if (!agent.services.test(name) || found.some((service) => service.name === `${name}.service`)) continue;
    const state = index.startedScripts.has(name) ? 'enabled' : 'disabled';
    found.push({ name, path: path.slice(1), kind: 'sysv', state, wantedBy: [] });
  }
  return found.toSorted((left, right) => left.name.localeCompare(right.name, 'en'));
}

/** Finds the agents of hypervisors and clouds that are installed, with their services and whether those are started. */
export async function readAgents(files: GuestFiles): Promise<readonly AgentFacts[]> {
  const index: ServiceIndex = { ...(await readUnits(files)), ...(await readScripts(files)) };
  const agents: AgentFacts[] = [];
  for (const agent of catalogue) {
    const services = await readServices(files, agent, index);
    const programs = await Promise.all(agent.programs.map((path) => files.stat(path)));
    if (services.length > 0 || programs.some((stat) => stat !== null))
      agents.push({ id: agent.id, services });
  }
  return agents;
}
