import type { GuestHardware } from '@ascend/domain';
import type { SpecReader } from '@ascend/vm-spec';
import { azureGuestNeeds } from './guestNeeds.ts';
import { azureHardwareModels } from './hardwareModels.ts';
import { vmReader } from './spec/vmReader.ts';

export { azureGuestNeeds } from './guestNeeds.ts';
export { azureSourceTraits } from './sourceTraits.ts';

/** Needs inside a guest and how they are rehearsed, by kind of hardware. */
export const azureHardware: GuestHardware = { needs: azureGuestNeeds, models: azureHardwareModels };

/** Readers of what the platform tells of its VMs. */
export const azureSpecReaders: readonly SpecReader[] = [vmReader];
