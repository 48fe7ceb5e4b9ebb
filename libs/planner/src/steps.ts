import {
  stepDefinitions,
  stepKey,
  type PlannedDisk,
  type PlannedResource,
  type PlanStep,
  type RestorePolicy,
  type StepKind,
} from '@ascend/domain';
import type { Placement } from './rules/placement.ts';

/** What decides which steps a plan has. */
export interface StepsParams {
  readonly policy: RestorePolicy;
  readonly bootTest: boolean;
  readonly placement: Placement;
  readonly disks: readonly PlannedDisk[];
  readonly preparedDisks: readonly number[];
}

interface StepShape {
  readonly kind: StepKind;
  readonly dependsOn: readonly string[];
  readonly diskIndex?: number;
  readonly bytes?: number;
  /** Resource keys in the order of their creation. */
  readonly resources?: readonly Omit<PlannedResource, 'undoOrder'>[];
  readonly concurrencyKeys?: readonly string[];
}

/**
 * The steps in the order they are listed, with what each waits for:
 * analyze-source, validate-target → prepare-guest → boot-test → transfer-disk × n (in parallel) → create-vm →
 * start-and-verify → configure-vm → finalize. A rehearsal and a start take the machine's boot slot, so that two
 * emulated guests never share one host.
 */
export function planSteps(params: StepsParams): readonly PlanStep[] {
  const { policy, placement, disks } = params;
  const shapes: StepShape[] = [
    { kind: 'analyze-source', dependsOn: [] },
    { kind: 'validate-target', dependsOn: [] },
  ];
  let last: readonly string[] = [stepKey('analyze-source'), stepKey('validate-target')];
  const then = (shape: Omit<StepShape, 'dependsOn'>): void => {
    shapes.push({ ...shape, dependsOn: last });
    last = [stepKey(shape.kind)];
  };
  if (policy.prepareGuest) {
    then({
      kind: 'prepare-guest',
      resources: params.preparedDisks.map((index) => ({
        resourceKey: `overlay:${index}`,
        kind: 'overlay',
      })),
      concurrencyKeys: [`guest-edit:${placement.sourceAgentId}`],
    });
  }
  if (params.bootTest) {
    then({ kind: 'boot-test', concurrencyKeys: [`boot:${placement.sourceAgentId}`] });
  }
  for (const disk of disks) {
    shapes.push({
      kind: 'transfer-disk',
      dependsOn: last,
      diskIndex: disk.diskIndex,
      bytes: disk.bytesToMove,
      resources: [{ resourceKey: 'disk', kind: 'disk' }],
    });
  }
  last = disks.length === 0 ? last : disks.map((disk) => stepKey('transfer-disk', disk.diskIndex));
  then({ kind: 'create-vm', resources: [{ resourceKey: 'vm', kind: 'vm' }] });
  if (policy.powerOn) {
    then({ kind: 'start-and-verify', concurrencyKeys: [`boot:${placement.targetAgentId}`] });
  }
  then({ kind: 'configure-vm' });
  then({ kind: 'finalize' });
  return number(shapes, placement);
}

function number(shapes: readonly StepShape[], placement: Placement): readonly PlanStep[] {
  let undoOrder = 0;
  return shapes.map((shape) => ({
    key: stepKey(shape.kind, shape.diskIndex),
    kind: shape.kind,
    diskIndex: shape.diskIndex ?? null,
    agentId:
      stepDefinitions[shape.kind].runsOn === 'repository-agent'
        ? placement.sourceAgentId
        : placement.targetAgentId,
    dependsOn: shape.dependsOn,
    bytes: shape.bytes ?? 0,
    concurrencyKeys: shape.concurrencyKeys ?? [],
    resources: (shape.resources ?? []).map((resource) => {
      undoOrder += 1;
      return { resourceKey: resource.resourceKey, kind: resource.kind, undoOrder };
    }),
  }));
}
