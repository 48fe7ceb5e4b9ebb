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
  /** Can VMs with UEFI have Secure Boot? */
  readonly secureBoot: boolean;
  /** Can VMs have a TPM of their own? */
  readonly tpm: boolean;
  /** Guests that run on its processors, in the words of `uname -m`. */
  readonly architectures: readonly string[];
  /** Does the platform decide the MAC address itself? */
  readonly ownsMac: boolean;
  /** Can this platform boot the prepared disks for a rehearsal in QEMU (boot-test)? */
  readonly rehearsal: boolean;
}

/** A package that installs an agent in Windows without a user. */
export interface WindowsAgentPackage {
  /** null = any. */
  readonly arch: 'amd64' | 'x86' | 'arm64' | null;
  /** Regular expression of the file's name: the whole name, case ignored. */
  readonly pattern: string;
  /** `msi`: by msiexec. `cab`: by dism. `exe`: a setup program with `arguments`, each of them plain text without quotes. */
  readonly kind: 'msi' | 'exe' | 'cab';
  readonly arguments?: readonly string[];
}

/** An agent of the target for Windows guests. */
export interface WindowsAgentNeed {
  /** Name as in `WindowsFacts.agents`. */
  readonly name: string;
  /** Services of it that must start automatically when it is installed. */
  readonly services: readonly string[];
  /** Best first. */
  readonly packages: readonly WindowsAgentPackage[];
  /** Only Windows builds from this one on and below the other need it; absent = no limit. */
  readonly fromBuild?: number;
  readonly belowBuild?: number;
  /** Installed where its package is configured, not missed where it is not. */
  readonly optional?: boolean;
}

/** An agent of the target for Linux guests. */
export interface LinuxAgentNeed {
  /** Id of the probe's agent catalogue. */
  readonly id: string;
  /** Other ids that do its work. */
  readonly satisfiedBy?: readonly string[];
  /** Regular expressions of the package's file name by kind of package: the whole name, case ignored. */
  readonly packages: { readonly deb: string; readonly rpm: string };
  /** Units that are switched on and started after its installation, those that are there. */
  readonly services?: readonly string[];
}

/** What the target's hardware needs inside a Windows guest. */
export interface WindowsNeeds {
  /** Drivers that Windows ships and that must start at boot, where the guest has them; one of each group is required. */
  readonly bootServices: readonly (readonly string[])[];
  /** Devices without a driver in Windows: hardware ids, one of which a driver package must match. */
  readonly drivers: readonly {
    readonly about: string;
    /** e.g. `PCI\VEN_1AF4&DEV_1001`. */
    readonly hardwareIds: readonly string[];
    /** The guest boots from this device. */
    readonly bootCritical: boolean;
    /** Services that show that the guest has a driver for it already. */
    readonly installedServices: readonly string[];
    /** Oldest Windows build that has a driver of its own; null = none has. */
    readonly inboxSinceBuild: number | null;
  }[];
  /** Services of source platforms that would fail or do harm. */
  readonly disabledServices: readonly string[];
  /** 1 = all disks online (OnlineAll); null = leave alone. */
  readonly sanPolicy: number | null;
  /** Agents of the target, installed from configured packages where they lack. */
  readonly agents: readonly WindowsAgentNeed[];
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
  /** Driver names of the network cards as udev sees them, where they differ from the modules' names. */
  readonly nicDrivers?: readonly string[];
  /** Modules that no `blacklist` line may keep from loading. */
  readonly linuxUnblockedModules?: readonly string[];
  /** Firmware the hardware boots with; absent = any. */
  readonly firmware?: readonly Firmware[];
  /** Arguments every kernel command line must have, beside the console. */
  readonly kernelArguments?: readonly string[];
  /** Arguments taken off kernel command lines; a name alone (`crashkernel`) takes any value. */
  readonly unwantedKernelArguments?: readonly string[];
  /** Guest agents, by the ids of the probe's agent catalogue. */
  readonly agents?: AgentNeeds;
  /** cloud-init data sources that work here, best first, as cloud-init spells them. */
  readonly cloudInitDatasources?: readonly string[];
  /** `warn-on-system-disk`: swap beside the root is tolerated, but the platform advises against it. */
  readonly swap?: 'any' | 'warn-on-system-disk';
  /** Ask a guest with SELinux to label its files anew after edits. Absent = yes. */
  readonly selinuxRelabel?: boolean;
  /** A script of the operator may be run at the first boot. Absent = yes. */
  readonly firstBootSlot?: boolean;
  /** Absent: this target's Windows needs are not known. */
  readonly windows?: WindowsNeeds;
}

/** Which agents of the guest work on the target and which belong to other hypervisors. */
export interface AgentNeeds {
  /** Switched on when they are installed. */
  readonly enable: readonly string[];
  /** Switched off when they are installed; never uninstalled, so that a way back stays. */
  readonly disable: readonly string[];
  /** Installed from configured packages where they lack; absent = none. */
  readonly install?: readonly LinuxAgentNeed[];
}

/** The needs of one kind of hardware a platform offers: a VM generation, an instance family, a disk controller. */
export interface GuestNeedsVariant {
  /** Stable id, e.g. `gen2`. */
  readonly id: string;
  /** Disk buses of the platform that mean this variant; the first is its usual one. */
  readonly diskBuses: readonly string[];
  readonly needs: GuestNeeds;
}

/** All pure data of one platform, as the app's registry hands it to the planner. */
export interface PlatformData {
  readonly capabilities: PlatformCapabilities;
  /** By kind of hardware, the platform's favourite first: `chooseNeeds` finds the one of a plan. */
  readonly guestNeeds: readonly GuestNeedsVariant[];
  /** Bumped whenever any of the data changes; part of a plan's inputs hash (D3). */
  readonly dataVersion: string;
}
