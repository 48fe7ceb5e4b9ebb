import path from 'node:path';
import { AppError, isAppError } from '@ascend/errors';
import { systemClock, type Clock } from '@ascend/runtime';
import { assertChainUnchanged } from '../chain/fingerprint.ts';
import { copyDisk } from '../copy/copyDisk.ts';
import { openOvaWriter, type OvaWriter } from '../ova/ovaWriter.ts';
import { streamOptimizedFormat } from '../ova/ovfDescriptor.ts';
import { openFileOutput } from '../outputs/fileOutput.ts';
import type { CopyResult } from '../sink.ts';
import { reserveSpace, type SpaceReservation } from '../space/reserveSpace.ts';
import type { VerifyReport } from '../verify/verifyDisk.ts';
import { createStreamOptimizedSink } from '../vmdk/streamOptimizedSink.ts';
import type { ExportProgress } from './copyToStaged.ts';
import { readEngineOf } from './exportFormat.ts';
import { identify, publishStaged, removeLeftovers } from './exportFiles.ts';
import type { AppliancePlan } from './planAppliance.ts';
import type { ExportPlan } from './planExport.ts';
import { verifyAppliance } from './verifyAppliance.ts';

/** Who is told what while an appliance is written. */
export interface ExportApplianceParams {
  /** Cuts the work; nothing is left then. */
  readonly signal: AbortSignal;
  readonly onProgress: (disk: ExportPlan, progress: ExportProgress) => void;
  /** A sentence an operator should read. */
  readonly onRemark: (text: string) => void;
  /** Default: the machine's clock. */
  readonly clock?: Clock;
}

/** A disk inside an appliance. */
export interface ApplianceDisk extends CopyResult {
  readonly chain: string;
  /** Name of its member. */
  readonly name: string;
  readonly sizeBytes: number;
  readonly verify: VerifyReport;
}

/** An appliance that stands complete, verified as asked, under its final name. */
export interface ApplianceResult {
  readonly finalPath: string;
  readonly fileSizeBytes: number;
  readonly allocatedBytes: number;
  readonly durationMs: number;
  readonly disks: readonly ApplianceDisk[];
  readonly remarks: readonly string[];
}

// What the file system itself needs to remember where the file lies.
const fileSystemShare = 0.001;

async function packDisk(
  writer: OvaWriter,
  diskIndex: number,
  disk: ExportPlan,
  params: Pick<ExportApplianceParams, 'signal' | 'onProgress'>,
): Promise<CopyResult> {
  const { image, survey } = disk;
  const { workDir, bandwidthBytesPerSecond, engine } = disk.params;
  const extentName = writer.diskNames[diskIndex];
  const sink = createStreamOptimizedSink({
    output: writer.openDisk(diskIndex),
    sizeBytes: survey.sizeBytes,
    ...(extentName === undefined ? {} : { extentName }),
  });
  try {
    const result = await copyDisk({
      image,
      sink,
      engine: readEngineOf(engine),
      targetSizeBytes: survey.sizeBytes,
      workDir,
      signal: params.signal,
      bandwidthBytesPerSecond,
      resumeFromBytes: 0,
      onProgress: (progress) => params.onProgress(disk, { phase: 'copy', ...progress }),
      onConfirmed: () => Promise.resolve(),
    });
    await sink.finish();
    return result;
  } catch (cause) {
    // The archive with it.
    await sink.abort();
    throw cause;
  }
}

/** Packs all disks one after the other into the staged file. */
async function pack(
  plan: AppliancePlan,
  params: ExportApplianceParams,
  space: SpaceReservation,
): Promise<{ readonly copies: readonly CopyResult[]; readonly names: readonly string[] }> {
  const { vm, disks, files } = plan;
  const output = await openFileOutput({ finalPath: files.stagedPath });
  const { signal } = params;
  try {
    const writer = await openOvaWriter({ output, vm, format: streamOptimizedFormat });
    const onProgress: ExportApplianceParams['onProgress'] = (disk, progress) => {
      space.written(output.lengthBytes);
      params.onProgress(disk, progress);
    };
    const copies: CopyResult[] = [];
    for (const [index, disk] of disks.entries()) {
      copies.push(await packDisk(writer, index, disk, { signal, onProgress }));
    }
    await writer.finish();
    return { copies, names: writer.diskNames };
  } catch (cause) {
    await output.abort();
    throw cause;
  }
}

async function packAndProve(
  plan: AppliancePlan,
  params: ExportApplianceParams,
  space: SpaceReservation,
): Promise<readonly ApplianceDisk[]> {
  const { disks, files } = plan;
  for (const { image } of disks) await assertChainUnchanged(image.chain);
  await removeLeftovers(files);
  try {
    const { copies, names } = await pack(plan, params, space);
    const reports = await verifyAppliance({
      filePath: files.stagedPath,
      disks: disks.map((disk, index) => ({
        plan: disk,
        name: names[index] ?? '',
        sha256: copies[index]?.sha256 ?? null,
      })),
      signal: params.signal,
      onProgress: params.onProgress,
    });
    await publishStaged(files);
    return reports.map(({ plan: disk, name, verify }, index) => ({
      bytesCopied: copies[index]?.bytesCopied ?? 0,
      bytesSkipped: copies[index]?.bytesSkipped ?? 0,
      sha256: copies[index]?.sha256 ?? null,
      chain: disk.params.file,
      name,
      sizeBytes: disk.survey.sizeBytes,
      verify,
    }));
  } catch (cause) {
    // No resume could use it.
    await removeLeftovers(files);
    throw cause;
  }
}

/**
 * Writes a planned appliance: reserves space, encodes one disk after the other straight into the archive, decodes and compares them again,
 * and only then gives the file its final name. It cannot go on after a cut: every attempt starts at zero, and a cut one leaves nothing
 * (after a kill a partial file, which the next attempt removes). An existing file is never replaced.
 *
 * @throws {AppError} DISK_TARGET_EXISTS, DISK_TARGET_BUSY, DISK_SPACE_EXHAUSTED, DISK_OVF_INVALID, DISK_SOURCE_CHANGED, DISK_VERIFY_MISMATCH,
 * OPERATION_CANCELLED, and what `copyDisk` and the encoder throw
 */
export async function exportAppliance(
  plan: AppliancePlan,
  params: ExportApplianceParams,
): Promise<ApplianceResult> {
  const clock = params.clock ?? systemClock;
  const startedMs = clock.now();
  const remarks = [...plan.remarks];
  if (plan.resume) {
    const remark = 'starts at zero: an archive that was cut cannot be continued';
    remarks.push(remark);
    params.onRemark(remark);
  }
  const { finalPath } = plan.files;
  const space = await reserveSpace({
    folder: path.dirname(finalPath),
    bytes: Math.ceil(plan.atMostBytes * (1 + fileSystemShare)),
    target: finalPath,
  });
  try {
    const disks = await packAndProve(plan, params, space);
    const written = await identify(finalPath);
    return {
      finalPath,
      fileSizeBytes: written?.sizeBytes ?? 0,
      allocatedBytes: written?.allocatedBytes ?? 0,
      durationMs: clock.now() - startedMs,
      disks,
      remarks,
    };
  } catch (cause) {
    if (params.signal.aborted && !isAppError(cause))
      throw new AppError({ code: 'OPERATION_CANCELLED', message: 'export appliance: cancelled', cause });
    throw cause;
  } finally {
    space.release();
  }
}
