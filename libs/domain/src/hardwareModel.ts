import type { GuestNeedsVariant } from './capability.ts';

/** A device of the target that no emulator shows: its drivers are looked for in the guest's files, nothing is booted from it. */
export interface StaticDevice {
  /** The device in the platform's own words. */
  readonly device: string;
  /** Its Linux modules, as in the needs. */
  readonly modules: readonly string[];
  /** Why it cannot be emulated, in a sentence for the operator. */
  readonly reason: string;
}

/** How one hardware variant of a platform is imitated by an emulator for a rehearsal of the boot. */
export interface HardwareModel {
  /** Id of the needs variant it stands for. */
  readonly variant: string;
  /** Disk buses of the emulator, best first: the device itself where there is one, then stand-ins of the same kind. */
  readonly diskBuses: readonly string[];
  /** Network card models of the emulator, best first. */
  readonly nicModels: readonly string[];
  readonly staticOnly: readonly StaticDevice[];
}

/** What a platform's hardware needs inside a guest and how it is rehearsed, by variant. */
export interface GuestHardware {
  readonly needs: readonly GuestNeedsVariant[];
  readonly models: readonly HardwareModel[];
}
