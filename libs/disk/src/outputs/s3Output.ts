import { cancelledError } from '../network/httpError.ts';
import type { ByteOutput } from '../output.ts';
import { openS3Client, type S3Target } from './s3Client.ts';
import { S3PartQueue } from './s3PartQueue.ts';
import { s3Buffers, s3PartBytes } from './s3Parts.ts';
import { S3Upload } from './s3Upload.ts';

const defaultConcurrency = 4;
const defaultMemoryBytes = 256 * 1024 * 1024;

/** One object to write. */
export interface OpenS3OutputParams {
  readonly target: S3Target;
  readonly bucket: string;
  readonly key: string;
  /** Upper bound of the length, e.g. the size of the disk; null = unknown (then 625 GiB are the most). */
  readonly expectedBytes: number | null;
  /** Default: chosen from `expectedBytes`. */
  readonly partBytes?: number;
  /** Parts on their way at once; default 4. */
  readonly concurrency?: number;
  /** Limit of the part buffers; default 256 MiB. Two parts are held in any case. */
  readonly memoryBytes?: number;
  readonly signal?: AbortSignal;
}

/**
 * An object of an S3 store, written as a multipart upload with a CRC-32 for each part. It appears under its key with `finish`, which also
 * compares its length; until then nothing stands there. `abort` removes the parts, also after a cancellation.
 *
 * @throws {AppError} DISK_OUTPUT_REJECTED - longer than an object can be; DISK_OUTPUT_UNTRUSTED; its calls add DISK_OUTPUT_REFUSED,
 * DISK_OUTPUT_UNAVAILABLE, DISK_OUTPUT_TIMEOUT, DISK_OUTPUT_MISMATCH, DISK_SPACE_EXHAUSTED, OPERATION_CANCELLED
 */
export async function openS3Output(params: OpenS3OutputParams): Promise<ByteOutput> {
  const { expectedBytes, concurrency = defaultConcurrency, memoryBytes = defaultMemoryBytes } = params;
  const partBytes = s3PartBytes({ expectedBytes, wantedBytes: params.partBytes ?? null });
  const client = await openS3Client(params.target, concurrency, params.signal);
  const upload = new S3Upload(params, await import('@aws-sdk/client-s3'), client);
  const queue = new S3PartQueue(upload, partBytes, s3Buffers(partBytes, concurrency, memoryBytes));
  let written = 0;
  let isStored = false;
  let isFinished = false;
  return {
    write: async (data) => {
      await queue.add(data);
      written += data.length;
    },
    finish: async () => {
      if (isFinished) return;
      // A check that failed may be repeated; the object must not be written again, now from an empty queue.
      if (!isStored) {
        queue.assertWhole();
        if (upload.isBegun) {
          await queue.send();
          await queue.settle();
          queue.assertWhole();
          await upload.complete();
        } else await upload.put(queue.rest);
      }
      isStored = true;
      await upload.check(written);
      isFinished = true;
      upload.close();
    },
    abort: async () => {
      if (isFinished) return;
      queue.fail(cancelledError(`write ${upload.label}`));
      upload.stop();
      await queue.settle();
      await upload.remove();
      upload.close();
    },
  };
}
