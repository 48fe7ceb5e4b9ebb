import type { BootDiskFacts } from './bootDisk.ts';
import type { LinuxFacts } from './linuxFacts.ts';
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

/** A run of bytes of one disk. */
export interface VolumeSegment {
  readonly diskIndex: number;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

/**
 * One partition, a whole disk without a partition table, or a volume made of them (LVM, md): then `diskIndex` and
 * `offsetBytes` are where its first segment lies.
 */
export interface VolumeFacts {
  readonly diskIndex: number;
  /** Linux partition number; null = the whole disk, or a volume made of several partitions (see `name`). */
  readonly partition: number | null;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
  /** `ext4`, `xfs`, `ntfs`, `swap`, `lvm2`, `luks`, `unknown` … */
  readonly content: string;
  readonly uuid: string | null;
  readonly label: string | null;
  /** Name below `/dev` without `mapper/`: `vg0-root`, `md0`, `md/root`, `luks-<uuid>`. Absent for partitions and disks. */
  readonly name?: string;
  /** Of a software RAID: what its members call it. */
  readonly arrayUuid?: string;
  /** What `PARTUUID=` says: of the partition table's entry, not of the contents. Absent where the table has none. */
  readonly partitionUuid?: string;
  /** Where its bytes lie, in order (of a striped or mirrored volume: the areas). Empty: it cannot be told without the guest's drivers. */
  readonly segments?: readonly VolumeSegment[];
  /**
   * What it takes to mount it. `host`: ext, xfs or btrfs in one piece on one disk, which this machine can mount.
   * `appliance`: needs a system with the drivers of the guest's volumes. Absent: nothing that is mounted for edits.
   */
  readonly requires?: 'host' | 'appliance';
  /** Why the appliance, e.g. `striped over 2 disks`; null for `host`. */
  readonly requiresReason?: string | null;
}

/** One file system of the guest's tree that edits reach. */
export interface GuestMountFacts {
  /** `/`, `/boot`, `/usr`, `/boot/efi`. */
  readonly mountPoint: string;
  /** Index in `GuestFacts.volumes`. */
  readonly volume: number;
  readonly fileSystem: string;
  /** Options that decide what is mounted: `subvol=@`. All others are left out. */
  readonly options: readonly string[];
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
  /** Words of the kernel command lines: in all of them, and in any of them. */
  readonly kernelArguments?: { readonly shared: readonly string[]; readonly some: readonly string[] };
  /** `etc/default/grub` is there: grub-mkconfig writes the boot loader's file anew from it. */
  readonly grubDefaults: boolean;
  /** false = the guest's grub-mkconfig does not read `etc/default/grub.d`, only `etc/default/grub`. Absent = it does. */
  readonly grubDropIns?: boolean;
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
  /** Lines of `configPath`, trimmed, that recognise this interface by its MAC: another MAC makes them void. */
  readonly macLines?: readonly string[];
}

/** One driver or service entry of one control set. */
export interface WindowsServiceFacts {
  readonly name: string;
  /** 0 boot, 1 system, 2 automatic, 3 on demand, 4 disabled; null = not stored. */
  readonly start: number | null;
  /** 1 kernel driver, 2 file system driver, 16/32 service. */
  readonly type: number | null;
  /** As stored, with its variables. */
  readonly imagePath: string | null;
  readonly group: string | null;
  /** Has a `StartOverride` key, whose values beat `start`. */
  readonly startOverride: boolean;
  /** The driver's file is there; null = not looked for. */
  readonly filePresent: boolean | null;
}

/** One `ControlSetNNN`. Only services that matter to a conversion are listed. */
export interface WindowsControlSetFacts {
  readonly name: string;
  readonly services: readonly WindowsServiceFacts[];
}

/** The addresses of one interface, as the registry holds them. */
export interface WindowsInterfaceFacts {
  /** GUID in braces. */
  readonly id: string;
  /** The name the user sees, e.g. `Ethernet0`. */
  readonly name: string | null;
  /** Lower case with colons; null = this Windows does not store it. */
  readonly mac: string | null;
  readonly dhcp: boolean;
  /** CIDR notation, IPv4. */
  readonly addresses: readonly string[];
  readonly gateways: readonly string[];
  readonly dnsServers: readonly string[];
}

/** A registry hive file of the guest. */
export interface WindowsHiveFacts {
  readonly name: 'SYSTEM' | 'SOFTWARE' | 'DRIVERS';
  /** Relative to the Windows volume, as spelled there. */
  readonly path: string;
  readonly sizeBytes: number;
  /** `clean`: flushed. `recovered`: its transaction logs hold the rest. `unrecoverable`: they do not. */
  readonly state: 'clean' | 'recovered' | 'unrecoverable';
  /** Has a `DriverDatabase`, which maps hardware to drivers since Windows 8. */
  readonly driverDatabase: boolean;
}

/** How the Windows volume was left. null = not looked at. */
export interface WindowsVolumeFacts {
  /** The volume waits for a check (chkdsk). */
  readonly dirty: boolean | null;
  /** The file system's own log was closed: nothing waits to be replayed. */
  readonly logClosed: boolean | null;
  readonly encrypted: boolean;
  /** On a dynamic disk (LDM). */
  readonly dynamicDisk: boolean;
}

/** The EFI system partition on the disk of the Windows volume, and the boot loaders on it. */
export interface WindowsEspFacts {
  readonly offsetBytes: number;
  readonly sizeBytes: number;
  /** `\EFI\Microsoft\Boot\bootmgfw.efi` is there. */
  readonly bootManager: boolean;
  /** `\EFI\BOOT\BOOTX64.EFI` (or of the architecture) is there. */
  readonly fallback: boolean;
}

/** What an offline look at the registry and files of a Windows shows. */
export interface WindowsFacts {
  readonly productName: string | null;
  readonly edition: string | null;
  readonly installationType: string | null;
  /** `6.1`, `6.3`, `10.0` …; null = unknown. */
  readonly ntVersion: string | null;
  /** Build number, e.g. 17763. */
  readonly build: number | null;
  readonly arch: 'amd64' | 'x86' | 'arm64' | null;
  /** Folder of the system on its volume, as spelled there, e.g. `Windows`. */
  readonly systemRoot: string;
  /** Numbers of the key `Select`; null = not stored. */
  readonly select: {
    readonly current: number | null;
    readonly default: number | null;
    readonly lastKnownGood: number | null;
  };
  readonly controlSets: readonly WindowsControlSetFacts[];
  readonly hives: readonly WindowsHiveFacts[];
  /** Installed agents, by the names of the table the probe was given. */
  readonly agents: readonly string[];
  /** `hibernated` also after a shutdown with fast start-up. */
  readonly hibernation: 'none' | 'resumed' | 'hibernated';
  /** Fast start-up is on: an ordinary shutdown hibernates the kernel. */
  readonly fastStartup: boolean;
  readonly volume: WindowsVolumeFacts;
  readonly interfaces: readonly WindowsInterfaceFacts[];
  readonly timeZone: string | null;
  readonly computerName: string | null;
  /** The SOFTWARE value `DevicePath`, where Windows looks for drivers. */
  readonly devicePath: string | null;
  /** Value of partmgr's SAN policy; null = not stored. */
  readonly sanPolicy: number | null;
  /** null or absent = none: the guest boots by BIOS. */
  readonly esp?: WindowsEspFacts | null;
}

/** The EFI system partition that a Linux guest boots from. */
export interface EspFacts {
  readonly diskIndex: number;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
  /** Boot programs, `EFI/<folder>/<name>.efi`, in the spelling found there. */
  readonly programs: readonly string[];
}

/** What is inside the disks. `family: unknown` when no operating system was recognised. */
export interface GuestFacts {
  readonly family: 'linux' | 'windows' | 'unknown';
  readonly distribution: string | null;
  readonly version: string | null;
  readonly arch: string | null;
  readonly hostname: string | null;
  /** Disk and byte offset of the root file system; of a volume in several pieces, of its first one. */
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
  /** Every partition of every disk, in disk and partition order, then the volumes made of them. */
  readonly volumes?: readonly VolumeFacts[];
  /** The root (first) and what its fstab mounts of the parts that edits touch. Absent in facts of older versions: the root alone. */
  readonly mounts?: readonly GuestMountFacts[];
  /** Of Linux guests; null or absent = none, or it could not be read. */
  readonly esp?: EspFacts | null;
  /** Of Linux guests: what a boot loader for another firmware needs to know. null or absent = not known. */
  readonly bootDisk?: BootDiskFacts | null;
  readonly deviceNames?: readonly DeviceNameFacts[];
  readonly boot?: BootFacts;
  readonly linux?: LinuxFacts;
  /** Only where a Windows was recognised. */
  readonly windows?: WindowsFacts;
  /** Why no appliance works where it looked, although the layout needs one. Absent: none is needed, or it works. */
  readonly applianceProblem?: string;
  /** Reasons why the guest cannot be edited (LUKS, BitLocker, dirty NTFS …) and other remarks. */
  readonly remarks: readonly string[];
}

/**
 * Grows when an analysis sees more than before and plans rely on it: stored facts of an older look are taken anew, whatever their
 * fingerprint. 2: volumes that are mounted into the root, EFI system partition, Windows. 3: what an appliance sees, boot disk.
 */
export const factsVersion = 3;

/** The cached answer of `analyze` for one restore point (D1). */
export interface RestorePointFacts {
  /** `factsVersion` of whoever looked; absent before there was one. */
  readonly version?: number;
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
