import { isBlocked, type AgentView } from '@ascend/domain';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalJson } from './canonical.ts';
import type { PlanParams } from './params.ts';
import { planRestore } from './planRestore.ts';
import {
  sampleAgentWith,
  sampleDisk,
  sampleGuest,
  sampleKernel,
  samplePoint,
  sampleTargetFacts,
  withGuest,
} from './testing/sampleParams.ts';

const word = fc.constantFrom('a', 'b', 'Zürich 1', 'x'.repeat(40), '__proto__', '');
interface AgentDraw {
  readonly id: string;
  readonly online: boolean;
  readonly repositories: Readonly<Record<string, string>>;
  readonly targets: readonly string[];
  readonly scratch: number;
}

function agentOf({ id, online, repositories, targets, scratch }: AgentDraw): AgentView {
  return sampleAgentWith({ agentId: id, online, repositories, targets }, { scratchFreeBytes: scratch });
}

const anyParams: fc.Arbitrary<PlanParams> = fc
  .record({
    policy: fc.record(
      {
        vmName: word,
        prepareGuest: fc.boolean(),
        bootTest: fc.boolean(),
        powerOn: fc.boolean(),
        excludeDisks: fc.array(fc.nat(4), { maxLength: 3 }),
        storage: fc.option(word),
        networkMap: fc.dictionary(word, word),
        cpuCount: fc.option(fc.integer({ min: 1, max: 64 })),
      },
      { requiredKeys: [] },
    ),
    family: fc.constantFrom('linux' as const, 'windows' as const, 'unknown' as const),
    root: fc.option(fc.constant(sampleGuest.root)),
    kernels: fc.subarray([sampleKernel]),
    disks: fc.array(fc.nat(5).map(sampleDisk), { maxLength: 4 }),
    agents: fc.uniqueArray(
      fc.record({
        id: fc.constantFrom('agent-a', 'agent-b', 'agent-c'),
        online: fc.boolean(),
        repositories: fc.constantFrom({}, { 'repo-1': '/srv' }),
        targets: fc.subarray(['local']),
        scratch: fc.constantFrom(0, 1e12),
      }),
      { maxLength: 3, selector: (agent) => agent.id },
    ),
    storages: fc.uniqueArray(word, { maxLength: 3 }),
    networks: fc.uniqueArray(word, { maxLength: 3 }),
    bare: fc.boolean(),
  })
  .map((draw) => {
    const agents = draw.agents.map(agentOf);
    return withGuest(
      { family: draw.family, root: draw.root, kernels: draw.kernels },
      {
        request: { backupId: 'backup-1', targetId: 'local', policy: draw.policy },
        restorePoint: { ...samplePoint, disks: draw.disks },
        targetFacts: {
          ...sampleTargetFacts,
          storages: draw.storages.map((name, index) => ({ name, freeBytes: index * 1e9, totalBytes: 1e12 })),
          networks: draw.networks.map((name) => ({ name, about: '' })),
        },
        agents,
        ...(draw.bare ? { vmSpec: null } : {}),
      },
    );
  });

/** The same value with the keys of every object in reverse order. */
function reverseKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reverseKeys);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([key, item]) => [key, reverseKeys(item)]),
  );
}

describe('any input', () => {
  test('gives a plan: steps that only wait for earlier ones, unique keys, whole numbers', () => {
    fc.assert(
      fc.property(anyParams, (params) => {
        const plan = planRestore(params);
        const seen = new Set<string>();
        for (const step of plan.steps) {
          expect(seen.has(step.key)).toBe(false);
          expect(step.dependsOn.every((key) => seen.has(key))).toBe(true);
          seen.add(step.key);
        }
        expect(Number.isSafeInteger(plan.estimate.durationP90Ms)).toBe(true);
        const orders = plan.steps.flatMap((step) => step.resources.map((resource) => resource.undoOrder));
        expect(orders).toEqual(orders.map((_, index) => index + 1));
      }),
      { numRuns: 300 },
    );
  });

  test('gives the same bytes again, whatever the order of keys and of what the inventory lists', () => {
    fc.assert(
      fc.property(anyParams, (params) => {
        const { storages, networks } = params.targetFacts;
        const other: PlanParams = {
          ...params,
          agents: params.agents.toReversed(),
          targetFacts: {
            ...params.targetFacts,
            storages: storages.toReversed(),
            networks: networks.toReversed(),
          },
        };
        expect(JSON.stringify(planRestore(other))).toBe(JSON.stringify(planRestore(params)));
        expect(canonicalJson(reverseKeys(params))).toBe(canonicalJson(params));
      }),
      { numRuns: 300 },
    );
  });

  test('gives the same inputs and steps when planned again from the policy of the plan', () => {
    fc.assert(
      fc.property(anyParams, (params) => {
        const plan = planRestore(params);
        const again = planRestore({ ...params, request: { ...params.request, policy: plan.policy } });
        expect(again.inputsHash).toBe(plan.inputsHash);
        expect(again.steps).toEqual(plan.steps);
        expect(isBlocked(again.findings)).toBe(isBlocked(plan.findings));
      }),
      { numRuns: 300 },
    );
  });

  test('is blocked or has an agent, a storage for each disk and a network for each interface', () => {
    fc.assert(
      fc.property(anyParams, (params) => {
        const plan = planRestore(params);
        const named = [
          plan.source.agentId,
          plan.target.agentId,
          plan.source.rootPath,
          ...plan.disks.map((disk) => disk.storage),
          ...plan.nics.map((nic) => nic.network),
        ];
        const blocked = isBlocked(plan.findings);
        expect(blocked || !named.includes('-')).toBe(true);
        expect(blocked || plan.disks.some((disk) => disk.boot)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});
