import {
  stepKey,
  type Finding,
  type PlannedResource,
  type PlanStep,
  type RestorePlan,
  type StepKind,
} from '@ascend/domain';

let undoOrder = 0;

function resource(resourceKey: string, kind: PlannedResource['kind']): PlannedResource {
  undoOrder += 1;
  return { resourceKey, kind, undoOrder };
}

function step(
  kind: StepKind,
  dependsOn: readonly string[],
  more: Partial<PlanStep> & { readonly diskIndex?: number } = {},
): PlanStep {
  return {
    key: stepKey(kind, more.diskIndex),
    kind,
    diskIndex: null,
    agentId: 'agent-a',
    dependsOn,
    bytes: 0,
    concurrencyKeys: [],
    resources: [],
    ...more,
  };
}

/** The steps of a two-disk restore with rehearsal; the steps at the target run on `agent-b`. */
const sampleSteps: readonly PlanStep[] = [
  step('analyze-source', []),
  step('validate-target', [], { agentId: 'agent-b' }),
  step('prepare-guest', ['analyze-source', 'validate-target'], {
    resources: [resource('overlay:0', 'overlay')],
  }),
  step('boot-test', ['prepare-guest'], { concurrencyKeys: ['boot:agent-a'] }),
  step('transfer-disk', ['boot-test'], {
    diskIndex: 0,
    agentId: 'agent-b',
    bytes: 3_000,
    resources: [resource('disk', 'disk')],
  }),
  step('transfer-disk', ['boot-test'], {
    diskIndex: 1,
    agentId: 'agent-b',
    bytes: 1_000,
    resources: [resource('disk', 'disk')],
  }),
  step('create-vm', ['transfer-disk:0', 'transfer-disk:1'], {
    agentId: 'agent-b',
    resources: [resource('vm', 'vm')],
  }),
  step('start-and-verify', ['create-vm'], { agentId: 'agent-b', concurrencyKeys: ['boot:agent-b'] }),
  step('configure-vm', ['start-and-verify'], { agentId: 'agent-b' }),
  step('finalize', ['configure-vm']),
];

/** A plan as far as the engine reads it. */
export function samplePlan(
  changed: { readonly steps?: readonly PlanStep[]; readonly findings?: readonly Finding[] } = {},
): RestorePlan {
  return {
    planVersion: 1,
    planId: 'plan-1',
    createdAt: '2026-11-21T06:00:00.000Z',
    backupId: 'backup-1',
    sourceVmName: 'pgtest1',
    inputsHash: 'sha256:00',
    inputs: {},
    policy: {
      vmName: 'pgtest1',
      prepareGuest: true,
      bootTest: true,
      powerOn: true,
      evidence: 'network',
      serialMarker: null,
      bootTimeoutMs: 600_000,
      excludeDisks: [],
      networkMap: {},
      storage: null,
      macs: {},
      cpuCount: null,
      memoryBytes: null,
      bandwidthBytesPerSecond: null,
      addressRules: [],
      firstBootScript: null,
      acceptDirty: false,
      executor: 'auto',
    },
    source: {
      repositoryId: 'repo-1',
      agentId: 'agent-a',
      rootPath: '/srv/backups',
      platform: 'unknown',
      fingerprint: 'sha256:00',
      disks: [],
    },
    target: { targetId: 'local', platform: 'kvm', name: 'local', agentId: 'agent-b' },
    vm: {
      name: 'pgtest1',
      cpuCount: 1,
      coresPerSocket: null,
      memoryBytes: 1024 ** 3,
      firmware: 'bios',
      secureBoot: false,
      tpm: false,
      disks: [],
      nics: [],
      osId: null,
      notes: null,
      tags: {},
    },
    firmware: 'bios',
    disks: [],
    nics: [],
    steps: sampleSteps,
    findings: [],
    estimate: { bytesToMove: 4_000, scratchBytes: 0, durationP50Ms: 1, durationP90Ms: 2 },
    ...changed,
  };
}
