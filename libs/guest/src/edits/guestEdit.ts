import type { Firmware, LoaderPlace } from '@ascend/domain';
import type { WindowsEdit } from '../windows/plan/windowsEdit.ts';

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
  /** Default `end`. `after-shebang`: before all other commands of a script. */
  readonly place?: 'end' | 'after-shebang';
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

/** Takes arguments off every kernel command line of a boot loader file. */
export interface RemoveKernelArgumentsEdit extends Reasoned {
  readonly kind: 'remove-kernel-arguments';
  readonly path: string;
  /** Whole words; a name alone also takes `name=value`. */
  readonly arguments: readonly string[];
}

/** Replaces whole lines; their indentation stays. */
export interface ReplaceLinesEdit extends Reasoned {
  readonly kind: 'replace-lines';
  readonly path: string;
  /** Line without surrounding blanks → what stands there instead. */
  readonly replacements: Readonly<Record<string, string>>;
}

/** Replaces IP addresses, wherever they stand as whole words; a prefix length behind them stays. */
export interface ReplaceAddressesEdit extends Reasoned {
  readonly kind: 'replace-addresses';
  readonly path: string;
  readonly replacements: Readonly<Record<string, string>>;
}

/** Moves a file out of the way of the guest and keeps it: the operator may want it back. */
export interface SetAsideEdit extends Reasoned {
  readonly kind: 'set-aside';
  readonly path: string;
  /** Where it lies afterwards, relative to the root. */
  readonly to: string;
}

/** Makes a symbolic link, as service managers keep their settings; replaces a link that is there. */
export interface MakeLinkEdit extends Reasoned {
  readonly kind: 'make-link';
  readonly path: string;
  /** As stored in the link. */
  readonly target: string;
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

/** Copies a file of the EFI system partition to a second name there. Paths are relative to that partition. */
export interface CopyEfiFileEdit extends Reasoned {
  readonly kind: 'copy-efi-file';
  readonly from: string;
  readonly to: string;
}

/** Puts GRUB for another firmware beside the guest's own boot loader; it shows the guest's menu. */
export interface ConvertFirmwareEdit extends Reasoned {
  readonly kind: 'convert-firmware';
  readonly firmware: Firmware;
  readonly place: LoaderPlace;
}

/** One named, reasoned change to the guest. Data only: it is shown, stored and compared. */
export type GuestEdit =
  TextEdit | PlaceEdit | RebuildInitramfsEdit | CopyEfiFileEdit | ConvertFirmwareEdit | WindowsEdit;

/** Edits that change one text file each. */
export type TextEdit =
  | WriteFileEdit
  | AddLinesEdit
  | ReplaceDeviceNamesEdit
  | AddKernelArgumentsEdit
  | RemoveKernelArgumentsEdit
  | ReplaceLinesEdit
  | ReplaceAddressesEdit;

/** Edits that change which files are where; made before the text edits. */
export type PlaceEdit = SetAsideEdit | MakeLinkEdit;

const textKinds = new Set<string>([
  'write-file',
  'add-lines',
  'replace-device-names',
  'add-kernel-arguments',
  'remove-kernel-arguments',
  'replace-lines',
  'replace-addresses',
] satisfies TextEdit['kind'][]);

/** True for an edit of one text file. */
export function isTextEdit(edit: GuestEdit): edit is TextEdit {
  return textKinds.has(edit.kind);
}

/** True for an edit that moves a file or makes a link. */
export function isPlaceEdit(edit: GuestEdit): edit is PlaceEdit {
  return edit.kind === 'set-aside' || edit.kind === 'make-link';
}

/** Where a file that is set aside lies: one folder of the root file system, which no program of the guest reads. */
export function asidePath(path: string): string {
  return `etc/ascend/aside/${path}`;
}

/** What an edit changes, for people: a file of the guest, a key of its registry. */
export function editPlace(edit: GuestEdit): string {
  if ('hive' in edit) return `${edit.hive}\\${edit.key}`;
  if (edit.kind === 'convert-firmware') return `boot loader of disk ${edit.place.diskIndex}`;
  return edit.kind === 'copy-efi-file' ? edit.to : edit.path;
}
