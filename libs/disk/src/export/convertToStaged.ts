import path from 'node:path';
import { AppError } from '@ascend/errors';
import { convertWithQemuImg } from '../qemu/convert.ts';
import { saveCheckpoint, type FinishedCopy } from './checkpoint.ts';
import type { ExportRun, StagedCopy } from './copyToStaged.ts';
import { removeLeftovers } from './exportFiles.ts';

/**
 * Has qemu-img write the staged file. It cannot go on with what an earlier attempt left: it starts at zero and says so. It counts neither
 * digest nor bytes: `bytesCopied` is what the map calls data. The map was walked when the export was planned, so that no cut file is read.
 *
 * @throws {AppError} as `convertWithQemuImg`
 */
export async function convertToStaged(run: ExportRun, offsetBytes: number): Promise<StagedCopy> {
  const { plan, params } = run;
  const { files, survey, image, fingerprint } = plan;
  const { format, bandwidthBytesPerSecond } = plan.params;
  if (offsetBytes > 0) run.remark('starts at zero: qemu-img cannot go on with a file');
  await removeLeftovers(files);
  const { dataBytes, sizeBytes } = survey;
  try {
    await convertWithQemuImg({
      image,
      finalPath: files.stagedPath,
      publishedName: path.basename(files.finalPath),
      format,
      signal: params.signal,
      bandwidthBytesPerSecond,
      onProgress: ({ bytesDone, bytesTotal }) => {
        // qemu-img tells a share of the virtual disk.
        const done = Math.floor((dataBytes * bytesDone) / bytesTotal);
        run.space.written(done);
        params.onProgress({
          phase: 'copy',
          bytesDone: done,
          bytesTotal: dataBytes,
          bytesSkipped: bytesDone - done,
        });
      },
    });
  } catch (cause) {
    if (!params.signal.aborted) throw cause;
    throw new AppError({ code: 'OPERATION_CANCELLED', message: 'export disk: cancelled', cause });
  }
  const copy: FinishedCopy = { sha256: null, bytesCopied: dataBytes, bytesSkipped: sizeBytes - dataBytes };
  await saveCheckpoint(files, files.stagedPath, {
    fingerprint,
    format,
    sizeBytes,
    confirmedBytes: sizeBytes,
    finished: copy,
  });
  return { copy, from: 0 };
}
