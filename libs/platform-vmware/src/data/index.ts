import type { GuestHardware } from '@ascend/domain';
import { vmwareGuestNeeds } from './guestNeeds.ts';
import { vmwareHardwareModels } from './hardwareModels.ts';

export { vmwareGuestNeeds } from './guestNeeds.ts';

/** Needs inside a guest and how they are rehearsed, by kind of hardware. */
export const vmwareHardware: GuestHardware = { needs: vmwareGuestNeeds, models: vmwareHardwareModels };
