/** Firmware kind of a VM. */
export type Firmware = 'bios' | 'uefi';

/** One virtual disk of a VM specification. */
export interface VmDisk {
  readonly diskIndex: number;
  readonly sizeBytes: number;
  /** Bus in the platform's own words, e.g. `virtio-blk`, `pvscsi`; null = the target's default. */
  readonly bus: string | null;
  readonly bootOrder: number | null;
  readonly vmwareDiskKey: number | null;
  /** Where it was attached, in the platform's own words, e.g. `scsi0:1`. */
  readonly controller?: string | null;
  /** What the platform called it: a file, a volume id. */
  readonly sourceName?: string | null;
}

/** One network interface of a VM specification. */
export interface VmNic {
  readonly nicIndex: number;
  /** Lower case, colons. null = unknown (a finding unless the guest's own files tell). */
  readonly mac: string | null;
  readonly network: string | null;
  readonly model: string | null;
  readonly addresses: readonly string[];
}

/** What a VM may have beside disks and network interfaces. `shared-disk`: more than one VM writes it; `raw-device`: a disk of the host. */
export const vmDeviceKinds = [
  'gpu',
  'pci-passthrough',
  'usb-passthrough',
  'shared-disk',
  'raw-device',
  'cdrom',
  'floppy',
  'serial-port',
  'parallel-port',
  'sound',
  'watchdog',
  'other',
] as const;

/** One kind of such devices. */
export type VmDeviceKind = (typeof vmDeviceKinds)[number];

/** One such device. */
export interface VmDevice {
  readonly kind: VmDeviceKind;
  /** In the platform's own words, e.g. `grid_p40-8q`. */
  readonly description: string;
}

/** The canonical VM: what a backup was, or what a target shall create. */
export interface VmSpec {
  readonly name: string;
  readonly cpuCount: number;
  readonly coresPerSocket: number | null;
  readonly memoryBytes: number;
  readonly firmware: Firmware;
  readonly secureBoot: boolean;
  readonly tpm: boolean;
  readonly disks: readonly VmDisk[];
  readonly nics: readonly VmNic[];
  readonly osId: string | null;
  readonly notes: string | null;
  readonly tags: Readonly<Record<string, string>>;
  /** In the words of `uname -m`, e.g. `x86_64`; absent or null = not told. */
  readonly cpuArch?: string | null;
  /** What the hardware clock shows; absent or null = not told. */
  readonly clock?: 'utc' | 'local-time' | null;
  readonly devices?: readonly VmDevice[];
}
