import { X509Certificate } from 'node:crypto';
import * as fc from 'fast-check';
import { isAppError } from '@ascend/errors';
import { Secret } from '@ascend/runtime';
import { describe, expect, test } from 'vitest';
import { createCertificate, fingerprintOfPem } from './certificate.ts';
import { createDoor } from './door.ts';
import { decodeAnswer, decodeKnock, encodeAnswer, encodeKnock, knockBytes, knockFirstByte } from './knock.ts';
import {
  createSession,
  decodeTicket,
  diallerCredentials,
  encodeTicket,
  knockKeyOf,
  nbdKeyOf,
  type SessionTicket,
} from './ticket.ts';

const nowMs = Date.UTC(2026, 6, 1);

function newTicket(): SessionTicket {
  return createSession({
    mode: 'https',
    listener: 'reader',
    addresses: [{ host: '192.0.2.7', port: 4711 }],
    links: 4,
    nowMs,
    expiresAtMs: nowMs + 1000,
  }).ticket;
}

describe('a certificate of a run', () => {
  test('is a valid self-signed one with its own key, good for clocks that differ by a day', () => {
    const { certPem, keyPem } = createCertificate('reader', nowMs);
    const certificate = new X509Certificate(certPem);
    expect(certificate.subject).toBe('CN=reader');
    expect(certificate.issuer).toBe('CN=reader');
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(certificate.checkIssued(certificate)).toBe(true);
    expect(certificate.validFromDate.getTime()).toBe(nowMs - 86_400_000);
    expect(certificate.validToDate.getTime()).toBe(nowMs + 7 * 86_400_000);
    expect(fingerprintOfPem(certPem)).toBe(certificate.fingerprint256.replaceAll(':', '').toLowerCase());
    expect(keyPem).toContain('BEGIN PRIVATE KEY');
  });

  test('differs from every other', () => {
    const [one, other] = [createCertificate('a', nowMs), createCertificate('a', nowMs)];
    expect(fingerprintOfPem(one.certPem)).not.toBe(fingerprintOfPem(other.certPem));
    expect(new X509Certificate(one.certPem).serialNumber).not.toBe(
      new X509Certificate(other.certPem).serialNumber,
    );
  });
});

describe('a ticket', () => {
  test('is the same after its journey and prints as a secret on the way', () => {
    const ticket = newTicket();
    const sealed = encodeTicket(ticket);
    expect(decodeTicket(sealed)).toEqual(ticket);
    expect(`${sealed.toString()}${JSON.stringify({ sealed })}`).not.toContain(ticket.key);
  });

  test('gives each purpose a key of its own', () => {
    const ticket = newTicket();
    const keys = [ticket.key, nbdKeyOf(ticket).key.reveal(), knockKeyOf(ticket).toString('hex')];
    expect(new Set(keys).size).toBe(3);
    for (const key of keys) expect(key).toMatch(/^[0-9a-f]{64}$/);
    expect(nbdKeyOf(ticket).key.reveal()).toBe(nbdKeyOf({ ...ticket, mode: 'nbd' }).key.reveal());
    expect(diallerCredentials(ticket).peerCertPem).toBe(ticket.listenerCert);
  });

  test.each([
    ['version', 2],
    ['sessionId', 'x'],
    ['mode', 'ftp'],
    ['listener', 'both'],
    ['addresses', []],
    ['addresses', [{ host: 'a b', port: 1 }]],
    ['addresses', [{ host: 'a', port: 0 }]],
    ['addresses', [null]],
    ['links', 0],
    ['links', 17],
    ['key', 'ab'],
    ['listenerCert', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'],
    ['diallerCert', 7],
    ['diallerKey', ''],
    ['expiresAtMs', '0'],
  ])('with the %s %j is refused', (name, value) => {
    const changed = new Secret(JSON.stringify({ ...newTicket(), [name]: value }));
    expect(() => decodeTicket(changed)).toThrow(expect.objectContaining({ code: 'DISK_PEER_PROTOCOL' }));
  });

  test('of noise is refused', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        let found: unknown;
        try {
          found = decodeTicket(new Secret(text));
        } catch (cause) {
          found = cause;
        }
        expect(isAppError(found)).toBe(true);
      }),
      { numRuns: 200 },
    );
    expect(() => decodeTicket(new Secret(' '.repeat(20_000)))).toThrow(/not a ticket/);
  });
});

const holder = '00112233445566778899aabbccddeeff';

describe('a knock', () => {
  const key = knockKeyOf(newTicket());

  test('tells purpose and holder, and is new each time', () => {
    const [one, other] = [encodeKnock(key, 'stream', holder), encodeKnock(key, 'link', holder)];
    expect(one).toHaveLength(knockBytes);
    expect(one[0]).toBe(knockFirstByte);
    expect(decodeKnock(key, one)).toMatchObject({ purpose: 'stream', holder });
    expect(decodeKnock(key, other)).toMatchObject({ purpose: 'link', holder });
    expect(decodeKnock(key, one)?.nonce).not.toBe(decodeKnock(key, other)?.nonce);
  });

  test('with any byte changed, or of another session, is nobody', () => {
    const bytes = encodeKnock(key, 'link', holder);
    expect(decodeKnock(knockKeyOf(newTicket()), bytes)).toBeNull();
    fc.assert(
      fc.property(fc.nat(knockBytes - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] ?? 0) ^ flip;
        expect(decodeKnock(key, changed)).toBeNull();
      }),
      { numRuns: 100 },
    );
  });

  test('of noise is nobody', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2 * knockBytes }), (bytes) => {
        expect(decodeKnock(key, Buffer.from(bytes))).toBeNull();
      }),
    );
  });

  test('is answered by one byte', () => {
    for (const answer of ['welcome', 'used', 'ended'] as const) {
      expect(decodeAnswer(encodeAnswer(answer)[0])).toBe(answer);
    }
    expect(decodeAnswer(200)).toBeNull();
    expect(decodeAnswer(undefined)).toBeNull();
  });
});

function knock(nonce: string, who = holder) {
  return { nonce, holder: who, purpose: 'link' as const };
}

describe('a door', () => {
  test('lets in one holder, and each nonce once', () => {
    const door = createDoor();
    expect(door.isHeld()).toBe(false);
    expect(door.answer(knock('1'))).toBe('welcome');
    expect(door.isHeld()).toBe(true);
    expect(door.answer(knock('1'))).toBeNull();
    expect(door.answer(knock('2', 'ff'.repeat(16)))).toBe('used');
    expect(door.answer(knock('3'))).toBe('welcome');
    door.shut();
    expect(door.answer(knock('4'))).toBe('ended');
    expect(door.answer(knock('3'))).toBeNull();
  });
});
