import { revokeUser, type BusConnection, type ControlBus, type Trust } from '@ascend/bus';
import { planRestore } from '@ascend/planner';
import { newId, type Clock, type Logger } from '@ascend/runtime';
import {
  appendAudit,
  authenticateToken,
  getPlan,
  getTarget,
  getVmSpec,
  listActiveJobs,
  putPlan,
  readPointFacts,
  readRestorePoint,
  readTargetFacts,
  writePointFacts,
  writeTargetFacts,
  type Database,
} from '@ascend/store';
import type { AskAgent } from './agents/agentAsk.ts';
import { createBandwidthDesk } from './agents/bandwidth.ts';
import { createAskHandlers } from './agents/asks.ts';
import { enrolAgent } from './agents/enrolment.ts';
import { createPresence, type Presence } from './agents/presence.ts';
import { createApp, type AppDeps } from './app.ts';
import { createProgressBoard, type ProgressBoard } from './events/progressBoard.ts';
import type { Api } from './http/api.ts';
import { createJobDesk, type JobDesk } from './jobs/jobDesk.ts';
import { startPublisher } from './jobs/publisher.ts';
import { reaperTimes, startReaper, type ReaperTimes } from './jobs/reaper.ts';
import { createWorldReader } from './jobs/world.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { createPlanService, type PlanService } from './plans/planService.ts';
import { createPointFactsReader } from './plans/pointFacts.ts';
import { createTargetUse } from './plans/reservations.ts';
import { platformData } from './registry.ts';
import { createTargetSecrets, type TargetSecrets } from './secrets/targetSecrets.ts';

/** What a control plane is built from; connections are open, the database is migrated. */
export interface ControlPlaneParams {
  /** For requests. */
  readonly db: Database;
  /** For the loops, so that slow listings cannot starve them. */
  readonly loopDb: Database;
  readonly connection: BusConnection;
  readonly bus: ControlBus;
  readonly trust: Trust;
  readonly trustDir: string;
  readonly publicNatsUrls: readonly string[];
  readonly key: Buffer;
  readonly environment: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly times?: Partial<ReaperTimes>;
}

/** A control plane at work. */
export interface ControlPlane {
  readonly api: Api;
  /** Ends event streams, then loops and subscriptions; what is in hand is finished first. */
  stop(): Promise<void>;
}

interface Parts {
  readonly presence: Presence;
  readonly board: ProgressBoard;
  readonly desk: JobDesk;
  readonly plans: PlanService;
  readonly secrets: TargetSecrets;
  readonly metrics: Metrics;
  readonly ask: AskAgent;
  readonly stopping: AbortController;
}

function createPlans(
  params: ControlPlaneParams,
  presence: Presence,
  ask: AskAgent,
  board: ProgressBoard,
): PlanService {
  const { db, clock } = params;
  return createPlanService({
    clock,
    newPlanId: () => newId(clock.now()),
    restorePoint: (backupId) => readRestorePoint(db, backupId),
    vmSpec: async (backupId) => (await getVmSpec(db, backupId))?.spec ?? null,
    target: (targetId) => getTarget(db, targetId),
    agents: () => presence.views(),
    platformData,
    pointFacts: createPointFactsReader({
      ask,
      agents: () => presence.views(),
      read: (backupId) => readPointFacts(db, backupId),
      write: (facts, agentId) => writePointFacts(db, facts, agentId),
    }),
    targetFacts: {
      read: (targetId) => readTargetFacts(db, targetId),
      write: (facts, agentId) => writeTargetFacts(db, facts, agentId),
    },
    ask,
    use: createTargetUse(db, (jobId) => board.of(jobId)),
    planRestore,
  });
}

const counters = {
  ascend_http_requests_total: 'HTTP requests answered, by method and status',
  ascend_agent_events_total: 'Events of agents taken in, by type',
  ascend_commands_published_total: 'Step commands given to the bus',
};

function createParts(params: ControlPlaneParams, wakePublisher: () => void): Parts {
  const { db, loopDb, bus, clock, logger } = params;
  const { onlineWithinMs } = { ...reaperTimes, ...params.times };
  const presence = createPresence({ db: loopDb, clock, logger, onlineWithinMs });
  const board = createProgressBoard();
  const ask: AskAgent = ({ siteId, agentId }, verb, request, deadlineMs) =>
    bus.request({ siteId, agentId }, verb, request, { deadlineMs });
  const desk = createJobDesk({
    db: loopDb,
    clock,
    newId: () => newId(clock.now()),
    random: Math.random,
    board,
    readWorld: createWorldReader(presence),
    cancel: (address, opId) => bus.cancel(address, opId),
    wakePublisher,
  });
  const metrics = createMetrics(counters);
  metrics.gauge('ascend_agents_online', 'Agents in contact', async () => {
    const views = await presence.views();
    return views.filter((agent) => agent.online).length;
  });
  metrics.gauge('ascend_restores_active', 'Restores that have not ended', async () => {
    return (await listActiveJobs(db)).length;
  });
  return {
    presence,
    board,
    desk,
    ask,
    metrics,
    plans: createPlans(params, presence, ask, board),
    secrets: createTargetSecrets(params.key),
    stopping: new AbortController(),
  };
}

