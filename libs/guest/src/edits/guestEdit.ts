/** Why an edit is made, in a sentence for the operator. */
interface Reasoned {
  readonly reason: string;
}

/** Writes a whole file of ours. */
export interface WriteFileEdit extends Reasoned {
  readonly kind: 'write-file';
  /** Relative to the guest's root, as in all edits. */
  readonly path: string;
  readonly content: string;
  /** Permission bits. */
  readonly mode: number;
}

/** Adds lines to a configuration file that lacks them; other lines stay. */
export interface AddLinesEdit extends Reasoned {
  readonly kind: 'add-lines';
  readonly path: string;
  readonly lines: readonly string[];
}

/** Replaces kernel device names by stable names. */
export interface ReplaceDeviceNamesEdit extends Reasoned {
  readonly kind: 'replace-device-names';
  readonly path: string;
  /** `/dev/sda1` → `UUID=…`. */
  readonly replacements: Readonly<Record<string, string>>;
}

/** Adds arguments to every kernel command line of a boot loader file. */
export interface AddKernelArgumentsEdit extends Reasoned {
  readonly kind: 'add-kernel-arguments';
  readonly path: string;
  readonly arguments: readonly string[];
}

/** Rebuilds the initramfs of one kernel, so that it holds `modules`. */
export interface RebuildInitramfsEdit extends Reasoned {
  readonly kind: 'rebuild-initramfs';
  readonly kernelVersion: string;
  readonly path: string;
  readonly tool: 'initramfs-tools' | 'dracut' | 'none';
  /** Modules the image must hold afterwards; built-ins are not listed. */
  readonly modules: readonly string[];
}

/** One named, reasoned change to the guest. Data only: it is shown, stored and compared. */
export type GuestEdit =
  WriteFileEdit | AddLinesEdit | ReplaceDeviceNamesEdit | AddKernelArgumentsEdit | RebuildInitramfsEdit;

/** Edits that change one text file each. */
export type TextEdit = Exclude<GuestEdit, RebuildInitramfsEdit>;
