import {
  platformIds,
  type JobStep,
  type PlanStep,
  type RestoreJob,
  type RestorePlan,
  type StepKind,
} from '@ascend/domain';
import type { JobChange } from '../queries/jobView.ts';

const [platform] = platformIds;

function planStep(key: string, kind: StepKind, more: Partial<PlanStep> = {}): PlanStep {
  return {
    key,
    kind,
    diskIndex: null,
    agentId: 'edge',
    dependsOn: [],
    bytes: 0,
    concurrencyKeys: [],
    resources: [],
    ...more,
  };
}

/** A small plan: check, one disk, the VM, the end. */
export function samplePlan(planId: string, backupId: string): RestorePlan {
  return {
    planVersion: 1,
    planId,
    createdAt: '2026-11-21T06:00:00.000Z',
    backupId,
    sourceVmName: 'pgtest1',
    inputsHash: `hash-of-${planId}`,
    inputs: { fingerprint: 'f', policy: 'p' },
    policy: {
      vmName: 'again',
      prepareGuest: false,
      bootTest: false,
      powerOn: true,
      evidence: 'serial-marker',
      serialMarker: null,
      bootTimeoutMs: 60_000,
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
      agentId: 'edge',
      rootPath: '/r',
      platform: 'unknown',
      fingerprint: 'f',
      disks: [
        { diskIndex: 0, relPath: 'a.qcow2', format: 'qcow2', virtualSizeBytes: 1024, allocatedBytes: 512 },
      ],
    },
    target: { targetId: 'local', platform, name: 'local', agentId: 'edge' },
    vm: {
      name: 'again',
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
    steps: [
      planStep('analyze-source', 'analyze-source'),
      planStep('transfer-disk:0', 'transfer-disk', {
        diskIndex: 0,
        bytes: 512,
        dependsOn: ['analyze-source'],
        resources: [{ resourceKey: 'disk', kind: 'disk', undoOrder: 1 }],
      }),
      planStep('create-vm', 'create-vm', {
        dependsOn: ['transfer-disk:0'],
        resources: [{ resourceKey: 'vm', kind: 'vm', undoOrder: 2 }],
      }),
      planStep('finalize', 'finalize', { dependsOn: ['create-vm'] }),
    ],
    findings: [],
    estimate: { bytesToMove: 512, scratchBytes: 0, durationP50Ms: 1000, durationP90Ms: 2000 },
  };
}

/** A job of `samplePlan` before its first dispatch. */
export function sampleJob(jobId: string, backupId: string): RestoreJob {
  const plan = samplePlan(`plan-${jobId}`, backupId);
  return {
    jobId,
    plan,
    state: 'queued',
    cancelRequested: false,
    rollbackRequested: false,
    pauseRequested: false,
    steps: plan.steps.map(({ key }): JobStep => ({
      key,
      state: 'waiting',
      attempt: 0,
      opId: null,
      epoch: 0,
      notBeforeMs: 0,
      error: null,
      output: null,
      checkpoint: null,
      startedAtMs: null,
      completedAtMs: null,
    })),
    ledger: [],
    error: null,
  };
}

/** The job with one step changed; all others stay the same objects. */
export function withStep(job: RestoreJob, key: string, change: Partial<JobStep>): RestoreJob {
  const changed = (step: JobStep): JobStep => (step.key === key ? { ...step, ...change } : step);
  return { ...job, steps: job.steps.map(changed) };
}

/** The job as the engine leaves it after dispatching the transfer as `op-1`, with its ledger row. */
export function dispatchedJob(job: RestoreJob): RestoreJob {
  const running = { ...job, state: 'running' as const };
  const withOp = withStep(running, 'transfer-disk:0', {
    state: 'dispatched',
    attempt: 1,
    opId: 'op-1',
    epoch: 1,
  });
  return {
    ...withOp,
    ledger: [
      {
        jobId: job.jobId,
        stepKey: 'transfer-disk:0',
        resourceKey: 'disk',
        targetId: 'local',
        kind: 'disk',
        name: `ascend-${job.jobId}-disk`,
        token: null,
        state: 'intended',
        undoOrder: 1,
        opId: 'op-1',
      },
    ],
  };
}

/** A change to `after` that shows the older columns a pending job. */
export function jobChange(after: RestoreJob, more: Partial<JobChange> = {}): JobChange {
  const view = { status: 'pending' as const, progressPercent: 0, estimatedCompletionMs: null };
  return { after, view, outbox: [], events: [], ...more };
}
