import type {
  AgentView,
  PlatformData,
  PlatformId,
  RestorePlan,
  RestorePoint,
  RestoreRequest,
  TargetFacts,
  VmSpec,
} from '@ascend/domain';
import type { PlanParams } from '@ascend/planner';
import type { Clock } from '@ascend/runtime';
import { shortDeadlineMs, type AskAgent } from '../agents/agentAsk.ts';
import { pickAgent } from '../agents/pickAgent.ts';
import type { ReadPointFacts } from './pointFacts.ts';
import type { TargetUse } from './reservations.ts';

/** Longest use of stored target facts: names and free space change quickly. */
const targetFactsMaxAgeMs = 60_000;

/** A target as planning needs it; the connection holds no secrets. */
interface PlanTarget {
  readonly targetId: string;
  readonly name: string;
  readonly platform: PlatformId;
  readonly connection: Readonly<Record<string, unknown>>;
}

/** What planning reads and asks. */
export interface PlanDeps {
  readonly clock: Clock;
  readonly newPlanId: () => string;
  /** @throws {AppError} CATALOG_* - unknown or not restorable */
  restorePoint(backupId: string): Promise<RestorePoint>;
  vmSpec(backupId: string): Promise<VmSpec | null>;
  /** @throws {AppError} when the target is unknown */
  target(targetId: string): Promise<PlanTarget>;
  agents(): Promise<readonly AgentView[]>;
  platformData(platform: PlatformId): PlatformData;
  readonly pointFacts: ReadPointFacts;
  targetFacts: {
    read(targetId: string): Promise<TargetFacts | null>;
    write(facts: TargetFacts, agentId: string): Promise<void>;
  };
  readonly ask: AskAgent;
  readonly use: TargetUse;
  planRestore(params: PlanParams): RestorePlan;
}

/** Plans restores from what is known now. */
export interface PlanService {
  /** Computes a plan; obstacles are findings in it. Nothing is created, nothing is stored but facts. */
  plan(request: RestoreRequest): Promise<RestorePlan>;
  /** Facts of a target, at most `maxAgeMs` old. */
  targetFacts(target: PlanTarget, maxAgeMs: number): Promise<TargetFacts>;
}

function isFresh(at: string, nowMs: number, maxAgeMs: number): boolean {
  return nowMs - Date.parse(at) <= maxAgeMs;
}

async function readTargetFacts(deps: PlanDeps, target: PlanTarget, maxAgeMs: number): Promise<TargetFacts> {
  const stored = await deps.targetFacts.read(target.targetId);
  if (stored !== null && isFresh(stored.fetchedAt, deps.clock.now(), maxAgeMs)) {
    // A restore that ran there since may have taken a name or space.
    const isTouched = await deps.use.isTouchedSince(target.targetId, Date.parse(stored.fetchedAt));
    if (!isTouched) return stored;
  }
  const agent = pickAgent(await deps.agents(), { targetId: target.targetId });
  const { targetId, platform, connection } = target;
  const request = { target: { targetId, platform, connection } };
  const facts = await deps.ask(agent, 'inventory', request, shortDeadlineMs);
  await deps.targetFacts.write(facts, agent.agentId);
  return facts;
}

/** Creates the service. */
export function createPlanService(deps: PlanDeps): PlanService {
  return {
    targetFacts: (target, maxAgeMs) => readTargetFacts(deps, target, maxAgeMs),
    plan: async (request) => {
      const [restorePoint, vmSpec, target] = await Promise.all([
        deps.restorePoint(request.backupId),
        deps.vmSpec(request.backupId),
        deps.target(request.targetId),
      ]);
      const [facts, targetFacts] = await Promise.all([
        deps.pointFacts(restorePoint, request.policy.excludeDisks ?? []),
        readTargetFacts(deps, target, targetFactsMaxAgeMs),
      ]);
      return deps.planRestore({
        planId: deps.newPlanId(),
        now: new Date(deps.clock.now()).toISOString(),
        request,
        restorePoint,
        vmSpec,
        facts,
        target,
        targetFacts,
        platform: deps.platformData(target.platform),
        agents: await deps.agents(),
        reservations: await deps.use.reservations(target.targetId),
      });
    },
  };
}
