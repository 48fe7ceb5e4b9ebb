import type { GuestHardware } from '@ascend/domain';
import { cloudstackGuestNeeds } from './guestNeeds.ts';
import { cloudstackHardwareModels } from './hardwareModels.ts';

export { cloudstackGuestNeeds } from './guestNeeds.ts';

/** Needs inside a guest and how they are rehearsed, by kind of hardware. */
export const cloudstackHardware: GuestHardware = {
  needs: cloudstackGuestNeeds,
  models: cloudstackHardwareModels,
};
