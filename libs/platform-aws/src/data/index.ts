import type { GuestHardware } from '@ascend/domain';
import { awsGuestNeeds } from './guestNeeds.ts';
import { awsHardwareModels } from './hardwareModels.ts';

export { awsGuestNeeds } from './guestNeeds.ts';

/** Needs inside a guest and how they are rehearsed, by kind of hardware. */
export const awsHardware: GuestHardware = { needs: awsGuestNeeds, models: awsHardwareModels };
