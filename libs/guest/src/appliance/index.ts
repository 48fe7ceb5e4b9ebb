export { openAppliance, type ApplianceSession } from './openAppliance.ts';
export type { ApplianceLayout } from './inspectLayout.ts';
export { probeAppliance } from './probeAppliance.ts';
export type { VolumeKey } from './unlock.ts';
