import path from 'node:path';
import { AppError, categoryTraits, toAppError } from '@ascend/errors';
import type { Clock } from '@ascend/runtime';
import type { WriteEngine } from '../qemu/chooseEngine.ts';
import type { SpaceReservation } from '../space/reserveSpace.ts';
import { copyInWorker } from '../worker/copyInWorker.ts';
import { fileSinkModule } from '../worker/fileSinkModule.ts';
import type { WorkerStart } from '../worker/messages.ts';
import { saveCheckpoint, type FinishedCopy } from './checkpoint.ts';
import { readEngineOf } from './exportFormat.ts';
import { removeCheckpoint, removeLeftovers } from './exportFiles.ts';
import type { ExportPlan } from './planExport.ts';

/** Absolute counters of one phase of an export. */
export interface ExportProgress {
  readonly phase: 'copy' | 'verify';
  readonly bytesDone: number;
  readonly bytesTotal: number;
  readonly bytesSkipped: number;
}

/** Who is told what during an export. */
export interface RunExportParams {
  /** Cuts the work; what was confirmed stays for a resume. */
  readonly signal: AbortSignal;
  readonly onProgress: (progress: ExportProgress) => void;
  /** A sentence an operator should read, e.g. where a resume begins. */
  readonly onRemark: (text: string) => void;
  /** For the duration; default: the machine's clock. */
  readonly clock?: Clock;
  /** Who writes the staged file; default: a thread with our own encoders, and qemu-img. */
  readonly writers?: Readonly<Record<WriteEngine, WriteStaged>>;
}

/** One attempt at an export, its space reserved. */
export interface ExportRun {
  readonly plan: ExportPlan;
  readonly params: RunExportParams;
  readonly space: SpaceReservation;
  readonly alreadyAllocated: number;
  readonly remark: (text: string) => void;
  readonly write: WriteStaged;
}

/** Writes the staged file of a run from a confirmed offset, or from the start; it is complete, durable and noted as such afterwards. */
export type WriteStaged = (run: ExportRun, offsetBytes: number) => Promise<StagedCopy>;

/** A complete staged file: what its copy told, and where this attempt began. */
export interface StagedCopy {
  readonly copy: FinishedCopy;
  readonly from: number;
}

/** How far this attempt has come, as a later one will find it. */
interface Progress {
  /** null: nothing was opened yet. */
  start: WorkerStart | null;
  confirmed: number;
  /** The copy is over: what still confirms comes too late for the checkpoint. */
  ended: boolean;
  saving: Promise<void>;
}

/** An error of a cut export, with what a resume will find; what can never succeed leaves nothing. */
async function afterFailure(run: ExportRun, cause: unknown, progress: Progress): Promise<AppError> {
  const { confirmed, start } = progress;
  // A server that the signal ended answers with whatever it was at.
  const known = run.params.signal.aborted
    ? new AppError({ code: 'OPERATION_CANCELLED', message: 'export disk: cancelled', cause })
    : toAppError(cause, 'export disk');
  if (start === null) return known;
  const again = known.code === 'OPERATION_CANCELLED' || categoryTraits[known.category].retry !== 'never';
  if (confirmed === 0 || !again || !start.resumable) {
    await removeLeftovers(run.plan.files);
    return known;
  }
  return new AppError({
    code: known.code,
    message: `${known.message} (${confirmed} of ${run.plan.survey.sizeBytes} bytes are safe)`,
    details: { ...known.details, confirmedBytes: confirmed, checkpoint: run.plan.files.checkpointPath },
    hint: `${known.hint} The same command with --resume goes on at offset ${confirmed}.`,
    cause: known,
  });
}

async function noteStart(run: ExportRun, wantedBytes: number, start: WorkerStart): Promise<void> {
  const { files, survey, params } = run.plan;
  if (start.resumedFromBytes > 0) {
    run.remark(`goes on at offset ${start.resumedFromBytes} of ${survey.sizeBytes}`);
  } else if (wantedBytes > 0) {
    run.remark(`starts at zero: a ${params.format} file that was cut cannot be continued`);
    // Danger: the file was made anew under a name that a checkpoint calls half written.
    await removeCheckpoint(files);
  }
}

async function copyInThread(run: ExportRun, offsetBytes: number, progress: Progress): Promise<FinishedCopy> {
  const { plan, params } = run;
  const { files, fingerprint, survey, image } = plan;
  const { bandwidthBytesPerSecond, workDir, format, engine, confirmEveryMs } = plan.params;
  const identity = { fingerprint, format, sizeBytes: survey.sizeBytes };
  const { sha256, bytesCopied, bytesSkipped } = await copyInWorker({
    image,
    sink: fileSinkModule({
      finalPath: files.stagedPath,
      publishedName: path.basename(files.finalPath),
      format,
      sizeBytes: survey.sizeBytes,
      resume: offsetBytes > 0,
      survey,
    }),
    targetSizeBytes: survey.sizeBytes,
    workDir,
    signal: params.signal,
    bandwidthBytesPerSecond,
    tuning: { engine: readEngineOf(engine), ...(confirmEveryMs === undefined ? {} : { confirmEveryMs }) },
    resumeFromBytes: offsetBytes,
    onStarted: async (start) => {
      progress.start = start;
      progress.confirmed = start.resumedFromBytes;
      await noteStart(run, offsetBytes, start);
    },
    onProgress: (counters) => {
      run.space.written(counters.bytesDone - run.alreadyAllocated);
      params.onProgress({ phase: 'copy', ...counters });
    },
    onConfirmed: async (offset) => {
      const { start, ended } = progress;
      if (ended || start === null || start.alreadyFinished || !start.resumable) return;
      const state = { ...identity, confirmedBytes: offset, finished: null };
      progress.saving = saveCheckpoint(files, files.partialPath, state);
      await progress.saving;
      progress.confirmed = offset;
    },
    onCopied: () => Promise.resolve(),
  });
  return { sha256, bytesCopied, bytesSkipped };
}

/**
 * Copies into the staged file, in a thread of its own, from an offset that an earlier attempt has confirmed, or from the start where that
 * cannot be continued. The staged file is complete and durable afterwards, and the checkpoint says so.
 *
 * @throws {AppError} what `copyInWorker` and the sink throw; details tell what a resume will find
 */
export async function copyToStaged(run: ExportRun, offsetBytes: number): Promise<StagedCopy> {
  const { files, fingerprint, survey, params } = run.plan;
  if (offsetBytes === 0) await removeLeftovers(files);
  const progress: Progress = { start: null, confirmed: 0, ended: false, saving: Promise.resolve() };
  let copy: FinishedCopy;
  try {
    copy = await copyInThread(run, offsetBytes, progress);
  } catch (cause) {
    // Work that was in flight at the failure may confirm a moment later: no checkpoint is written behind what follows.
    progress.ended = true;
    await progress.saving.catch(() => undefined);
    throw await afterFailure(run, cause, progress);
  }
  await saveCheckpoint(files, files.stagedPath, {
    fingerprint,
    format: params.format,
    sizeBytes: survey.sizeBytes,
    confirmedBytes: survey.sizeBytes,
    finished: copy,
  });
  return { copy, from: progress.start?.resumedFromBytes ?? 0 };
}
