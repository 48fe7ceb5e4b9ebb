import type { GuestHardware } from '@ascend/domain';
import type { SpecReader } from '@ascend/vm-spec';
import { cloudstackGuestNeeds } from './guestNeeds.ts';
import { cloudstackHardwareModels } from './hardwareModels.ts';
import { vmReader } from './spec/vmReader.ts';

export { cloudstackGuestNeeds } from './guestNeeds.ts';
export { cloudstackSourceTraits } from './sourceTraits.ts';

/** Needs inside a guest and how they are rehearsed, by kind of hardware. */
export const cloudstackHardware: GuestHardware = {
  needs: cloudstackGuestNeeds,
  models: cloudstackHardwareModels,
};

/** Readers of what the platform tells of its VMs. */
export const cloudstackSpecReaders: readonly SpecReader[] = [vmReader];
