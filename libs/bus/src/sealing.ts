import { createCurve, createUser, fromCurveSeed } from '@nats-io/nkeys';
import { AppError } from '@ascend/errors';
import { Secret } from '@ascend/runtime';

/** A key pair whose private half never leaves the process that made it, but for its own 0600 file. */
export interface OwnKey {
  readonly seed: Secret;
  readonly publicKey: string;
}

function own(pair: { getSeed(): Uint8Array; getPublicKey(): string }): OwnKey {
  return { seed: new Secret(Buffer.from(pair.getSeed()).toString('latin1')), publicKey: pair.getPublicKey() };
}

/** A new user key (`U…`): who an agent is on the bus. */
export function createUserKey(): OwnKey {
  return own(createUser());
}

/** A new curve key (`X…`): what secrets are sealed to. */
export function createSealingKey(): OwnKey {
  return own(createCurve());
}

function invalid(message: string, cause?: unknown): AppError {
  return new AppError({ code: 'BUS_KEY_INVALID', message, ...(cause === undefined ? {} : { cause }) });
}

/**
 * Seals bytes so that only the owner of `recipient` can read them and knows who sealed them (x25519 box, `xkv1`).
 * Returns base64. The same plain text gives another text each time.
 *
 * @throws {AppError} BUS_KEY_INVALID - not curve keys
 */
export function sealTo(params: {
  readonly senderSeed: Secret;
  readonly recipient: string;
  readonly plain: Uint8Array;
}): string {
  try {
    const pair = fromCurveSeed(Buffer.from(params.senderSeed.reveal()));
    return Buffer.from(pair.seal(params.plain, params.recipient)).toString('base64');
  } catch (cause) {
    throw invalid('seal: not a curve key', cause);
  }
}

/**
 * Opens what `sealTo` made.
 *
 * @throws {AppError} BUS_KEY_INVALID - sealed to another key, by another sender, or damaged
 */
export function openSealed(params: {
  readonly seed: Secret;
  readonly sender: string;
  readonly sealed: string;
}): Uint8Array {
  let plain: Uint8Array | null;
  try {
    const pair = fromCurveSeed(Buffer.from(params.seed.reveal()));
    plain = pair.open(Buffer.from(params.sealed, 'base64'), params.sender);
  } catch (cause) {
    throw invalid('open sealed value: damaged or not a curve key', cause);
  }
  if (plain === null) throw invalid('open sealed value: sealed to another key or by another sender');
  return plain;
}
