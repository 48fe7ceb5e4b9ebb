import type { Finding, GuestNicFacts, SourcedLimit, VmNic } from '@ascend/domain';
import { expect, test } from 'vitest';
import type { PlanParams } from '../params.ts';
import { planRestore } from '../planRestore.ts';
import {
  type sampleAgent,
  sampleAgentWith,
  sampleParams,
  samplePoint,
  sampleSpec,
  sampleTargetFacts,
  withPolicy,
} from './sampleParams.ts';

/** Bytes of one GiB. */
export const gib = 1024 ** 3;

/** An interface as a guest's file describes it when it says nothing but the name. */
export const bare: GuestNicFacts = {
  name: 'ens3',
  mac: null,
  addresses: [],
  configPath: '/etc/netplan/1.yaml',
};

/** Sample parameters with another restore point. */
export function point(changed: Partial<PlanParams['restorePoint']>): PlanParams {
  return sampleParams({ restorePoint: { ...samplePoint, ...changed } });
}

/** Sample parameters with another inventory of the target. */
export function target(
  changed: Partial<PlanParams['targetFacts']>,
  policy: PlanParams['request']['policy'] = {},
): PlanParams {
  return withPolicy(policy, { targetFacts: { ...sampleTargetFacts, ...changed } });
}

/** Sample parameters with another agent. */
export function agent(changed: Partial<typeof sampleAgent>): PlanParams {
  return sampleParams({ agents: [sampleAgentWith(changed)] });
}

/** Sample parameters with an agent of other capabilities. */
export function able(
  changed: Partial<(typeof sampleAgent)['capabilities']>,
  policy: PlanParams['request']['policy'] = {},
): PlanParams {
  return withPolicy(policy, { agents: [sampleAgentWith({}, changed)] });
}

/** Sample parameters with other interfaces in the specification. */
export function nics(list: readonly VmNic[]): PlanParams {
  return sampleParams({ vmSpec: { ...sampleSpec, nics: list } });
}

/** A limit with a made-up source. */
export function limit(value: number): SourcedLimit {
  return { value, source: 'test table', readOn: '2026-11-21' };
}

/** The findings of the plan that the parameters give. */
export function findingsOf(params: PlanParams): readonly Finding[] {
  return planRestore(params).findings;
}

/** Title, parameters, the finding they must give (`code severity subject`), and a text that its message holds. */
export type ObstacleRow = readonly [title: string, params: PlanParams, finding: string, text: string];

/** One test per row: the finding is there, says what the operator can do, and a plan without obstacles does not have it. */
export function testObstacles(rows: readonly ObstacleRow[]): void {
  test.each(rows)('%s is a finding', (_title, params, expected, text) => {
    const same = (finding: Finding): boolean =>
      `${finding.code} ${finding.severity} ${finding.subject}` === expected;
    const found = findingsOf(params).filter(same);
    expect(found.map((finding) => finding.message).join('\n')).toContain(text);
    expect(found.every((finding) => finding.action.length > 0)).toBe(true);
    expect(
      findingsOf(sampleParams()).filter((finding) => same(finding) && finding.message.includes(text)),
    ).toEqual([]);
  });
}

/** One test per row: the parameters do not give a finding of this code. */
export function testNoObstacles(
  rows: readonly (readonly [title: string, params: PlanParams, code: string])[],
): void {
  test.each(rows)('%s', (_title, params, code) => {
    expect(findingsOf(params).map((finding) => finding.code)).not.toContain(code);
  });
}
