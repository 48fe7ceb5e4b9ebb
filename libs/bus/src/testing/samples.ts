import type { RestorePlan } from '@ascend/domain';
import type { StepCommand, StepEvent } from '@ascend/protocol';

const megabyte = 1024 * 1024;

/** A small valid plan with one disk and no steps of its own. */
export const samplePlan: RestorePlan = {
  planVersion: 1,
  planId: 'plan-1',
  createdAt: '2026-11-20T10:00:00.000Z',
  backupId: 'backup-1',
  sourceVmName: 'pgtest1',
  inputsHash: 'hash',
  inputs: {},
  policy: {
    vmName: 'pgtest1',
    prepareGuest: true,
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
    agentId: 'alpha',
    rootPath: '/backups',
    platform: 'unknown',
    fingerprint: 'fingerprint',
    disks: [],
  },
  target: { targetId: 'target-1', platform: 'kvm', name: 'local', agentId: 'alpha' },
  vm: {
    name: 'pgtest1',
    cpuCount: 1,
    coresPerSocket: null,
    memoryBytes: 512 * megabyte,
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
  steps: [],
  findings: [],
  estimate: { bytesToMove: 0, scratchBytes: 0, durationP50Ms: 0, durationP90Ms: 0 },
};

/** A valid command; every field can be replaced. */
export function sampleCommand(fields: Partial<StepCommand> = {}): StepCommand {
  return {
    v: 1,
    opId: 'op-1',
    jobId: 'job-1',
    stepKey: 'analyze-source',
    kind: 'analyze-source',
    mode: 'run',
    resourceKey: null,
    attempt: 1,
    epoch: 1,
    deadlineMs: Date.now() + 3_600_000,
    plan: samplePlan,
    outputs: {},
    checkpoint: null,
    ledger: [],
    target: { targetId: 'target-1', platform: 'kvm', connection: {} },
    ...fields,
  };
}

/** A valid `succeeded` event. */
export function sampleEvent(fields: { readonly eventId: string; readonly jobId?: string }): StepEvent {
  return {
    v: 1,
    jobId: 'job-1',
    opId: 'op-1',
    stepKey: 'analyze-source',
    epoch: 1,
    atMs: Date.now(),
    type: 'succeeded',
    output: { ok: true },
    ...fields,
  };
}

/** Waits until `condition` holds. @throws {Error} after `timeoutMs` */
export async function waitFor(condition: () => boolean, what: string, timeoutMs = 30_000): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`waited ${timeoutMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
