import type { GuestHardware } from '@ascend/domain';
import { azureGuestNeeds } from './guestNeeds.ts';
import { azureHardwareModels } from './hardwareModels.ts';

export { azureGuestNeeds } from './guestNeeds.ts';

/** Needs inside a guest and how they are rehearsed, by kind of hardware. */
export const azureHardware: GuestHardware = { needs: azureGuestNeeds, models: azureHardwareModels };
