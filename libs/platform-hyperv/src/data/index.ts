import type { GuestHardware } from '@ascend/domain';
import type { SpecReader } from '@ascend/vm-spec';
import { hypervGuestNeeds } from './guestNeeds.ts';
import { hypervHardwareModels } from './hardwareModels.ts';
import { configurationReader } from './spec/configurationReader.ts';
import { vmReader } from './spec/vmReader.ts';

export { hypervGuestNeeds } from './guestNeeds.ts';
export { hypervSourceTraits } from './sourceTraits.ts';

/** Needs inside a guest and how they are rehearsed, by kind of hardware. */
export const hypervHardware: GuestHardware = { needs: hypervGuestNeeds, models: hypervHardwareModels };

/** Readers of the metadata that the platform writes. */
export const hypervSpecReaders: readonly SpecReader[] = [vmReader, configurationReader];
