import type { PlatformId } from './platform.ts';
import type { Firmware } from './vm.ts';

/** A limit with the place it was read and the date. */
export interface SourcedLimit {
  readonly value: number;
  readonly source: string;
  readonly readOn: string;
}

/** What a platform can do, as data: the planner decides from this and never asks "is it platform X?". */
export interface PlatformCapabilities {
  readonly platform: PlatformId;
  readonly firmware: readonly Firmware[];
  readonly maxDisks: SourcedLimit;
  readonly maxDiskBytes: SourcedLimit;
  /** Disk sizes on the target are rounded up to a multiple of this. */
  readonly diskRoundingBytes: number;
  readonly maxNics: SourcedLimit;
  readonly diskBuses: readonly string[];
  readonly nicModels: readonly string[];
  /** `disks-then-vm`: transfer-disk × n → create-vm. `import-vm`: one step with n lanes (D12). */
  readonly importShape: 'disks-then-vm' | 'import-vm';
  /** Can a cut transfer go on at the last confirmed extent? */
  readonly resumableTransfer: boolean;
  readonly maxNameLength: number;
  /** Regular expression a VM name must match (anchored). */
  readonly namePattern: string;
  /** Does the platform decide the MAC address itself? */
  readonly ownsMac: boolean;
  /** Can this platform boot the prepared disks for a rehearsal in QEMU (boot-test)? */
  readonly rehearsal: boolean;
}

/** What the target's hardware needs inside a guest (DESIGN §9); edits in libs/guest read only this, never a platform name. */
export interface GuestNeeds {
  /** Kernel modules that must be in every initramfs; a built-in counts as present. */
  readonly linuxStorageModules: readonly string[];
  readonly linuxNetworkModules: readonly string[];
  /** Added when the kernel ships them, silently left out otherwise (fail-back stays possible). */
  readonly linuxOptionalModules: readonly string[];
  /** Kernel console to add, e.g. `ttyS0`; null = leave alone. */
  readonly serialConsole: string | null;
  /** `pin-by-mac`: names bound to the MAC. `platform-dhcp`: match any MAC, DHCP (the platform owns the address). */
  readonly networkIdentity: 'pin-by-mac' | 'platform-dhcp';
}

/** All pure data of one platform, as the app's registry hands it to the planner. */
export interface PlatformData {
  readonly capabilities: PlatformCapabilities;
  readonly guestNeeds: GuestNeeds;
  /** Bumped whenever any of the data changes; part of a plan's inputs hash (D3). */
  readonly dataVersion: string;
}
