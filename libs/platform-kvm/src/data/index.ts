import type { PlatformData } from '@ascend/domain';
import { kvmCapabilities } from './capabilities.ts';
import { kvmGuestNeeds } from './guestNeeds.ts';

/** All pure data of the local QEMU platform: what planner and control plane load. */
export const kvmData: PlatformData = {
  capabilities: kvmCapabilities,
  guestNeeds: kvmGuestNeeds,
  dataVersion: '2',
};
