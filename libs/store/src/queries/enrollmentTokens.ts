import { AppError } from '@ascend/errors';
import { newId } from '@ascend/runtime';
import { and, desc, eq, gt, isNull } from 'drizzle-orm';
import { query } from '../database.ts';
import { isServerError } from '../databaseError.ts';
import { enrollmentTokens } from '../schema/index.ts';
import { siteUnknown } from './repositories.ts';
import { newToken, tokenSha256 } from './tokens.ts';

/** A token as it is made: the only time its text is known. Danger: never log it. */
export interface MadeEnrollmentToken {
  readonly id: string;
  readonly token: string;
  readonly siteId: string;
  readonly expiresAt: Date;
}

/**
 * Makes a one-time token for one agent of a site.
 *
 * @throws {AppError} STORE_SITE_UNKNOWN
 */
export const createEnrollmentToken = query(
  'create enrollment token',
  async (
    session,
    params: {
      readonly siteId: string;
      readonly createdBy: string;
      readonly ttlMs: number;
      readonly nowMs: number;
    },
  ): Promise<MadeEnrollmentToken> => {
    const { siteId, createdBy, ttlMs, nowMs } = params;
    const id = newId(nowMs);
    const { token } = newToken('enr');
    const expiresAt = new Date(nowMs + ttlMs);
    const createdAt = new Date(nowMs);
    try {
      await session.orm
        .insert(enrollmentTokens)
        .values({ id, tokenSha256: tokenSha256(token), siteId, createdBy, createdAt, expiresAt });
    } catch (error) {
      throw isServerError(error, 'parentMissing') ? siteUnknown(siteId, 'create enrollment token') : error;
    }
    return { id, token, siteId, expiresAt };
  },
);

/**
 * Uses a token up and returns its site. Call it inside the transaction that stores the agent: of two agents with one
 * token exactly one gets in, and a failed enrolment leaves the token as it was.
 *
 * @throws {AppError} STORE_ENROLLMENT_REFUSED - unknown, used or expired (which one is not told)
 */
export const consumeEnrollmentToken = query(
  'consume enrollment token',
  async (
    session,
    params: { readonly token: string; readonly agentId: string; readonly nowMs: number },
  ): Promise<string> => {
    const { token, agentId, nowMs } = params;
    const now = new Date(nowMs);
    const mine = eq(enrollmentTokens.tokenSha256, tokenSha256(token));
    const [result] = await session.orm
      .update(enrollmentTokens)
      .set({ usedAt: now, usedByAgent: agentId })
      .where(and(mine, isNull(enrollmentTokens.usedAt), gt(enrollmentTokens.expiresAt, now)));
    const [row] = await session.orm
      .select({ siteId: enrollmentTokens.siteId })
      .from(enrollmentTokens)
      .where(mine);
    if (result.affectedRows === 1 && row !== undefined) return row.siteId;
    throw new AppError({
      code: 'STORE_ENROLLMENT_REFUSED',
      message: `enrol agent ${agentId}: the token is unknown, used or expired`,
      details: { agentId },
    });
  },
);

/** All enrolment tokens, newest first, without their text. */
export const listEnrollmentTokens = query('list enrollment tokens', async (session) => {
  const { id, siteId, createdBy, createdAt, expiresAt, usedAt, usedByAgent } = enrollmentTokens;
  return session.orm
    .select({ id, siteId, createdBy, createdAt, expiresAt, usedAt, usedByAgent })
    .from(enrollmentTokens)
    .orderBy(desc(createdAt), desc(id));
});
