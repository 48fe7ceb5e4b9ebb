import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { AppError } from '@ascend/errors';

const cipherName = 'aes-256-gcm';
const nonceBytes = 12;

/** Names a key without telling it, so that "wrong key file" can be said in words. */
function keyName(key: Buffer): string {
  return createHash('sha256').update(key).digest('hex').slice(0, 8);
}

/**
 * Seals text with AES-256-GCM as `v1.<key name>.<nonce>.<tag>.<ciphertext>`. `owner` (a target id) is authenticated
 * too, so that a row copied to another target does not open.
 */
export function sealAtRest(key: Buffer, owner: string, text: string): string {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv(cipherName, key, nonce);
  cipher.setAAD(Buffer.from(owner));
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  const parts = [nonce, cipher.getAuthTag(), sealed].map((part) => part.toString('base64url'));
  return ['v1', keyName(key), ...parts].join('.');
}

/**
 * Opens what `sealAtRest` made.
 *
 * @throws {AppError} API_SECRET_UNREADABLE - other key, other owner, or changed bytes
 */
export function openAtRest(key: Buffer, owner: string, sealed: string): string {
  const [version, name, nonce, tag, body] = sealed.split('.');
  try {
    if (version !== 'v1' || nonce === undefined || tag === undefined || body === undefined) {
      throw new Error('not in the form v1.<key>.<nonce>.<tag>.<ciphertext>');
    }
    const decipher = createDecipheriv(cipherName, key, Buffer.from(nonce, 'base64url'));
    decipher.setAAD(Buffer.from(owner));
    decipher.setAuthTag(Buffer.from(tag, 'base64url'));
    return decipher.update(Buffer.from(body, 'base64url'), undefined, 'utf8') + decipher.final('utf8');
  } catch (cause) {
    throw new AppError({
      code: 'API_SECRET_UNREADABLE',
      message: `open secrets of ${owner}: sealed with key ${name ?? 'unknown'}, in use is ${keyName(key)}`,
      cause,
    });
  }
}
