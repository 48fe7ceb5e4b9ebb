import { showFileName, type Finding } from '@ascend/domain';
import { guestFinding } from '../edits/planFinding.ts';
import type { PackageFolder } from './packageFolder.ts';

/** An agent of the target lacks and no package of it can be used. */
export function missingPackage(
  agent: string,
  wanted: readonly string[],
  folder: PackageFolder | null,
  problem: string | null = null,
): Finding {
  const where =
    folder === null
      ? 'no folder of packages is configured'
      : `${folder.folder} has no package for this guest`;
  const names = wanted.map(showFileName).join(' or ') || 'none is known for this system';
  return guestFinding({
    code: 'GUEST_AGENT_PACKAGE_MISSING',
    severity: 'warning',
    message: `${agent}, the agent of the target, is not installed, and ${problem ?? where}`,
    evidence: `file that would be needed: ${names}`,
    action:
      'put that file into the folder of agents’ packages (--agent-packages, ASCEND_AGENT_PACKAGES), or install it after the restore',
  });
}

/** A package fits, but its name cannot stand in a script. */
export function unsafePackage(agent: string, name: string): Finding {
  return guestFinding({
    code: 'GUEST_AGENT_PACKAGE_MISSING',
    severity: 'warning',
    message: `${agent} is not installed, and the name of its package has characters that a script cannot hold`,
    evidence: JSON.stringify(name),
    action: 'rename the file: letters, digits, dot, hyphen, underscore and plus',
  });
}

/** A package is put into the guest. */
export function stagedPackage(agent: string, evidence: string): Finding {
  return guestFinding({
    code: 'GUEST_AGENT_PACKAGE_STAGED',
    severity: 'fixed',
    message: `${agent}, the agent of the target, is not installed`,
    evidence,
    action: 'its package is put into the guest, and the first boot installs it without the network',
  });
}
