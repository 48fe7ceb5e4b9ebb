import { createHash, generateKeyPairSync, randomBytes, sign, X509Certificate } from 'node:crypto';
import { derTag, encodeDer, encodePem } from '../der.ts';

/** A self-signed certificate of one run, with its key. */
export interface OwnCertificate {
  readonly certPem: string;
  /** Danger: PKCS #8 in plain text. */
  readonly keyPem: string;
}

// Object identifiers in DER.
const ecdsaWithSha256 = Buffer.from('2a8648ce3d040302', 'hex');
const commonName = Buffer.from('550403', 'hex');
const dayMs = 86_400_000;

/** UTCTime: YYMMDDHHMMSSZ, good until 2049. */
function utcTime(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replaceAll(/[-:T]/g, '').slice(2, 14);
  return encodeDer(derTag.utcTime, Buffer.from(`${digits}Z`, 'latin1'));
}

function nameOf(text: string): Buffer {
  const attribute = encodeDer(
    derTag.sequence,
    encodeDer(derTag.oid, commonName),
    encodeDer(derTag.utf8, Buffer.from(text, 'utf8')),
  );
  return encodeDer(derTag.sequence, encodeDer(derTag.set, attribute));
}

/**
 * Makes a P-256 key and a certificate for it that nobody but the two sides of a session trusts: each is given to the other as the only
 * trust anchor. Valid from a day before until a week after `nowMs`, so that clocks may differ.
 */
export function createCertificate(name: string, nowMs: number): OwnCertificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const algorithm = encodeDer(derTag.sequence, encodeDer(derTag.oid, ecdsaWithSha256));
  const serial = randomBytes(16);
  // Positive and without a leading zero.
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  const content = encodeDer(
    derTag.sequence,
    encodeDer(derTag.integer, serial),
    algorithm,
    nameOf(name),
    encodeDer(derTag.sequence, utcTime(nowMs - dayMs), utcTime(nowMs + 7 * dayMs)),
    nameOf(name),
    publicKey.export({ type: 'spki', format: 'der' }),
  );
  const signature = sign('sha256', content, privateKey);
  const certificate = encodeDer(
    derTag.sequence,
    content,
    algorithm,
    encodeDer(derTag.bits, Buffer.from([0]), signature),
  );
  return {
    certPem: encodePem('CERTIFICATE', certificate),
    keyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

/** SHA-256 (hex) of a certificate's DER bytes: what is pinned. @throws {Error} when it is not a certificate */
export function fingerprintOfPem(certPem: string): string {
  return createHash('sha256').update(new X509Certificate(certPem).raw).digest('hex');
}
