import type { SerializedError } from '@ascend/errors';
import type { DiskImage } from '../blockdev.ts';
import type { CopyTuning } from '../copy/copyDisk.ts';
import type { CopyProgress } from '../copy/pass.ts';
import type { CopyResult } from '../sink.ts';
import type { SinkModule } from './sinkModule.ts';

/** What becomes of the sink of a copy that failed. `suspend`: keep what was written, where the sink is resumable. */
export type OnFailure = 'suspend' | 'abort';

/** All that the thread of one disk is given. */
export interface WorkerSetup {
  readonly image: DiskImage;
  readonly sink: SinkModule;
  readonly tuning: CopyTuning;
  readonly targetSizeBytes: number;
  /** Private folder of this transfer. */
  readonly workDir: string;
  readonly bandwidthBytesPerSecond: number | null;
  /** Memory of limiters that are shared with other threads; a changed rate needs no message. */
  readonly limits: readonly SharedArrayBuffer[];
  readonly resumeFromBytes: number;
  readonly onFailure: OnFailure;
}

/** From the process to the thread. */
export type ToWorker =
  | { readonly type: 'cancel' }
  /** The answer to a question; the copy waits for it. */
  | { readonly type: 'answer'; readonly id: number; readonly error: SerializedError | null };

/** A question: what is told must be noted before the copy relies on it. */
export type Question =
  /** The sink is open; nothing is written before the answer. */
  | { readonly about: 'started'; readonly start: WorkerStart }
  /** Everything below this offset is durable. */
  | { readonly about: 'confirmed'; readonly offsetBytes: number }
  /** All is copied and flushed; the disk gets its final name after the answer. */
  | { readonly about: 'copied'; readonly result: CopyResult };

/** What the thread found where it began. */
export interface WorkerStart {
  readonly alreadyFinished: boolean;
  readonly resumedFromBytes: number;
  /** As the sink says: can a later attempt go on with what this one leaves? */
  readonly resumable: boolean;
}

/** From the thread to the process. `finished` and `failed` are the last: nothing of the copy is left then. */
export type FromWorker =
  | { readonly type: 'progress'; readonly progress: CopyProgress }
  /** A limit holds the copy; it lives. */
  | { readonly type: 'held' }
  | { readonly type: 'question'; readonly id: number; readonly question: Question }
  | { readonly type: 'finished'; readonly result: CopyResult }
  | { readonly type: 'failed'; readonly error: SerializedError };
