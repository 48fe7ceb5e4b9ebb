import { mkdir, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { AppError, isAppError } from '@ascend/errors';
import { systemClock, type Clock } from '@ascend/runtime';
import { assertChainUnchanged } from '../chain/fingerprint.ts';
import { changeFile } from '../fileErrors.ts';
import { chooseEngine, fallBack, type EngineWish, type WriteEngine } from '../qemu/chooseEngine.ts';
import { fileFormats } from '../sinks/fileSink.ts';
import { reserveSpace, type SpaceReservation } from '../space/reserveSpace.ts';
import type { VerifyReport } from '../verify/verifyDisk.ts';
import { chooseStart, type ExportStart, type FinishedCopy } from './checkpoint.ts';
import { convertToStaged } from './convertToStaged.ts';
import { copyToStaged, type ExportRun, type RunExportParams, type WriteStaged } from './copyToStaged.ts';
import { fileFormatOf, writeWishOf } from './exportFormat.ts';
import { existsError, identify, publishStaged, removeLeftovers } from './exportFiles.ts';
import { withFormat, type ExportPlan } from './planExport.ts';
import { verifyStaged } from './verifyStaged.ts';

/** A disk that stands complete, verified as asked, under its final name. */
export interface ExportResult extends FinishedCopy {
  readonly finalPath: string;
  readonly format: string;
  /** Who wrote it; a resume that found it written tells who was asked. */
  readonly engine: WriteEngine;
  readonly sizeBytes: number;
  readonly fileSizeBytes: number;
  readonly allocatedBytes: number;
  /** Where this attempt began; 0 = at the start. */
  readonly resumedFromBytes: number;
  readonly durationMs: number;
  readonly verify: VerifyReport;
  readonly remarks: readonly string[];
}

// What the file system itself needs to remember where the file lies.
const fileSystemShare = 0.001;

async function reserve(plan: ExportPlan): Promise<{ space: SpaceReservation; alreadyAllocated: number }> {
  const { files, estimate } = plan;
  const left = [await identify(files.partialPath), await identify(files.stagedPath)];
  // Kept or made anew: what an earlier attempt takes is used again or freed.
  const alreadyAllocated = left.reduce((sum, file) => sum + (file?.allocatedBytes ?? 0), 0);
  const wanted = Math.ceil(estimate.bytesToWrite.atMostBytes * (1 + fileSystemShare));
  const space = await reserveSpace({
    folder: path.dirname(files.finalPath),
    bytes: Math.max(0, wanted - alreadyAllocated),
    target: files.finalPath,
  });
  return { space, alreadyAllocated };
}

async function decideStart(run: ExportRun): Promise<ExportStart> {
  const { plan, remark } = run;
  const { files, params, fingerprint, survey } = plan;
  const start: ExportStart = params.resume
    ? await chooseStart(files, { fingerprint, format: params.format, sizeBytes: survey.sizeBytes })
    : {
        kind: 'zero',
        reason:
          (await identify(files.checkpointPath)) === null
            ? null
            : 'what an earlier attempt left is discarded',
      };
  const isFinal = start.kind === 'finished' && start.where === 'final';
  if (!isFinal && (await identify(files.finalPath)) !== null) throw existsError(files.finalPath);
  if (start.kind === 'zero' && start.reason !== null) remark(`starts at zero: ${start.reason}`);
  if (start.kind === 'finished') remark('an earlier attempt had written all of it');
  return start;
}

async function runExport(run: ExportRun): Promise<Omit<ExportResult, 'engine' | 'durationMs' | 'remarks'>> {
  const { plan } = run;
  const { files, survey, params } = plan;
  await assertChainUnchanged(plan.image.chain);
  const start = await decideStart(run);
  const { copy, from } =
    start.kind === 'finished'
      ? { copy: start.copy, from: survey.sizeBytes }
      : await run.write(run, start.kind === 'offset' ? start.offsetBytes : 0);
  const isFinal = start.kind === 'finished' && start.where === 'final';
  const verify = await verifyStaged(run, isFinal ? files.finalPath : files.stagedPath, copy);
  if (!isFinal) await publishStaged(files);
  await removeLeftovers(files);
  const written = await identify(files.finalPath);
  return {
    ...copy,
    finalPath: files.finalPath,
    format: params.format,
    sizeBytes: survey.sizeBytes,
    fileSizeBytes: written?.sizeBytes ?? 0,
    allocatedBytes: written?.allocatedBytes ?? 0,
    resumedFromBytes: from,
    verify,
  };
}

/**
 * Writes one planned disk to its file: reserves space, copies in one pass with a checkpoint beside the partial file, verifies, and only
 * then gives it its final name. A cut export leaves the partial file and its checkpoint where a resume can use them, else nothing; a
 * resume compares the fingerprints of both ends first and tells where it begins and why. An existing file is never replaced. With engine
 * `auto` what our own encoder refuses is written by qemu-img, and as a last resort as raw, under the name with `.raw` behind it; remarks tell.
 *
 * @throws {AppError} DISK_TARGET_EXISTS, DISK_TARGET_BUSY - another run writes this target; DISK_FORMAT_LIMIT, DISK_SPACE_EXHAUSTED - before anything is
 * created, or while writing; DISK_SOURCE_CHANGED, DISK_VERIFY_MISMATCH, OPERATION_CANCELLED, and what `copyInWorker`,
 * `convertWithQemuImg` and the sink throw
 */
export async function exportDisk(plan: ExportPlan, params: RunExportParams): Promise<ExportResult> {
  const clock = params.clock ?? systemClock;
  const startedMs = clock.now();
  const remarks: string[] = [...plan.image.chain.remarks];
  const remark = (text: string): void => {
    remarks.push(text);
    params.onRemark(text);
  };
  const folder = path.dirname(plan.files.finalPath);
  const made = plan.params.makeFolder
    ? await changeFile('make folder', folder, () => mkdir(folder, { recursive: true }))
    : undefined;
  try {
    return await runEngines(plan, params, { clock, startedMs, remarks, remark });
  } catch (cause) {
    // Only when nothing is in it.
    if (made !== undefined) await rmdir(folder).catch(() => undefined);
    throw cause;
  }
}

interface Telling {
  readonly clock: Clock;
  readonly startedMs: number;
  readonly remarks: readonly string[];
  readonly remark: (text: string) => void;
}

const ownWriters: Readonly<Record<WriteEngine, WriteStaged>> = {
  own: copyToStaged,
  'qemu-img': convertToStaged,
};

/** One engine after the other, until one writes the disk or none is left. */
async function runEngines(
  plan: ExportPlan,
  params: RunExportParams,
  telling: Telling,
): Promise<ExportResult> {
  const { format, engine } = plan.params;
  const wish: EngineWish = { format, engine: writeWishOf(engine), ownFormats: fileFormats };
  for (let choice = chooseEngine(wish); ;) {
    if (choice.remark !== null) telling.remark(choice.remark);
    const chosen = withFormat(plan, fileFormatOf(choice.format));
    const writers = params.writers ?? ownWriters;
    try {
      return await runReserved(chosen, params, {
        ...telling,
        engine: choice.engine,
        write: writers[choice.engine],
      });
    } catch (cause) {
      const next = fallBack(wish, choice, cause);
      if (next === null) throw cause;
      choice = next;
    }
  }
}

async function runReserved(
  plan: ExportPlan,
  params: RunExportParams,
  telling: Telling & { readonly engine: WriteEngine; readonly write: WriteStaged },
): Promise<ExportResult> {
  const { clock, startedMs, remarks, remark, engine, write } = telling;
  const { space, alreadyAllocated } = await reserve(plan);
  try {
    const result = await runExport({ plan, params, space, alreadyAllocated, remark, write });
    return { ...result, engine, durationMs: clock.now() - startedMs, remarks };
  } catch (cause) {
    if (params.signal.aborted && !isAppError(cause))
      throw new AppError({ code: 'OPERATION_CANCELLED', message: 'export disk: cancelled', cause });
    throw cause;
  } finally {
    space.release();
  }
}
