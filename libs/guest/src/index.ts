export { applianceChoice, type ApplianceChoice, type ApplianceSetup } from './appliance/applianceSetup.ts';
export type { VolumeKey } from './appliance/index.ts';
export { readKeyOption } from './appliance/keyFiles.ts';
export { applyEdits } from './apply/applyEdits.ts';
export * from './boot/index.ts';
export type { ApplyParams } from './apply/applyParams.ts';
export type { ExecutorKind } from './apply/guestMount.ts';
export * from './edits/guestEdit.ts';
export type { PlannedEdits } from './edits/planFinding.ts';
export { planEdits } from './edits/planEdits.ts';
export { describeSources } from './sources/describeSources.ts';
export {
  noGuestSources,
  openGuestSources,
  type GuestSources,
  type OpenedSources,
} from './sources/guestSources.ts';
export { probeHost } from './host/probeHost.ts';
export type { GuestDisk } from './probe/openDisks.ts';
export { probeGuest, type ProbeParams } from './probe/probeGuest.ts';
export * from './windows/index.ts';
export type { GuestChange } from './verify/guestDiff.ts';
export { verifyEdits, type VerifyParams, type VerifyResult } from './verify/verifyEdits.ts';
export type { ByteSource } from './byteSource.ts';
export { firmwareOf, readLayout } from './volumes/volumeFacts.ts';
