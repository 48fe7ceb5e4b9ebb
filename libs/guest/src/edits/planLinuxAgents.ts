import {
  fitsFileName,
  linuxPackageKind,
  missingLinuxAgents,
  type GuestFacts,
  type GuestNeeds,
  type LinuxAgentNeed,
} from '@ascend/domain';
import { bestFirst } from '../packages/choosePackage.ts';
import { misfitOf } from '../packages/fitsGuest.ts';
import { missingPackage, stagedPackage } from '../packages/packageFindings.ts';
import type { PackageFile, PackageFolder } from '../packages/packageFolder.ts';
import type { LinuxPackage } from '../packages/linuxPackage.ts';
import type { GuestEdit } from './guestEdit.ts';
import type { PlannedEdits } from './planFinding.ts';

/** Planned agents, and the script of the first boot that installs them; null = there is nothing to install. */
export interface PlannedLinuxAgents extends PlannedEdits {
  readonly script: string | null;
}

interface Chosen {
  readonly need: LinuxAgentNeed;
  readonly file: PackageFile;
  readonly found: LinuxPackage;
}

const folder = 'etc/ascend/first-boot/packages';

/** Removes what a failed installation left, so that the guest's own package tool goes on working. */
const opening = `#!/bin/sh
# Written by Ascend: installs agents of the target from the files beside it, never from the network.
cd /${folder} || exit 1
export DEBIAN_FRONTEND=noninteractive
failed=0
install_deb() {
  for try in 1 2 3 4 5; do
    dpkg -i "$1" && return 0
    sleep 20
  done
  dpkg --remove --force-remove-reinstreq "$2"
  return 1
}
install_rpm() {
  rpm -q "$2" && return 0
  for try in 1 2 3 4 5; do
    rpm -U "$1" && return 0
    sleep 20
  done
  return 1
}
start() {
  command -v systemctl > /dev/null 2>&1 || return 0
  systemctl cat "$1" > /dev/null 2>&1 || return 0
  systemctl enable --now "$1" || echo "$1 could not be started"
}
`;

function scriptOf(chosen: readonly Chosen[]): string {
  const parts = chosen.map(({ need, found: { kind, name } }) => {
    const services = (need.services ?? []).map((service) => `  start ${service}\n`).join('');
    return `if [ -e ${need.id}.done ]; then :
elif install_${kind} ./${need.id}.${kind} ${name}; then
  : > ${need.id}.done
${services}else
  echo "${name} could not be installed"
  failed=1
fi
`;
  });
  return `${opening}${parts.join('')}exit "$failed"\n`;
}

function choose(
  need: LinuxAgentNeed,
  guest: GuestFacts,
  packages: PackageFolder,
): Chosen | readonly string[] {
  const kind = linuxPackageKind(guest);
  const named =
    kind === null ? [] : packages.files.filter(({ relPath }) => fitsFileName(need.packages[kind], relPath));
  const problems: string[] = [];
  for (const file of bestFirst(named)) {
    const found = file.linux ?? null;
    if (found === null || found.kind !== kind) problems.push(`${file.relPath} is no ${kind ?? ''} package`);
    else {
      const misfit = misfitOf(found, file.relPath, guest);
      if (misfit === null) return { need, file, found };
      problems.push(misfit);
    }
  }
  return problems;
}

/**
 * Plans the target's agents where a Linux guest lacks them: the package that fits distribution and architecture is put into
 * the guest, and the first boot installs it. What it depends on must be installed already.
 */
export function planLinuxAgents(
  guest: GuestFacts,
  needs: GuestNeeds,
  packages: PackageFolder | null,
): PlannedLinuxAgents {
  const kind = linuxPackageKind(guest);
  const chosen: Chosen[] = [];
  const findings: PlannedEdits['findings'][number][] = [];
  for (const need of missingLinuxAgents(guest, needs)) {
    const wanted = kind === null ? [] : [need.packages[kind]];
    const choice = packages === null ? [] : choose(need, guest, packages);
    if (packages !== null && needs.firstBootSlot === false) {
      findings.push(
        missingPackage(need.id, wanted, packages, 'the target does not let a script run at the first boot'),
      );
    } else if ('need' in choice) {
      chosen.push(choice);
      const { name, version, architecture } = choice.found;
      findings.push(stagedPackage(need.id, `${choice.file.relPath}: ${name} ${version} ${architecture}`));
    } else {
      const problem = choice.length === 0 ? null : choice.slice(0, 5).join('; ');
      findings.push(missingPackage(need.id, wanted, packages, problem));
    }
  }
  const edits = chosen.map(({ need, file, found }): GuestEdit => ({
    kind: 'stage-file',
    source: file.path,
    path: `${folder}/${need.id}.${found.kind}`,
    reason: `the first boot installs ${need.id}, an agent of the target`,
  }));
  return { edits, findings, script: chosen.length === 0 ? null : scriptOf(chosen) };
}
