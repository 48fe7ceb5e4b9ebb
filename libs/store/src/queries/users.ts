import { AppError } from '@ascend/errors';
import { newId } from '@ascend/runtime';
import { and, asc, eq, gt, isNull, or, sql } from 'drizzle-orm';
import { query } from '../database.ts';
import { apiTokens, users } from '../schema/index.ts';
import { newToken, tokenSha256 } from './tokens.ts';
import { runTransaction } from '../session.ts';

/** What a user may do: look, restore, configure. */
export type UserRole = 'viewer' | 'operator' | 'admin';

/** Who makes a call. */
export interface TokenOwner {
  readonly tokenId: string;
  readonly userId: string;
  readonly name: string;
  readonly role: UserRole;
}

/** A token as it is made: the only time its text is known. Danger: never log it. */
export interface MadeApiToken {
  readonly id: string;
  readonly token: string;
  readonly prefix: string;
}

/** Makes a user or gives one another role. Returns the id; a disabled user stays disabled. */
export const putUser = query(
  'put user',
  async (
    session,
    params: { readonly name: string; readonly role: UserRole; readonly nowMs: number },
  ): Promise<string> => {
    const { name, role, nowMs } = params;
    await session.orm
      .insert(users)
      .values({ id: newId(nowMs), name, role, createdAt: new Date(nowMs) })
      .onDuplicateKeyUpdate({ set: { role } });
    const [row] = await session.orm.select({ id: users.id }).from(users).where(eq(users.name, name));
    return row?.id ?? '';
  },
);

/** Makes a bearer token for a user, who is made too when there is none of that name. Lives until it is revoked unless `ttlMs` is given. */
export const createApiToken = query(
  'create API token',
  async (
    session,
    params: {
      readonly userName: string;
      readonly role: UserRole;
      readonly tokenName: string;
      readonly nowMs: number;
      readonly ttlMs?: number;
    },
  ): Promise<MadeApiToken> =>
    runTransaction(session, async (tx) => {
      const { userName, role, tokenName, nowMs, ttlMs } = params;
      const userId = await putUser(tx, { name: userName, role, nowMs });
      const id = newId(nowMs);
      const { token, prefix } = newToken('asc');
      await tx.orm.insert(apiTokens).values({
        id,
        userId,
        name: tokenName,
        prefix,
        tokenSha256: tokenSha256(token),
        createdAt: new Date(nowMs),
        expiresAt: ttlMs === undefined ? null : new Date(nowMs + ttlMs),
      });
      return { id, token, prefix };
    }),
);

/** Minutes between two notes of a token's use: reading must not write each time. */
const useNoteMs = 5 * 60_000;

/** Who holds this token; null when it is unknown, revoked, expired, or its user is disabled. */
export const authenticateToken = query(
  'authenticate token',
  async (session, token: string, nowMs: number): Promise<TokenOwner | null> => {
    const now = new Date(nowMs);
    const [row] = await session.orm
      .select({
        tokenId: apiTokens.id,
        userId: users.id,
        name: users.name,
        role: users.role,
        lastUsedAt: apiTokens.lastUsedAt,
      })
      .from(apiTokens)
      .innerJoin(users, eq(users.id, apiTokens.userId))
      .where(
        and(
          eq(apiTokens.tokenSha256, tokenSha256(token)),
          isNull(apiTokens.revokedAt),
          isNull(users.disabledAt),
          or(isNull(apiTokens.expiresAt), gt(apiTokens.expiresAt, now)),
        ),
      );
    if (row === undefined) return null;
    const { lastUsedAt, ...owner } = row;
    if (lastUsedAt === null || nowMs - lastUsedAt.getTime() > useNoteMs) {
      await session.orm.update(apiTokens).set({ lastUsedAt: now }).where(eq(apiTokens.id, owner.tokenId));
    }
    return owner;
  },
);

/** All tokens with their users, without their text. */
export const listApiTokens = query('list API tokens', async (session) =>
  session.orm
    .select({
      id: apiTokens.id,
      name: apiTokens.name,
      prefix: apiTokens.prefix,
      userName: users.name,
      role: users.role,
      createdAt: apiTokens.createdAt,
      expiresAt: apiTokens.expiresAt,
      lastUsedAt: apiTokens.lastUsedAt,
      revokedAt: apiTokens.revokedAt,
    })
    .from(apiTokens)
    .innerJoin(users, eq(users.id, apiTokens.userId))
    .orderBy(asc(apiTokens.createdAt), asc(apiTokens.id)),
);

/**
 * Ends a token. Idempotent.
 *
 * @throws {AppError} STORE_TOKEN_UNKNOWN
 */
export const revokeApiToken = query(
  'revoke API token',
  async (session, tokenId: string, nowMs: number): Promise<void> => {
    const revokedAt = sql`COALESCE(${apiTokens.revokedAt}, ${new Date(nowMs)})`;
    const [result] = await session.orm.update(apiTokens).set({ revokedAt }).where(eq(apiTokens.id, tokenId));
    if (result.affectedRows > 0) return;
    throw new AppError({
      code: 'STORE_TOKEN_UNKNOWN',
      message: `revoke API token: no token with id ${JSON.stringify(tokenId)}`,
      details: { tokenId },
    });
  },
);
