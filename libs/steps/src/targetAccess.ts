import type { PlatformId } from '@ascend/domain';
import type { Connector, ConnectorDeps, TargetSession } from '@ascend/connector';
import { AppError } from '@ascend/errors';
import type { TargetAccess } from './stepHandler.ts';

/** The connectors a process ships, by platform; loaded when first needed. */
export type ConnectorRegistry = Readonly<Partial<Record<PlatformId, () => Promise<Connector>>>>;

/** A target as a command or a local run names it. */
export interface TargetDescription {
  readonly targetId: string;
  readonly platform: string;
  readonly connection: Readonly<Record<string, unknown>>;
}

/** Resolves when a call that creates or deletes may start (D7). */
export type Gate = () => Promise<void>;

function gated(session: TargetSession, gate: Gate): TargetSession {
  return {
    inventory: async (signal) => await session.inventory(signal),
    check: async (params) => await session.check(params),
    findOwned: async (jobId, signal) => await session.findOwned(jobId, signal),
    verifyBoot: async (params) => await session.verifyBoot(params),
    ...(session.digest === undefined ? {} : { digest: session.digest.bind(session) }),
    openSink: async (params) => {
      await gate();
      return await session.openSink(params);
    },
    createVm: async (params) => {
      await gate();
      return await session.createVm(params);
    },
    powerOn: async (vm, signal) => {
      await gate();
      await session.powerOn(vm, signal);
    },
    powerOff: async (vm, signal) => {
      await gate();
      await session.powerOff(vm, signal);
    },
    configureVm: async (params) => {
      await gate();
      return await session.configureVm(params);
    },
    destroy: async (resource, signal) => {
      await gate();
      await session.destroy(resource, signal);
    },
    [Symbol.asyncDispose]: async () => {
      await session[Symbol.asyncDispose]();
    },
  };
}

function connectorLoader(connectors: ConnectorRegistry, target: TargetDescription): () => Promise<Connector> {
  const found = Object.entries(connectors).find(([platform]) => platform === target.platform)?.[1];
  if (found !== undefined) return found;
  throw new AppError({
    code: 'AGENT_CONNECTOR_MISSING',
    message: `open target ${target.targetId}: no connector for ${target.platform} here`,
    details: { platform: target.platform, shipped: Object.keys(connectors) },
  });
}

/**
 * Access to one target; loads its connector, connects nowhere yet. With a `gate`, every call that changes the target
 * waits for it first.
 *
 * @throws {AppError} AGENT_CONNECTOR_MISSING; from `open`: TARGET_CONNECTION_INVALID, TARGET_UNREACHABLE, TARGET_DENIED
 */
export async function createTargetAccess(params: {
  readonly target: TargetDescription;
  readonly connectors: ConnectorRegistry;
  readonly deps: ConnectorDeps;
  readonly gate?: Gate;
}): Promise<TargetAccess> {
  const connector = await connectorLoader(params.connectors, params.target)();
  return {
    targetId: params.target.targetId,
    guestNeeds: connector.guestNeeds,
    open: async () => {
      const connection = connector.parseConnection(params.target.connection);
      const session = await connector.open(connection, params.deps);
      return params.gate === undefined ? session : gated(session, params.gate);
    },
  };
}
