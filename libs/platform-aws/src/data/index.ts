import type { GuestHardware } from '@ascend/domain';
import type { SpecReader } from '@ascend/vm-spec';
import { awsGuestNeeds } from './guestNeeds.ts';
import { awsHardwareModels } from './hardwareModels.ts';
import { instanceReader } from './spec/instanceReader.ts';

export { awsGuestNeeds } from './guestNeeds.ts';
export { awsSourceTraits } from './sourceTraits.ts';

/** Needs inside a guest and how they are rehearsed, by kind of hardware. */
export const awsHardware: GuestHardware = { needs: awsGuestNeeds, models: awsHardwareModels };

/** Readers of what the platform tells of its VMs. */
export const awsSpecReaders: readonly SpecReader[] = [instanceReader];
