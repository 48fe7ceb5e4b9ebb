import type { GuestFacts, GuestNeeds } from '@ascend/domain';
import type { Logger } from '@ascend/runtime';
import type { GuestEdit } from '../edits/guestEdit.ts';
import type { GuestDisk } from '../probe/openDisks.ts';
import type { ExecutorParams } from '../probe/guestTree.ts';
import type { ToolLimits } from './rebuildInitramfs.ts';

/** What applying works with. */
export interface ApplyParams extends ExecutorParams {
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
  /** When the guest's initramfs tool is ended and the drivers are appended. Default: 180 s without sign of life, 30 min. */
  readonly toolLimits?: ToolLimits;
}
