import type { RestorePolicy } from '@ascend/domain';
import { finding, showList, type Chosen } from '../finding.ts';
import { nothing, type PlanParams } from '../params.ts';

/** What the network of one interface is chosen by. */
export interface NetworkQuestion {
  readonly nicIndex: number;
  /** Network on the source; null = unknown. */
  readonly sourceNetwork: string | null;
}

function mapped(question: NetworkQuestion, networkMap: Readonly<Record<string, string>>): string | null {
  // A Map, because a network may be named like a property every object has.
  const map = new Map(Object.entries(networkMap));
  const bySource = question.sourceNetwork === null ? undefined : map.get(question.sourceNetwork);
  return map.get(`nic:${question.nicIndex}`) ?? bySource ?? map.get('*') ?? null;
}

/**
 * The target network of one interface. The policy's map is asked for `nic:<index>`, for the source network's name and for
 * `*`, in this order; then a network of the same name is taken; then the first one by name, marked as a guess.
 */
export function chooseNetwork(
  params: PlanParams,
  policy: RestorePolicy,
  question: NetworkQuestion,
): Chosen<string> {
  const names = params.targetFacts.networks.map((network) => network.name).sort();
  const subject = `nic:${question.nicIndex}`;
  const evidence = `networks: ${showList(names)}`;
  const wanted = mapped(question, policy.networkMap);
  if (wanted !== null && !names.includes(wanted)) {
    return {
      value: wanted,
      findings: [
        finding({
          code: 'PLAN_NETWORK_UNKNOWN',
          severity: 'blocked',
          subject,
          message: `target ${params.target.name} has no network named ${wanted}`,
          evidence,
        }),
      ],
    };
  }
  if (wanted !== null) return { value: wanted, findings: [] };
  const source = question.sourceNetwork;
  if (source !== null && names.includes(source)) return { value: source, findings: [] };
  const [guess] = names;
  if (guess === undefined) {
    return {
      value: nothing,
      findings: [
        finding({
          code: 'PLAN_NETWORK_UNKNOWN',
          severity: 'blocked',
          subject,
          message: `target ${params.target.name} has no network`,
        }),
      ],
    };
  }
  return {
    value: guess,
    findings: [
      finding({
        code: 'PLAN_NETWORK_GUESSED',
        severity: 'warning',
        subject,
        message: `network ${source ?? '(unknown)'} of nic ${question.nicIndex} becomes ${guess} by guess`,
        evidence,
        action: `Map it in the policy if the guess is wrong: network_map {"${source ?? subject}": …}.`,
      }),
    ],
  };
}
