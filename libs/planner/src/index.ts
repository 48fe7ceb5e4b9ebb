export { canonicalJson, contentHash } from './canonical.ts';
export { diffInputs, inputsHash, type InputChange } from './inputs.ts';
export type { PlanParams, StorageReservation, TransferHistory } from './params.ts';
export { fillPolicy, policyDefaults } from './policy.ts';
export { planRestore } from './planRestore.ts';
export { identifyNics, type IdentifiedNic, type NicSources } from './rules/nicIdentity.ts';
