import type { GuestHardware } from '@ascend/domain';
import { hypervGuestNeeds } from './guestNeeds.ts';
import { hypervHardwareModels } from './hardwareModels.ts';

export { hypervGuestNeeds } from './guestNeeds.ts';

/** Needs inside a guest and how they are rehearsed, by kind of hardware. */
export const hypervHardware: GuestHardware = { needs: hypervGuestNeeds, models: hypervHardwareModels };
