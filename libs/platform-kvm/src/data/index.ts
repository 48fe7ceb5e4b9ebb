import type { GuestHardware, PlatformData } from '@ascend/domain';
import type { SpecReader } from '@ascend/vm-spec';
import { kvmCapabilities } from './capabilities.ts';
import { kvmGuestNeeds } from './guestNeeds.ts';
import { kvmHardwareModels } from './hardwareModels.ts';
import { domainReader } from './spec/domainReader.ts';

export { kvmSourceTraits } from './sourceTraits.ts';

/** All pure data of the local QEMU platform: what planner and control plane load. */
export const kvmData: PlatformData = {
  capabilities: kvmCapabilities,
  guestNeeds: kvmGuestNeeds,
  dataVersion: '4',
};

/** Needs inside a guest and how they are rehearsed, by disk bus. */
export const kvmHardware: GuestHardware = { needs: kvmGuestNeeds, models: kvmHardwareModels };

/** Readers of the metadata that the platform's management writes. */
export const kvmSpecReaders: readonly SpecReader[] = [domainReader];
