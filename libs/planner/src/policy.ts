import type { RestorePoint, RestorePolicy } from '@ascend/domain';

/** The wishes of an operator who has none. A rehearsal is opt-in because the start on the target is proven anyway. */
export const policyDefaults: Omit<RestorePolicy, 'vmName'> = {
  prepareGuest: true,
  bootTest: false,
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
  executor: 'auto',
  acceptDirty: false,
};

/** The policy with every field filled: what was asked, else the default; the name defaults to that of the backed up VM. */
export function fillPolicy(
  policy: Partial<RestorePolicy>,
  restorePoint: Pick<RestorePoint, 'vmName'>,
): RestorePolicy {
  return { vmName: restorePoint.vmName, ...policyDefaults, ...policy };
}
