import { basename } from 'node:path';
import {
  missingWindowsAgents,
  windowsPackagesOf,
  type WindowsAgentNeed,
  type WindowsAgentPackage,
} from '@ascend/domain';
import type { PackageFolder } from '../../packages/packageFolder.ts';
import { missingPackage, stagedPackage, unsafePackage } from '../../packages/packageFindings.ts';
import { choosePackage } from '../../packages/choosePackage.ts';
import { firstBootFolder, type AgentInstall } from './firstBootScript.ts';
import type { PlannedWindows, WindowsPlanParams } from './planParams.ts';
import type { WindowsEdit } from './windowsEdit.ts';

/** Planned agents, and how first boot installs them. */
export interface PlannedAgents extends PlannedWindows {
  readonly installs: readonly AgentInstall[];
}

interface Choice {
  readonly path: string;
  readonly sizeBytes: number;
  readonly way: WindowsAgentPackage;
}

function choose(folder: PackageFolder, ways: readonly WindowsAgentPackage[]): Choice | null {
  for (const way of ways) {
    const found = choosePackage(folder.files, way.pattern);
    if (found !== null) return { path: found.path, sizeBytes: found.sizeBytes, way };
  }
  return null;
}

function planOne(params: WindowsPlanParams, agent: WindowsAgentNeed): PlannedAgents {
  const nothing: PlannedAgents = { edits: [], findings: [], installs: [] };
  const ways = windowsPackagesOf(agent, params.facts);
  const chosen = params.packages === null ? null : choose(params.packages, ways);
  if (chosen === null) {
    if (agent.optional === true) return nothing;
    const wanted = ways.map(({ pattern }) => pattern);
    return { ...nothing, findings: [missingPackage(agent.name, wanted, params.packages)] };
  }
  const name = basename(chosen.path);
  // The name becomes a part of a script.
  if (!/^[\w.+-]{1,120}$/.test(name)) return { ...nothing, findings: [unsafePackage(agent.name, name)] };
  const path = `${params.facts.systemRoot}/${firstBootFolder}/${name}`;
  const edit: WindowsEdit = {
    kind: 'stage-file',
    source: chosen.path,
    path,
    reason: `first boot installs ${agent.name}, the agent of the target`,
  };
  return {
    edits: [edit],
    findings: [stagedPackage(agent.name, `${name}, ${chosen.sizeBytes} bytes`)],
    installs: [
      {
        path: `${firstBootFolder}\\${name}`,
        kind: chosen.way.kind,
        arguments: chosen.way.arguments ?? [],
      },
    ],
  };
}

/** Plans the target's agents where they lack: their packages are put into the guest, first boot installs them. */
export function planWindowsAgents(params: WindowsPlanParams): PlannedAgents {
  const parts = missingWindowsAgents(params.facts, params.needs.agents).map((agent) =>
    planOne(params, agent),
  );
  return {
    edits: parts.flatMap(({ edits }) => edits),
    findings: parts.flatMap(({ findings }) => findings),
    installs: parts.flatMap(({ installs }) => installs),
  };
}
