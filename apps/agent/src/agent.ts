import { join } from 'node:path';
import { agentInboxPrefix, connectBus, createAgentBus, type BusConnection, type Running } from '@ascend/bus';
import type { Clock, Logger } from '@ascend/runtime';
import { suspension } from '@ascend/steps/runner';
import { createBandwidthCaps } from './bandwidth.ts';
import type { Config } from './config.ts';
import { writeCredentials, type Credentials } from './credentials.ts';
import { openLedger, type OpLedger } from './ledger/ledger.ts';
import { createContact } from './link/contact.ts';
import { createHeartbeats } from './link/heartbeat.ts';
import { sayHello } from './link/hello.ts';
import { sendOutgoing } from './link/outgoing.ts';
import { renewJwt } from './link/renewal.ts';
import { createOperations } from './operations/operations.ts';
import { createPerform } from './operations/perform.ts';
import { createRequestHandlers } from './requests/requests.ts';
import { createRoots } from './roots.ts';
import type { Toolbox } from './toolbox.ts';
import { createWorkspace } from './workspace.ts';

/** What an agent is made of. */
export interface AgentParams {
  readonly config: Config;
  readonly credentials: Credentials;
  readonly toolbox: Toolbox;
  readonly version: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Ends the waiting for a first connection. */
  readonly signal: AbortSignal;
}

/** Commands lie on the bus for 7 days: what is kept here must outlive them. */
const keepMs = 14 * 86_400_000;
const flushMs = 3_000;

/** A running agent. */
export interface Agent {
  /** Suspends what runs, sends what is queued (3 s at most), closes. Operations go on at the next start. */
  stop(): Promise<void>;
}

/** Everything that takes part, made but not started. */
async function prepare(params: AgentParams, connection: BusConnection, ledger: OpLedger) {
  const { config, clock, logger, toolbox } = params;
  const { siteId, agentId } = params.credentials;
  const bus = createAgentBus(connection, { siteId, agentId });
  const workspace = createWorkspace(config.scratchDir);
  const openJobs = new Set(ledger.openOps().map((head) => head.jobId));
  const swept = await workspace.sweep(openJobs, keepMs, clock.now());
  if (swept.length > 0) logger.info('old work folders were removed', { jobs: swept });
  const contact = createContact(clock);
  const roots = createRoots(config.repositories);
  const { credentials } = params;
  const bandwidth = createBandwidthCaps(config.bandwidthBytesPerSecond);
  const { guestSources } = config;
  const appliance = {
    cacheDir: config.applianceDir ?? join(config.dir, 'appliance'),
    scratchDir: config.scratchDir,
    keysDir: config.keysDir,
  };
  const places = { guestSources, roots, workspace, bandwidth, appliance };
  const shared = { ledger, bus, contact, credentials, toolbox, ...places, clock, logger };
  const operations = createOperations({ ...shared, perform: createPerform(shared), suspension });
  return { ...shared, connection, operations };
}

type Parts = Awaited<ReturnType<typeof prepare>>;

function startLoops(params: AgentParams, parts: Parts, jwt: CurrentJwt) {
  const { config, clock, logger, toolbox, version } = params;
  const { bandwidth, bus, connection, contact, ledger, operations, roots } = parts;
  const openOps = (): readonly string[] => operations.openOps();
  const heartbeats = createHeartbeats({
    version,
    scratchDir: config.scratchDir,
    repositories: config.repositories,
    configuredBandwidth: config.bandwidthBytesPerSecond,
    capabilities: toolbox.probeHost(config),
    openOps,
    clock,
    logger,
  });
  const hello = sayHello({
    connection,
    bus,
    contact,
    clock,
    logger,
    openOps,
    heartbeat: async () => await heartbeats.current(),
    apply: (answer) => {
      roots.learn(answer.repositories);
      if (answer.bandwidth !== undefined) bandwidth.apply(answer.bandwidth);
      operations.apply(answer.ops);
    },
  });
  const renewing = renewJwt({
    bus,
    clock,
    logger,
    jwt: () => jwt.get(),
    store: async (renewed) => await jwt.set(renewed),
  });
  const loops = [
    hello,
    heartbeats.start(bus, clock),
    renewing,
    bus.onControl((message) => operations.cancel(message.opId)),
    bus.serveRequests(createRequestHandlers(parts)),
  ];
  return { first: hello.first, loops, outgoing: sendOutgoing({ ledger, bus, clock, logger }) };
}

async function flush(ledger: OpLedger, clock: Clock): Promise<void> {
  const end = clock.now() + flushMs;
  while (ledger.nextEvent() !== null && clock.now() < end) await clock.sleep(50);
}

interface CurrentJwt {
  get(): string;
  set(jwt: string): Promise<void>;
}

function keepJwt(dir: string, credentials: Credentials): CurrentJwt {
  let jwt = credentials.jwt;
  return {
    get: () => jwt,
    set: async (renewed) => {
      await writeCredentials(dir, { ...credentials, jwt: renewed });
      jwt = renewed;
    },
  };
}

async function connect(params: AgentParams, jwt: CurrentJwt): Promise<BusConnection> {
  const { config, credentials, clock, logger, signal } = params;
  const { siteId, agentId } = credentials;
  return await connectBus({
    servers: config.natsUrls.length > 0 ? config.natsUrls : credentials.natsUrls,
    jwt: () => jwt.get(),
    seed: credentials.userSeed,
    inboxPrefix: agentInboxPrefix({ siteId, agentId }),
    name: `agent ${siteId}/${agentId}`,
    logger,
    clock,
    signal,
    ...(config.caFile === null ? {} : { caFile: config.caFile }),
  });
}

/**
 * Starts the agent: opens its ledger, connects for as long as it takes, says hello, then takes commands.
 *
 * @throws {AppError} AGENT_LEDGER_IN_USE, AGENT_LEDGER_FAILED, BUS_CONNECT_REFUSED, OPERATION_CANCELLED
 */
export async function startAgent(params: AgentParams): Promise<Agent> {
  const { config, clock, logger } = params;
  const jwt = keepJwt(config.dir, params.credentials);
  const ledger = openLedger(join(config.dir, 'ledger.sqlite'), clock);
  ledger.prune(keepMs);
  const connection = await connect(params, jwt);
  const parts = await prepare(params, connection, ledger);
  const { loops, first, outgoing } = startLoops(params, parts, jwt);
  const { bus, operations } = parts;

  let pulling: Running | null = null;
  let stopping: Promise<void> | null = null;
  const begin = async (): Promise<void> => {
    // Nothing starts before the control plane has said what is to become of the operations that were open.
    await first;
    if (stopping !== null) return;
    pulling = bus.pullCommands({ slots: config.slots, handler: operations.handler });
    logger.info('agent is ready', { slots: config.slots, openOps: operations.openOps().length });
  };
  void begin();

  const stop = async (): Promise<void> => {
    logger.info('agent stops', { openOps: operations.openOps().length });
    const taken = pulling?.stop();
    await operations.suspendAll();
    await taken;
    await Promise.all(loops.map(async (loop) => await loop.stop()));
    await flush(ledger, clock);
    await outgoing.stop();
    await connection.close();
    ledger.close();
  };
  return {
    stop: async () => {
      stopping ??= stop();
      await stopping;
    },
  };
}
