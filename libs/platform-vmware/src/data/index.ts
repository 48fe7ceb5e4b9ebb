import type { GuestHardware } from '@ascend/domain';
import type { SpecReader } from '@ascend/vm-spec';
import { vmwareGuestNeeds } from './guestNeeds.ts';
import { vmwareHardwareModels } from './hardwareModels.ts';
import { ovfReader } from './spec/ovfReader.ts';
import { vmxReader } from './spec/vmxReader.ts';

export { vmwareGuestNeeds } from './guestNeeds.ts';
export { vmwareSourceTraits } from './sourceTraits.ts';

/** Needs inside a guest and how they are rehearsed, by kind of hardware. */
export const vmwareHardware: GuestHardware = { needs: vmwareGuestNeeds, models: vmwareHardwareModels };

/** Readers of the metadata that the platform writes beside its disks. */
export const vmwareSpecReaders: readonly SpecReader[] = [ovfReader, vmxReader];
