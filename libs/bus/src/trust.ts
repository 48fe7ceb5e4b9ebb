import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeAccount, encodeOperator } from '@nats-io/jwt';
import {
  createAccount,
  createCurve,
  createOperator,
  createUser,
  fromSeed,
  type KeyPair,
} from '@nats-io/nkeys';
import { AppError } from '@ascend/errors';
import { Secret } from '@ascend/runtime';

/** What the control plane needs to run the bus and to let agents in. */
export interface Trust {
  readonly operatorJwt: string;
  readonly account: { readonly publicKey: string; readonly jwt: string };
  readonly systemAccount: { readonly publicKey: string; readonly jwt: string };
  /** Signs user JWTs; the account's own key stays in `root-keys.json`. */
  readonly signingSeed: Secret;
  /** nkey of the control plane's own bus user. */
  readonly controlSeed: Secret;
  /** Curve key that seals secrets to agents. */
  readonly controlXkeySeed: Secret;
  /** Public half of `controlXkeySeed`, `X…`: part of every enrolment answer. */
  readonly controlXkey: string;
}

const trustFile = 'trust.json';
const rootFile = 'root-keys.json';

function seedOf(pair: KeyPair): string {
  return Buffer.from(pair.getSeed()).toString('latin1');
}

interface RootKeys {
  readonly operatorSeed: string;
  readonly accountSeed: string;
}

interface StoredTrust {
  readonly operatorJwt: string;
  readonly account: { readonly publicKey: string; readonly jwt: string };
  readonly systemAccount: { readonly publicKey: string; readonly jwt: string };
  readonly signingSeed: string;
  readonly controlSeed: string;
  readonly controlXkeySeed: string;
  readonly controlXkey: string;
  /** Public user keys that may not connect any more → seconds since the epoch of the revocation. */
  readonly revoked: Readonly<Record<string, number>>;
}

const noLimit = -1;
// The system account must not have JetStream limits: the server refuses to start with them (tried on 2.9.10, Nov 2026).
const plainLimits = {
  subs: noLimit,
  data: noLimit,
  payload: noLimit,
  imports: noLimit,
  exports: noLimit,
  wildcards: true,
  conn: noLimit,
  leaf: noLimit,
};
const streamLimits = { mem_storage: noLimit, disk_storage: noLimit, streams: noLimit, consumer: noLimit };

async function accountJwt(root: RootKeys, signingKey: string, revoked: Record<string, number>) {
  const operator = fromSeed(Buffer.from(root.operatorSeed));
  const account = fromSeed(Buffer.from(root.accountSeed));
  return await encodeAccount(
    'ascend',
    account,
    { limits: { ...plainLimits, ...streamLimits }, signing_keys: [signingKey], revocations: revoked },
    { signer: operator },
  );
}

async function makeTrust(): Promise<{ root: RootKeys; trust: StoredTrust }> {
  const operator = createOperator();
  const account = createAccount();
  const system = createAccount();
  const signing = createAccount();
  const xkey = createCurve();
  const root = {
    operatorSeed: seedOf(operator),
    accountSeed: seedOf(account),
  };
  const systemAccount = system.getPublicKey();
  const trust = {
    operatorJwt: await encodeOperator('ascend', operator, { system_account: systemAccount }),
    account: {
      publicKey: account.getPublicKey(),
      jwt: await accountJwt(root, signing.getPublicKey(), {}),
    },
    systemAccount: {
      publicKey: systemAccount,
      jwt: await encodeAccount('system', system, { limits: plainLimits }, { signer: operator }),
    },
    signingSeed: seedOf(signing),
    controlSeed: seedOf(createUser()),
    controlXkeySeed: seedOf(xkey),
    controlXkey: xkey.getPublicKey(),
    revoked: {},
  };
  return { root, trust };
}

