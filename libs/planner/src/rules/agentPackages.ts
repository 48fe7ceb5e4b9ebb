import {
  fitsFileName,
  linuxPackageKind,
  missingLinuxAgents,
  missingWindowsAgents,
  showFileName,
  windowsPackagesOf,
  type AgentView,
  type Finding,
  type GuestFacts,
  type GuestNeeds,
} from '@ascend/domain';
import { finding } from '../finding.ts';
import { sourcesOf, type AgentSources } from './guestSources.ts';

interface Wanted {
  readonly name: string;
  /** Patterns of file names, any of which would do. */
  readonly patterns: readonly string[];
  readonly optional: boolean;
}

function wantedAgents(guest: GuestFacts, needs: GuestNeeds): readonly Wanted[] {
  const { windows } = guest;
  if (windows !== undefined) {
    return missingWindowsAgents(windows, needs.windows?.agents ?? []).map((agent) => ({
      name: agent.name,
      patterns: windowsPackagesOf(agent, windows).map(({ pattern }) => pattern),
      optional: agent.optional === true,
    }));
  }
  const kind = linuxPackageKind(guest);
  return missingLinuxAgents(guest, needs).map(({ id, packages }) => ({
    name: id,
    patterns: kind === null ? [] : [packages[kind]],
    optional: false,
  }));
}

function findingOf({ name, patterns, optional }: Wanted, sources: AgentSources): readonly Finding[] {
  const { agentId, agentPackages: files } = sources;
  const found = (files ?? []).filter((file) => patterns.some((pattern) => fitsFileName(pattern, file)));
  if (found.length > 0) {
    return [
      finding({
        code: 'GUEST_AGENT_PACKAGE_STAGED',
        severity: 'fixed',
        subject: 'guest',
        message: `${name}, the agent of the target, is not installed`,
        evidence: `agent ${agentId} has ${found.slice(0, 10).join(', ')}`,
        action:
          'A package that fits is put into the guest, and the first boot installs it without the network.',
      }),
    ];
  }
  if (optional) return [];
  return [
    finding({
      code: 'GUEST_AGENT_PACKAGE_MISSING',
      severity: 'warning',
      subject: 'guest',
      message: `${name}, the agent of the target, is not installed, and ${files === null ? 'no folder of packages is configured' : 'the folder of packages has none for it'}`,
      evidence: `file that would be needed: ${patterns.map(showFileName).join(' or ') || 'none is known for this system'}`,
      action: `Set ASCEND_AGENT_PACKAGES on agent ${agentId} to a folder with that file (--agent-packages of local commands), or install it after the restore.`,
    }),
  ];
}

/** What becomes of the target's agents that the guest lacks, by the names of the packages its agent has. */
export function agentPackageFindings(
  guest: GuestFacts,
  needs: GuestNeeds,
  agent: AgentView | null,
): readonly Finding[] {
  return wantedAgents(guest, needs).flatMap((wanted) => findingOf(wanted, sourcesOf(agent)));
}
