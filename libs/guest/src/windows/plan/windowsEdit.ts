import type { CopyEfiFileEdit, WriteFileEdit } from '../../edits/guestEdit.ts';
import type { RegistryEdit } from '../registry/registryEdit.ts';

/** Copies a file of this machine (a driver, an agent's package) into the guest. */
export interface StageFileEdit {
  readonly kind: 'stage-file';
  /** Absolute path on this machine. */
  readonly source: string;
  /** Relative to the Windows volume. */
  readonly path: string;
  readonly reason: string;
}

/** One reasoned change to a Windows guest. Data only. Paths of `write-file` are relative to the Windows volume. */
export type WindowsEdit = RegistryEdit | WriteFileEdit | StageFileEdit | CopyEfiFileEdit;
