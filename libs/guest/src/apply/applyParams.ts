import type { DiskImage } from '@ascend/disk';
import type { GuestFacts, GuestNeeds } from '@ascend/domain';
import type { Logger } from '@ascend/runtime';
import type { GuestEdit } from '../edits/guestEdit.ts';
import type { ExecutorKind } from './guestMount.ts';
import type { ToolLimits } from './rebuildInitramfs.ts';

/** What applying works with. */
export interface ApplyParams {
  /** The disk with the guest's root; its top overlay is a fresh, unsealed one of ours and is written. */
  readonly image: DiskImage;
  readonly guest: GuestFacts;
  readonly edits: readonly GuestEdit[];
  readonly needs: GuestNeeds;
  readonly workDir: string;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** Called with a short name at the start of each phase. */
  readonly report: (phase: string) => void;
  /** Default: unprivileged where the machine allows, else by the kernel. */
  readonly executor?: ExecutorKind | 'auto';
  /** When the guest's initramfs tool is ended and the drivers are appended. Default: 180 s without sign of life, 30 min. */
  readonly toolLimits?: ToolLimits;
}
