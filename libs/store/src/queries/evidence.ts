import { createHash } from 'node:crypto';
import { AppError } from '@ascend/errors';
import { newId } from '@ascend/runtime';
import { and, asc, eq, sql } from 'drizzle-orm';
import { query } from '../database.ts';
import { evidence } from '../schema/index.ts';

/** Largest piece of evidence, bytes (D13). */
export const maxEvidenceBytes = 1024 * 1024;

/** A piece of proof without its bytes. */
export interface EvidenceRow {
  readonly id: string;
  readonly jobId: string;
  readonly stepKey: string;
  readonly opId: string | null;
  /** E.g. `screenshot`, `serial`. */
  readonly kind: string;
  readonly mediaType: string;
  readonly sha256: string;
  readonly createdAt: Date;
}

/**
 * Keeps a piece of evidence and returns its id. The same bytes for the same step are kept once. It has no tie to the
 * job's row: it stays when the backup is deleted.
 *
 * @throws {AppError} STORE_EVIDENCE_TOO_LARGE - more than 1 MiB
 */
export const putEvidence = query(
  'put evidence',
  async (
    session,
    params: Omit<EvidenceRow, 'id' | 'sha256' | 'createdAt'> & {
      readonly content: Uint8Array;
      readonly nowMs: number;
    },
  ): Promise<string> => {
    const { content, nowMs, ...values } = params;
    if (content.byteLength > maxEvidenceBytes) {
      throw new AppError({
        code: 'STORE_EVIDENCE_TOO_LARGE',
        message: `put evidence ${values.kind} of job ${values.jobId}: ${content.byteLength} bytes, at most ${maxEvidenceBytes}`,
        details: { sizeBytes: content.byteLength, limitBytes: maxEvidenceBytes },
      });
    }
    const sha256 = createHash('sha256').update(content).digest('hex');
    await session.orm
      .insert(evidence)
      .values({
        id: newId(nowMs),
        ...values,
        sha256,
        content: Buffer.from(content),
        createdAt: new Date(nowMs),
      })
      .onDuplicateKeyUpdate({ set: { id: sql`${evidence.id}` } });
    const { jobId, stepKey, kind } = values;
    const [row] = await session.orm
      .select({ id: evidence.id })
      .from(evidence)
      .where(
        and(
          eq(evidence.jobId, jobId),
          eq(evidence.stepKey, stepKey),
          eq(evidence.kind, kind),
          eq(evidence.sha256, sha256),
        ),
      );
    return row?.id ?? '';
  },
);

/** What evidence there is of a job, oldest first, without the bytes. */
export const listEvidence = query(
  'list evidence',
  async (session, jobId: string): Promise<readonly EvidenceRow[]> => {
    const rows = await session.orm
      .select({
        id: evidence.id,
        jobId: evidence.jobId,
        stepKey: evidence.stepKey,
        opId: evidence.opId,
        kind: evidence.kind,
        mediaType: evidence.mediaType,
        sha256: evidence.sha256,
        createdAt: evidence.createdAt,
      })
      .from(evidence)
      .where(eq(evidence.jobId, jobId))
      .orderBy(asc(evidence.createdAt), asc(evidence.id));
    return rows;
  },
);

/** The bytes of a piece of evidence; null when there is none with this id in this job. */
export const readEvidence = query(
  'read evidence',
  async (
    session,
    jobId: string,
    id: string,
  ): Promise<{ readonly mediaType: string; readonly content: Buffer } | null> => {
    const [row] = await session.orm
      .select({ mediaType: evidence.mediaType, content: evidence.content })
      .from(evidence)
      .where(and(eq(evidence.id, id), eq(evidence.jobId, jobId)));
    return row ?? null;
  },
);
