import type { Finding, RestorePolicy } from '@ascend/domain';
import { finding, type Chosen } from '../finding.ts';
import type { PlanParams } from '../params.ts';

function isLegal(name: string, params: PlanParams): boolean {
  const { maxNameLength, namePattern } = params.platform.capabilities;
  return name.length <= maxNameLength && new RegExp(namePattern, 'u').test(name);
}

/** A legal name near the wanted one, or null when no simple change makes one. */
function similarName(name: string, params: PlanParams): string | null {
  const candidate = name
    .normalize('NFKD')
    .replaceAll(/[^A-Za-z0-9]+/g, '-')
    .replace(/^-+/, '')
    .slice(0, params.platform.capabilities.maxNameLength)
    .replace(/-+$/, '');
  return candidate !== '' && isLegal(candidate, params) ? candidate : null;
}

/** The name of the new VM. An illegal name that nobody asked for is adjusted; one that was asked for blocks. */
export function chooseName(params: PlanParams, policy: RestorePolicy): Chosen<string> {
  const { maxNameLength, namePattern } = params.platform.capabilities;
  const wanted = policy.vmName;
  const similar = isLegal(wanted, params) ? null : similarName(wanted, params);
  const findings: Finding[] = [];
  const adjusted = params.request.policy.vmName === undefined ? similar : null;
  const name = adjusted ?? wanted;
  if (adjusted !== null) {
    findings.push(
      finding({
        code: 'PLAN_NAME_ADJUSTED',
        severity: 'fixed',
        subject: 'target',
        message: `the platform does not allow the name ${wanted}; the new VM is named ${adjusted}`,
        evidence: `at most ${maxNameLength} characters, ${namePattern}`,
      }),
    );
  } else if (!isLegal(wanted, params)) {
    findings.push(
      finding({
        code: 'PLAN_NAME_ILLEGAL',
        severity: 'blocked',
        subject: 'target',
        message: `the platform does not allow the name ${wanted}`,
        evidence: `at most ${maxNameLength} characters, ${namePattern}`,
        ...(similar === null ? {} : { action: `Give another name, for example ${similar}.` }),
      }),
    );
  }
  if (params.targetFacts.vmNames.includes(name)) {
    findings.push(
      finding({
        code: 'PLAN_NAME_TAKEN',
        severity: 'blocked',
        subject: 'target',
        message: `target ${params.target.name} has a VM named ${name} already`,
        evidence: `inventory of ${params.targetFacts.fetchedAt}`,
      }),
    );
  }
  return { value: name, findings };
}
