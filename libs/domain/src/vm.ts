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
}
