import { createHash } from 'node:crypto';
import type { CopyResult } from '@ascend/disk';
import { z } from 'zod';

/** How far a transfer is known to be durable on the target, and of which content. */
export interface TransferCheckpoint {
  readonly version: 1;
  /** See `contentKey`. */
  readonly contentKey: string;
  readonly confirmedBytes: number;
  /** The result once everything was copied: kept, should the agent end before it can say so. */
  readonly copied: CopyResult | null;
}

const checkpointSchema: z.ZodType<TransferCheckpoint> = z.object({
  version: z.literal(1),
  contentKey: z.string(),
  confirmedBytes: z.number().int().nonnegative(),
  copied: z
    .object({ bytesCopied: z.number(), bytesSkipped: z.number(), sha256: z.string().nullable() })
    .nullable(),
});

/** Names the bytes that a transfer moves: another restore point, sealing, disk or size gives another key. */
export function contentKey(params: {
  readonly fingerprint: string;
  readonly sealId: string | null;
  readonly diskIndex: number;
  readonly targetSizeBytes: number;
}): string {
  const parts = [params.fingerprint, params.sealId ?? 'unprepared', params.diskIndex, params.targetSizeBytes];
  return createHash('sha256').update(parts.join('\n')).digest('hex');
}

/** The checkpoint when it speaks of the same content, else null: then the transfer starts at zero. */
export function readCheckpoint(stored: unknown, key: string): TransferCheckpoint | null {
  const parsed = checkpointSchema.safeParse(stored);
  return parsed.success && parsed.data.contentKey === key ? parsed.data : null;
}
