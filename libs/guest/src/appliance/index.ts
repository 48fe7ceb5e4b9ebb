export { openAppliance, type ApplianceSession } from './openAppliance.ts';
export type { ApplianceFileSystem, ApplianceLayout } from './inspectLayout.ts';
export type { ApplianceMount } from './mountGuestTree.ts';
export { probeAppliance } from './probeAppliance.ts';
export type { VolumeKey } from './unlock.ts';
