import { isBlocked, type RestorePlan, type RestoreRequest } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import { findingSchema, toSnake } from '@ascend/protocol';
import { diffInputs } from '@ascend/planner';
import { ProblemError } from '../http/problem.ts';

/** What is compared: a stored plan, or one that a caller brought along. Only these fields of it are believed. */
export type GivenPlan = Pick<
  RestorePlan,
  'planId' | 'backupId' | 'target' | 'policy' | 'inputsHash' | 'inputs'
>;

/** The request that a plan answers. */
export function requestOf(plan: GivenPlan): RestoreRequest {
  return { backupId: plan.backupId, targetId: plan.target.targetId, policy: plan.policy };
}

/**
 * Decides whether a plan may start: it is computed anew, and what it was made from must be what is there now (D3).
 * Returns today's plan under the given id, so that the agents chosen are ones that are online.
 *
 * @throws {ProblemError} PLAN_STALE with the changes, PLAN_BLOCKED with the findings
 */
export function acceptPlan(given: GivenPlan, today: RestorePlan): RestorePlan {
  if (given.inputsHash !== today.inputsHash) {
    const changes = diffInputs(given, today).map(({ name, before, after }) => ({
      input: name,
      planned: before,
      now: after,
    }));
    const error = new AppError({
      code: 'PLAN_STALE',
      message: `start plan ${given.planId}: ${changes.length} inputs changed since it was made`,
      details: { planned: given.inputsHash, now: today.inputsHash, changed: changes.map((one) => one.input) },
    });
    throw new ProblemError(error, { changes });
  }
  if (isBlocked(today.findings)) {
    const blocked = today.findings.filter((finding) => finding.severity === 'blocked');
    const error = new AppError({
      code: 'PLAN_BLOCKED',
      message: `start plan ${given.planId}: ${blocked.length} findings forbid it: ${blocked[0]?.message ?? ''}`,
      details: { codes: blocked.map((finding) => finding.code) },
    });
    throw new ProblemError(error, { findings: blocked.map((finding) => toSnake(findingSchema, finding)) });
  }
  return { ...today, planId: given.planId };
}
