import type { DiskRef } from '@ascend/connector';
import { z } from 'zod';
import { timingShape, type StepTiming } from '../timing.ts';

/** One disk on the target: how to name it there, and what moving it took. */
export interface TransferDiskOutput extends StepTiming {
  readonly ref: DiskRef;
  /** Digest of the whole virtual disk; the same for every format. null when it could not be computed. */
  readonly sha256: string | null;
  readonly bytesCopied: number;
  readonly bytesSkipped: number;
  readonly sizeBytes: number;
  /** Offset at which an earlier attempt was continued; 0 = in one go. */
  readonly resumedFromBytes: number;
  /** True when the disk was read back from the target and its digest is the same. */
  readonly readBack: boolean;
}

/** The reference of a disk as it comes back from storage. */
const diskRefSchema: z.ZodType<DiskRef> = z.object({
  diskIndex: z.number().int(),
  name: z.string(),
  token: z.unknown(),
});

/** Checks the output when it is read by a later step. */
export const transferDiskOutputSchema: z.ZodType<TransferDiskOutput> = z.object({
  ...timingShape,
  ref: diskRefSchema,
  sha256: z.string().nullable(),
  bytesCopied: z.number(),
  bytesSkipped: z.number(),
  sizeBytes: z.number(),
  resumedFromBytes: z.number(),
  readBack: z.boolean(),
});
