import {
  connectBus,
  controlInboxPrefix,
  createControlBus,
  createTrust,
  issueControlPlaneJwt,
} from '@ascend/bus';
import { categoryTraits, serializeError, toAppError } from '@ascend/errors';
import { createLogger, readEnvironment, systemClock, type Logger } from '@ascend/runtime';
import { createDatabase, migrate } from '@ascend/store';
import { readConfig, type Config } from './config.ts';
import { startControlPlane } from './controlPlane.ts';
import { listen } from './http/server.ts';
import { loadKeyFile } from './secrets/keyFile.ts';
import { createTokenFile } from './tokenCommand.ts';

const jwtTtlMs = 24 * 3_600_000;
/** Answers in progress may take this long after a stop was asked for. */
const stopGraceMs = 5_000;

/** A credential that is signed anew before it ends; the bus asks for it at each connect. */
async function ownJwt(trust: Awaited<ReturnType<typeof createTrust>>): Promise<() => string> {
  const sign = () => issueControlPlaneJwt(trust, { ttlMs: jwtTtlMs, nowMs: systemClock.now() });
  const held = { jwt: await sign() };
  const renew = async (): Promise<void> => {
    held.jwt = await sign();
  };
  setInterval(() => void renew(), jwtTtlMs / 3).unref();
  return () => held.jwt;
}

async function openBus(config: Config, logger: Logger, signal: AbortSignal) {
  const trust = await createTrust(config.trustDir);
  logger.info('connecting to the bus', { servers: config.natsUrls });
  const connection = await connectBus({
    servers: config.natsUrls,
    jwt: await ownJwt(trust),
    seed: trust.controlSeed,
    inboxPrefix: controlInboxPrefix,
    name: 'control plane',
    logger,
    clock: systemClock,
    signal,
    ...(config.natsCaFile === null ? {} : { caFile: config.natsCaFile }),
  });
  return { trust, connection, bus: createControlBus(connection) };
}

function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort());
  return stop.signal;
}

async function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const aborted = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => aborted.resolve(), { once: true });
  await aborted.promise;
}

/** Migrates, connects, serves until SIGINT or SIGTERM, then lets go of everything in the opposite order. */
async function serve(config: Config, environment: Readonly<Record<string, string>>, logger: Logger) {
  const signal = stopSignal();
  const key = loadKeyFile(config.keyFile);
  const url = config.databaseUrl.reveal();
  const db = createDatabase({ url });
  const loopDb = createDatabase({ url, connectionLimit: 6 });
  try {
    await migrate(db);
    const { trust, connection, bus } = await openBus(config, logger, signal);
    try {
      const { trustDir, publicNatsUrls } = config;
      const shared = { db, loopDb, connection, bus, trust, trustDir, publicNatsUrls, key };
      const plane = await startControlPlane({ ...shared, environment, clock: systemClock, logger });
      const server = await listen(plane.api, config.listen);
      logger.info('control plane listens', { host: server.host, port: server.port });
      await untilAborted(signal);
      logger.info('control plane stops');
      await Promise.all([server.close(stopGraceMs), plane.stop()]);
    } finally {
      await connection.close();
    }
  } finally {
    await Promise.all([db.close(), loopDb.close()]);
  }
}

async function main(args: readonly string[]): Promise<number> {
  const environment = readEnvironment();
  let logger = createLogger({ name: 'control-plane' });
  try {
    const config = readConfig(environment);
    logger = createLogger({ name: 'control-plane', level: config.logLevel });
    if (args[0] === 'token') {
      const made = await createTokenFile(config, args.slice(1), systemClock);
      process.stdout.write(`${JSON.stringify(made)}\n`);
      return 0;
    }
    await serve(config, environment, logger);
    return 0;
  } catch (cause) {
    const error = toAppError(cause, 'run control plane');
    logger.error('control plane failed', { error: serializeError(error) });
    return categoryTraits[error.category].exitCode;
  }
}

process.exitCode = await main(process.argv.slice(2));