async function writePrivate(path: string, value: unknown): Promise<void> {
  const partial = `${path}.partial`;
  const file = await open(partial, 'w', 0o600);
  try {
    await file.chmod(0o600);
    await file.writeFile(`${JSON.stringify(value, null, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(partial, path);
}

type Json = Readonly<Record<string, unknown>>;

function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

async function readJson(dir: string, name: string): Promise<Json | null> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(join(dir, name), 'utf8'));
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return null;
    throw new AppError({ code: 'BUS_TRUST_INVALID', message: `read ${name}: not readable JSON`, cause });
  }
  if (isRecord(value)) return value;
  throw new AppError({ code: 'BUS_TRUST_INVALID', message: `read ${name}: not an object` });
}

function text(record: unknown, key: string): string {
  const value = isRecord(record) ? record[key] : undefined;
  if (typeof value === 'string' && value !== '') return value;
  throw new AppError({ code: 'BUS_TRUST_INVALID', message: `read trust: ${key} is missing` });
}

async function readTrust(dir: string): Promise<StoredTrust | null> {
  const value = await readJson(dir, trustFile);
  if (value === null) return null;
  const { account, systemAccount, revoked } = value;
  const revocations = isRecord(revoked) ? Object.entries(revoked) : [];
  return {
    operatorJwt: text(value, 'operatorJwt'),
    account: { publicKey: text(account, 'publicKey'), jwt: text(account, 'jwt') },
    systemAccount: { publicKey: text(systemAccount, 'publicKey'), jwt: text(systemAccount, 'jwt') },
    signingSeed: text(value, 'signingSeed'),
    controlSeed: text(value, 'controlSeed'),
    controlXkeySeed: text(value, 'controlXkeySeed'),
    controlXkey: text(value, 'controlXkey'),
    revoked: Object.fromEntries(revocations.map(([key, seconds]) => [key, Number(seconds)])),
  };
}

async function readRoot(dir: string): Promise<RootKeys | null> {
  const value = await readJson(dir, rootFile);
  if (value === null) return null;
  return { operatorSeed: text(value, 'operatorSeed'), accountSeed: text(value, 'accountSeed') };
}

function present(stored: StoredTrust): Trust {
  return {
    operatorJwt: stored.operatorJwt,
    account: stored.account,
    systemAccount: stored.systemAccount,
    signingSeed: new Secret(stored.signingSeed),
    controlSeed: new Secret(stored.controlSeed),
    controlXkeySeed: new Secret(stored.controlXkeySeed),
    controlXkey: stored.controlXkey,
  };
}

/**
 * Makes the key material of a new bus in `dir` (two files, mode 600), or reads what is there: calling it twice changes
 * nothing. `root-keys.json` holds operator and account roots; only `revokeUser` needs it, so it may be kept elsewhere.
 *
 * @throws {AppError} BUS_TRUST_INVALID - a file is there but damaged
 */
export async function createTrust(dir: string): Promise<Trust> {
  const stored = await readTrust(dir);
  if (stored !== null) return present(stored);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const made = await makeTrust();
  await writePrivate(join(dir, rootFile), made.root);
  await writePrivate(join(dir, trustFile), made.trust);
  return present(made.trust);
}

/**
 * Reads key material that `createTrust` made.
 *
 * @throws {AppError} BUS_TRUST_INVALID - missing or damaged
 */
export async function loadTrust(dir: string): Promise<Trust> {
  const stored = await readTrust(dir);
  if (stored === null) {
    throw new AppError({
      code: 'BUS_TRUST_INVALID',
      message: `read trust folder ${dir}: ${trustFile} is missing`,
    });
  }
  return present(stored);
}

/**
 * Puts a user key on the account's revocation list. It holds once the server runs with a configuration made from the
 * returned trust (`nats-server --signal reload`). Idempotent.
 *
 * @throws {AppError} BUS_TRUST_INVALID - one of the two files is missing or damaged
 */
export async function revokeUser(dir: string, publicKey: string, nowMs: number): Promise<Trust> {
  const stored = await readTrust(dir);
  const root = await readRoot(dir);
  if (stored === null || root === null) {
    throw new AppError({
      code: 'BUS_TRUST_INVALID',
      message: `revoke ${publicKey}: ${stored === null ? trustFile : rootFile} is missing`,
    });
  }
  const revoked = { ...stored.revoked, [publicKey]: Math.ceil(nowMs / 1000) };
  const signing = fromSeed(Buffer.from(stored.signingSeed)).getPublicKey();
  const jwt = await accountJwt(root, signing, revoked);
  const next = { ...stored, revoked, account: { ...stored.account, jwt } };
  await writePrivate(join(dir, trustFile), next);
  return present(next);
}
