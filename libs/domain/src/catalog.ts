import type { BackupType, SourceFormat } from './restorePoint.ts';
import type { VmSpec } from './vm.ts';

/** One image file found in a repository folder. */
export interface ScannedImage {
  /** Relative to the repository root. */
  readonly relPath: string;
  readonly format: SourceFormat;
  readonly fileSizeBytes: number;
  readonly mtimeMs: number;
  readonly virtualSizeBytes: number;
  /** Relative path of the backing file after resolution against the root; null for a full. */
  readonly backingRelPath: string | null;
}

/** One disk of a scanned restore point. */
export interface ScannedDisk {
  readonly diskIndex: number;
  readonly image: ScannedImage;
}

/** One restore point as a scan of the repository alone can tell it. Ids are deterministic: scanning twice changes nothing. */
export interface ScannedBackup {
  readonly backupId: string;
  readonly backupType: BackupType;
  /** ISO 8601 UTC from the file name's time stamp, else from the newest mtime. */
  readonly createdAt: string;
  readonly disks: readonly ScannedDisk[];
}

/** One VM folder of a repository. */
export interface ScannedContext {
  readonly contextId: string;
  readonly vmName: string;
  readonly backups: readonly ScannedBackup[];
  /** Sidecar files (OVF, VMX, libvirt XML, own JSON) seen beside the disks, relative to the root. */
  readonly sidecars: readonly string[];
  /** What the VM's sidecar tells; null when there is none that can be used. */
  readonly vmSpec: VmSpec | null;
}

/** The result of scanning one repository folder, with the files that were left out and why. */
export interface ScannedRepository {
  readonly contexts: readonly ScannedContext[];
  readonly skipped: readonly { readonly relPath: string; readonly code: string; readonly reason: string }[];
  /** What was changed or is missing in VM descriptions that were used. */
  readonly remarks?: readonly { readonly relPath: string; readonly code: string; readonly reason: string }[];
}
