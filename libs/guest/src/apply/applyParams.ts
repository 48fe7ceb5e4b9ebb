import type { GuestFacts, GuestNeeds } from '@ascend/domain';
import type { Logger } from '@ascend/runtime';
import type { GuestEdit } from '../edits/guestEdit.ts';
import type { GuestDisk } from '../probe/openDisks.ts';
import type { ExecutorKind } from './guestMount.ts';
import type { ToolLimits } from './rebuildInitramfs.ts';

/** What applying works with. */
export interface ApplyParams {
  /** All disks of the guest. Those that `writtenDisks` names have a fresh, unsealed overlay of ours on top, which is written. */
  readonly images: readonly GuestDisk[];
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
