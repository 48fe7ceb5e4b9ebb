import type { SourceFormat } from './restorePoint.ts';
import type { Firmware } from './vm.ts';

/** One file of a chain, top (chosen point) first. Part of the fingerprint (D2). */
export interface LayerFacts {
  /** Relative to the repository root. */
  readonly relPath: string;
  readonly format: SourceFormat;
  readonly fileSizeBytes: number;
  readonly mtimeMs: number;
  /** SHA-256 of the first 64 KiB and the L1 table (first 64 KiB alone for formats without one). */
  readonly headSha256: string;
}

/** What analysis found out about one disk. */
export interface DiskFacts {
  readonly diskIndex: number;
  readonly virtualSizeBytes: number;
  /** Bytes of data extents at the chosen point: what a transfer has to move at most. */
  readonly allocatedBytes: number;
  readonly layers: readonly LayerFacts[];
}

/** One installed kernel and what its initramfs already holds. */
export interface KernelFacts {
  readonly version: string;
  readonly initramfsPath: string | null;
  /** Module names (underscores, no suffix) found in the initramfs. */
  readonly initramfsModules: readonly string[];
  /** Storage, bus, network and file system modules the kernel ships as files or built in: a driver not listed here cannot be injected. */
  readonly availableModules: readonly string[];
  /** Those of `availableModules` that are part of the kernel image and need no initramfs. */
  readonly builtinModules?: readonly string[];
}

/** One partition, or a whole disk without a partition table. */
export interface VolumeFacts {
  readonly diskIndex: number;
  /** Linux partition number; null = the whole disk. */
  readonly partition: number | null;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
  /** `ext4`, `xfs`, `ntfs`, `swap`, `lvm2`, `luks`, `unknown` … */
  readonly content: string;
  readonly uuid: string | null;
  readonly label: string | null;
}

/** A kernel device name in a configuration file of the guest; such names differ on another platform. */
export interface DeviceNameFacts {
  /** Relative to the guest's root. */
  readonly path: string;
  readonly device: string;
  /** File system UUID it stands for; null = it could not be told from the contents. */
  readonly uuid: string | null;
}

/** How the guest is booted, as far as edits need it. */
export interface BootFacts {
  /** Files with kernel command lines (grub.cfg, loader entries, extlinux.conf), relative to the guest's root. */
  readonly configPaths: readonly string[];
  /** Serial consoles that every kernel command line already has, e.g. `ttyS0`. */
  readonly consoles: readonly string[];
  /** grub-mkconfig reads `etc/default/grub.d`. */
  readonly grubDefaults: boolean;
  /** Mount points the boot needs that are separate file systems, e.g. `/boot`. */
  readonly separateMounts: readonly string[];
  /** Tells which match keys `.link` files understand; null = no systemd. */
  readonly systemdVersion: number | null;
  readonly cloudInit: boolean;
}

/** One network interface as the guest's own configuration describes it. */
export interface GuestNicFacts {
  readonly name: string;
  readonly mac: string | null;
  /** CIDR notation; empty means DHCP or unconfigured. */
  readonly addresses: readonly string[];
  /** File that says so, relative to the guest's root. */
  readonly configPath: string;
}

/** What is inside the disks. `family: unknown` when no operating system was recognised. */
export interface GuestFacts {
  readonly family: 'linux' | 'windows' | 'unknown';
  readonly distribution: string | null;
  readonly version: string | null;
  readonly arch: string | null;
  readonly hostname: string | null;
  /** Disk and byte offset of the root file system. */
  readonly root: {
    readonly diskIndex: number;
    readonly offsetBytes: number;
    readonly sizeBytes: number;
    readonly fileSystem: string;
  } | null;
  readonly firmware: Firmware | 'unknown';
  readonly initramfsTool: 'initramfs-tools' | 'dracut' | 'none';
  readonly kernels: readonly KernelFacts[];
  readonly nics: readonly GuestNicFacts[];
  /** Every partition of every disk, in disk and partition order. */
  readonly volumes?: readonly VolumeFacts[];
  readonly deviceNames?: readonly DeviceNameFacts[];
  readonly boot?: BootFacts;
  /** Reasons why the guest cannot be edited (LUKS, BitLocker, dirty NTFS …) and other remarks. */
  readonly remarks: readonly string[];
}

/** The cached answer of `analyze` for one restore point (D1). */
export interface RestorePointFacts {
  readonly backupId: string;
  readonly fingerprint: string;
  readonly disks: readonly DiskFacts[];
  readonly guest: GuestFacts;
  /** ISO 8601 UTC. */
  readonly analyzedAt: string;
}

/** A place for disks on a target: datastore, container, pool, folder. */
export interface TargetStorage {
  readonly name: string;
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** The cached answer of `inventory` for one target (D1). */
export interface TargetFacts {
  readonly targetId: string;
  readonly apiVersion: string;
  readonly storages: readonly TargetStorage[];
  readonly networks: readonly { readonly name: string; readonly about: string }[];
  /** Names that are taken. */
  readonly vmNames: readonly string[];
  readonly cpuCount: number;
  readonly memoryBytes: number;
  /** Hardware acceleration that was seen to work, not merely a device node. */
  readonly acceleration: 'kvm' | 'tcg' | 'none' | 'platform';
  /** ISO 8601 UTC. */
  readonly fetchedAt: string;
}
