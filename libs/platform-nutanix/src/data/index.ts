import type { GuestHardware } from '@ascend/domain';
import type { SpecReader } from '@ascend/vm-spec';
import { nutanixGuestNeeds } from './guestNeeds.ts';
import { nutanixHardwareModels } from './hardwareModels.ts';
import { v3Reader } from './spec/v3Reader.ts';
import { v4Reader } from './spec/v4Reader.ts';

export { nutanixGuestNeeds } from './guestNeeds.ts';
export { nutanixSourceTraits } from './sourceTraits.ts';

/** Needs inside a guest and how they are rehearsed, by kind of hardware. */
export const nutanixHardware: GuestHardware = { needs: nutanixGuestNeeds, models: nutanixHardwareModels };

/** Readers of what the platform tells of its VMs. */
export const nutanixSpecReaders: readonly SpecReader[] = [v4Reader, v3Reader];
