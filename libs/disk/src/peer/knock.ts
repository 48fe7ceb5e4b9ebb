import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** What a connection is for: a TLS link that carries HTTP, or a stream that carries NBD. */
export type KnockPurpose = 'link' | 'stream';

/** What a dialler says first. */
export interface Knock {
  readonly purpose: KnockPurpose;
  /** Hex, 16 bytes: the run of the dialler that uses the ticket; a ticket serves one holder. */
  readonly holder: string;
  /** Hex, 16 bytes: new for each connection. */
  readonly nonce: string;
}

/** How a knock is answered, by one byte. */
export type KnockAnswer = 'welcome' | 'used' | 'ended';

// magic 8, purpose 1, zeros 7, holder 16, nonce 16, HMAC-SHA256 over all before 32.
const magic = Buffer.from('ASCPEER1', 'latin1');
const purposes: readonly KnockPurpose[] = ['link', 'stream'];
const answers: readonly KnockAnswer[] = ['welcome', 'used', 'ended'];
const signedBytes = 48;

/** Length of a knock. */
export const knockBytes = signedBytes + 32;
/** First byte of a knock; a TLS handshake begins with 0x16. */
export const knockFirstByte = magic[0];

function macOf(key: Buffer, signed: Uint8Array): Buffer {
  return createHmac('sha256', key).update(signed).digest();
}

/** The 80 bytes that open a connection. */
export function encodeKnock(key: Buffer, purpose: KnockPurpose, holder: string): Buffer {
  const signed = Buffer.alloc(signedBytes);
  magic.copy(signed);
  signed[8] = purposes.indexOf(purpose);
  Buffer.from(holder, 'hex').copy(signed, 16, 0, 16);
  randomBytes(16).copy(signed, 32);
  return Buffer.concat([signed, macOf(key, signed)]);
}

/** Reads a knock; null when it is not made with this key, whatever else is wrong with it. */
export function decodeKnock(key: Buffer, bytes: Buffer): Knock | null {
  if (bytes.length !== knockBytes) return null;
  const signed = bytes.subarray(0, signedBytes);
  if (!timingSafeEqual(macOf(key, signed), bytes.subarray(signedBytes))) return null;
  const purpose = purposes[signed[8] ?? purposes.length];
  if (!signed.subarray(0, 8).equals(magic) || purpose === undefined) return null;
  return { purpose, holder: signed.toString('hex', 16, 32), nonce: signed.toString('hex', 32, 48) };
}

/** The byte of an answer. */
export function encodeAnswer(answer: KnockAnswer): Buffer {
  return Buffer.from([answers.indexOf(answer)]);
}

/** Reads an answer; null when the byte means nothing. */
export function decodeAnswer(byte: number | undefined): KnockAnswer | null {
  return answers[byte ?? answers.length] ?? null;
}
