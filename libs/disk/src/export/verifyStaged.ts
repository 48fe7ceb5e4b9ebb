import { isAppError } from '@ascend/errors';
import { fileFacts } from '../estimate/fileFacts.ts';
import { mismatchError } from '../verify/compareBlocks.ts';
import { verifyDisk, type VerifyDiskParams, type VerifyReport } from '../verify/verifyDisk.ts';
import type { FinishedCopy } from './checkpoint.ts';
import type { ExportProgress, ExportRun } from './copyToStaged.ts';
import { removeLeftovers } from './exportFiles.ts';
import { openProofSource } from './exportSource.ts';
import type { ExportPlan } from './planExport.ts';

/** Compares what was written with the source of a plan, which is read another way than for the copy. @throws {AppError} as `verifyDisk` */
export async function proveCopy(
  plan: ExportPlan,
  params: Pick<VerifyDiskParams, 'target' | 'signal'> & {
    /** What the copy read; null = not known. */
    readonly sha256: string | null;
    readonly onProgress: (progress: ExportProgress) => void;
  },
): Promise<VerifyReport> {
  const { verify: mode, workDir } = plan.params;
  if (mode === 'none') return { mode, comparedBytes: 0, dataBlocks: 0, sha256: null, sample: null };
  const { signal, target, sha256 } = params;
  const source = await openProofSource(plan.image, { ...plan.params, signal });
  try {
    const report = await verifyDisk({
      source,
      target,
      mode,
      workDir,
      signal,
      onProgress: (progress) => params.onProgress({ phase: 'verify', bytesSkipped: 0, ...progress }),
    });
    if (report.sha256 !== null && sha256 !== null && report.sha256 !== sha256) {
      throw mismatchError('source and target are the same now, but not what was read for the copy', {
        copySha256: sha256,
        verifySha256: report.sha256,
      });
    }
    await source.assertUnchanged();
    return report;
  } finally {
    await source.close();
  }
}

/**
 * Compares a written file with its source as the plan asks. A staged file that is wrong is removed with its checkpoint.
 *
 * @throws {AppError} DISK_VERIFY_MISMATCH, DISK_SOURCE_CHANGED and what `verifyDisk` throws
 */
export async function verifyStaged(
  run: ExportRun,
  filePath: string,
  copy: FinishedCopy,
): Promise<VerifyReport> {
  const { files } = run.plan;
  try {
    const target = { path: filePath, format: fileFacts[run.plan.params.format].readAs };
    return await proveCopy(run.plan, { ...run.params, target, sha256: copy.sha256 });
  } catch (cause) {
    const wrong = isAppError(cause) && ['DISK_VERIFY_MISMATCH', 'DISK_SOURCE_CHANGED'].includes(cause.code);
    // A wrong file must not be found, and taken for good, by a resume.
    if (wrong && filePath === files.stagedPath) await removeLeftovers(files);
    throw cause;
  }
}