function appDeps(params: ControlPlaneParams, parts: Parts): AppDeps {
  const { db, bus, clock, logger, trust } = params;
  return {
    db,
    clock,
    logger,
    metrics: parts.metrics,
    environment: params.environment,
    plans: parts.plans,
    desk: parts.desk,
    bandwidth: createBandwidthDesk({
      db,
      clock,
      logger,
      limit: (address, jobId, cap, deadlineMs) =>
        bus.request(address, 'limit', { jobId, cap }, { deadlineMs }),
    }),
    secrets: parts.secrets,
    ask: parts.ask,
    stopping: parts.stopping.signal,
    agents: () => parts.presence.views(),
    isOnline: (agent) => parts.presence.isOnline(agent),
    authenticate: (token) => authenticateToken(db, token, clock.now()),
    audit: async ({ actor, action, subject, requestId, status }) => {
      await appendAudit(db, { actor, action, subject, details: { requestId, status } }, clock.now());
    },
    enrol: (request) =>
      enrolAgent(
        {
          db,
          clock,
          trust,
          natsUrls: params.publicNatsUrls,
          ensureConsumer: (address) => bus.ensureConsumer(address),
        },
        request,
      ),
    dismiss: async (address, publicKey) => {
      await bus.removeConsumer(address);
      await revokeUser(params.trustDir, publicKey, clock.now());
    },
    progressOf: (jobId) => parts.board.of(jobId),
    storedPlan: (planId) => getPlan(db, planId),
    storePlan: (plan, createdBy) => putPlan(db, plan, createdBy),
    checks: [
      { name: 'database', probe: async () => (await listActiveJobs(db), null) },
      {
        name: 'bus',
        probe: async () =>
          params.connection.disconnectedSince() === null ? null : 'no connection to the NATS server',
      },
    ],
  };
}

function startSubscriptions(params: ControlPlaneParams, parts: Parts) {
  const { bus, clock, logger, trust, loopDb } = params;
  const asks = createAskHandlers({
    db: loopDb,
    clock,
    logger,
    trust,
    presence: parts.presence,
    secrets: parts.secrets,
    ensureConsumer: (address) => bus.ensureConsumer(address),
  });
  return [
    bus.answerAsks(asks),
    bus.consumeEvents(async (event, origin) => {
      parts.metrics.count('ascend_agent_events_total', { type: event.type });
      await parts.desk.take(event, origin.address);
    }),
    bus.subscribeProgress((progress) => parts.board.note(progress)),
    bus.subscribeHeartbeats((heartbeat, address) => {
      parts.presence.note(address, heartbeat).catch((error: unknown) => {
        logger.warn('heartbeat not taken', { ...address, reason: String(error) });
      });
    }),
  ];
}

/** Takes up the counters that the bus still holds, so that a restart shows no steps at zero. */
async function recallProgress(params: ControlPlaneParams, board: ProgressBoard): Promise<void> {
  for (const jobId of await listActiveJobs(params.db)) {
    try {
      for (const progress of await params.bus.lastProgress(jobId)) board.note(progress);
    } catch (error) {
      params.logger.warn('last progress not recalled', { jobId, reason: String(error) });
    }
  }
}

/** Starts the loops and subscriptions of one replica and returns its API. Any number of replicas may run. */
export async function startControlPlane(params: ControlPlaneParams): Promise<ControlPlane> {
  const { bus, clock, logger, loopDb } = params;
  const wake = { publisher: (): void => undefined };
  const parts = createParts(params, () => wake.publisher());
  await bus.ensureStreams();
  for (const { siteId, agentId } of await parts.presence.views())
    await bus.ensureConsumer({ siteId, agentId });
  await recallProgress(params, parts.board);
  const publisher = startPublisher({
    db: loopDb,
    clock,
    logger,
    publish: async (address, command, options) => {
      await bus.publishCommand(address, command, options);
      parts.metrics.count('ascend_commands_published_total');
    },
  });
  wake.publisher = () => publisher.wake();
  const running = startSubscriptions(params, parts);
  const reaper = startReaper({
    db: loopDb,
    clock,
    logger,
    holder: newId(clock.now()),
    times: { ...reaperTimes, ...params.times },
    desk: parts.desk,
    presence: parts.presence,
    board: parts.board,
    wakePublisher: () => publisher.wake(),
  });
  return {
    api: createApp(appDeps(params, parts)),
    stop: async () => {
      parts.stopping.abort();
      await Promise.all([reaper.stop(), publisher.stop(), ...running.map((one) => one.stop())]);
    },
  };
}
