import type { GuestHardware } from '@ascend/domain';
import { nutanixGuestNeeds } from './guestNeeds.ts';
import { nutanixHardwareModels } from './hardwareModels.ts';

export { nutanixGuestNeeds } from './guestNeeds.ts';

/** Needs inside a guest and how they are rehearsed, by kind of hardware. */
export const nutanixHardware: GuestHardware = { needs: nutanixGuestNeeds, models: nutanixHardwareModels };
