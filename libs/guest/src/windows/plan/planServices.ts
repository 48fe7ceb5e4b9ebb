import { bootControlSet, usableServices, windowsService } from '@ascend/domain';
import type { RegistryEdit } from '../registry/registryEdit.ts';
import { finding, type PlannedWindows, type WindowsPlanParams } from './planParams.ts';

/** Sets `Start` of a service in every control set that has it with another one; a key that would override it goes. */
export function startEdits(
  params: WindowsPlanParams,
  name: string,
  wanted: { readonly start: number; readonly reason: string },
): readonly RegistryEdit[] {
  const { start, reason } = wanted;
  return params.facts.controlSets.flatMap((set) => {
    const service = windowsService(set, name);
    if (service === null) return [];
    const place = { hive: 'SYSTEM', key: `${set.name}\\Services\\${service.name}`, reason } as const;
    const edits: RegistryEdit[] = [];
    if (service.start !== start) {
      edits.push({
        kind: 'set-registry-value',
        ...place,
        name: 'Start',
        value: { type: 'REG_DWORD', data: start },
      });
    }
    if (service.startOverride)
      edits.push({ kind: 'delete-registry-key', ...place, key: `${place.key}\\StartOverride` });
    return edits;
  });
}

/** The drivers Windows ships for the target's disks, started at boot in every control set. */
export function planBootServices(params: WindowsPlanParams): PlannedWindows {
  const set = bootControlSet(params.facts);
  const edits: RegistryEdit[] = [];
  const findings: PlannedWindows['findings'][number][] = [];
  for (const group of params.needs.bootServices) {
    const present = usableServices(params.facts, group);
    if (present.length === 0) {
      findings.push(
        finding('GUEST_DRIVER_PACKAGE_MISSING', 'blocked', {
          message: `Windows has no service and file for ${group.join(' or ')}, which the target boots with`,
          evidence: set === null ? 'no control set' : `${set.name}: ${set.services.length} drivers`,
          action: 'choose another disk bus or target',
        }),
      );
    }
    for (const name of present) {
      const reason = `the target boots with ${name}, which must start at boot`;
      const own = startEdits(params, name, { start: 0, reason });
      if (own.length === 0) continue;
      edits.push(...own);
      findings.push(
        finding('GUEST_BOOT_DRIVER_DISABLED', 'fixed', {
          message: `the driver ${name} does not start at boot in every control set`,
          evidence: own.map((edit) => edit.key).join(', '),
          action: 'it is set to start at boot',
        }),
      );
    }
  }
  return { edits, findings };
}

/** Services of the source platform off, the target's agent on where it is installed. */
export function planOtherServices(params: WindowsPlanParams): PlannedWindows {
  const { needs, facts } = params;
  const off = needs.disabledServices.map((name) => ({
    name,
    edits: startEdits(params, name, { start: 4, reason: `${name} belongs to the source platform` }).filter(
      (edit) => edit.kind === 'set-registry-value',
    ),
  }));
  const disabled = off.filter((each) => each.edits.length > 0);
  const agentOn = needs.agents
    .flatMap(({ services }) => services)
    .flatMap((name) => {
      const isOff = facts.controlSets.some((set) => windowsService(set, name)?.start === 4);
      return isOff ? startEdits(params, name, { start: 2, reason: `${name} is an agent of the target` }) : [];
    });
  const findings =
    disabled.length === 0
      ? []
      : [
          finding('GUEST_SOURCE_TOOLS_PRESENT', 'fixed', {
            message: `${disabled.length} services of the source platform would run on the target`,
            evidence: disabled.map((each) => each.name).join(', '),
            action: 'they are disabled',
          }),
        ];
  return { edits: [...disabled.flatMap((each) => each.edits), ...agentOn], findings };
}

/** Disks of the target come up online. */
export function planSanPolicy(params: WindowsPlanParams): PlannedWindows {
  const { sanPolicy } = params.needs;
  if (sanPolicy === null || params.facts.sanPolicy === sanPolicy) return { edits: [], findings: [] };
  const edits = params.facts.controlSets.map((set): RegistryEdit => ({
    kind: 'set-registry-value',
    hive: 'SYSTEM',
    key: `${set.name}\\Services\\partmgr\\Parameters`,
    name: 'SanPolicy',
    value: { type: 'REG_DWORD', data: sanPolicy },
    reason: 'disks on a new bus would stay offline',
  }));
  return { edits, findings: [] };
}
