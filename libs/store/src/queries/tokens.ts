import { createHash, randomBytes } from 'node:crypto';

/** What is stored of a token: nobody gets it back out. */
export function tokenSha256(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

/** A new token: its kind, a public part that lists show, and 256 random bits. */
export function newToken(kind: 'asc' | 'enr'): { readonly token: string; readonly prefix: string } {
  const prefix = `${kind}_${randomBytes(4).toString('hex')}`;
  return { token: `${prefix}_${randomBytes(32).toString('base64url')}`, prefix };
}
