import type { AgentBus, RequestHandlers } from '@ascend/bus';
import type { Finding } from '@ascend/domain';
import { isAppError, toAppError } from '@ascend/errors';
import type { AgentRequest } from '@ascend/protocol';
import type { Clock, Logger } from '@ascend/runtime';
import type { StepContext } from '@ascend/steps';
import { createTargetAccess } from '@ascend/steps/runner';
import type { BandwidthCaps } from '../bandwidth.ts';
import type { Credentials } from '../credentials.ts';
import type { Roots } from '../roots.ts';
import { createSecretSource } from '../secrets.ts';
import type { Toolbox } from '../toolbox.ts';
import type { Workspace } from '../workspace.ts';

/** What the request lane works with. */
export interface RequestDeps {
  readonly bus: AgentBus;
  readonly credentials: Pick<Credentials, 'xkeySeed' | 'controlXkey'>;
  readonly toolbox: Toolbox;
  readonly roots: Roots;
  readonly workspace: Workspace;
  readonly bandwidth: Pick<BandwidthCaps, 'limitAgent' | 'limitJob'>;
  readonly appliance: NonNullable<StepContext['appliance']>;
  readonly clock: Clock;
  readonly logger: Logger;
}

type Target = AgentRequest<'inventory'>['target'];

async function readInventory(deps: RequestDeps, target: Target, signal: AbortSignal) {
  const { bus, credentials, clock, logger } = deps;
  return await deps.workspace.withTemporary(async (workDir) => {
    const secrets = createSecretSource({ bus, credentials, opId: null, targetId: target.targetId });
    const access = await createTargetAccess({
      target,
      connectors: deps.toolbox.connectors,
      deps: { logger, clock, secrets, workDir },
    });
    await using session = await access.open();
    // A connector knows only a connection; which target that is, is the control plane's word.
    return { ...(await session.inventory(signal)), targetId: target.targetId };
  });
}

/** A target that cannot be reached is an answer to "check it", not a failure of the check. */
function findingOf(thrown: unknown): Finding {
  const error = toAppError(thrown, 'check target');
  return {
    code: error.code,
    severity: 'blocked',
    subject: 'target',
    message: error.message,
    evidence: Object.entries(error.details)
      .map(([key, value]) => `${key}: ${String(value)}`)
      .join('\n'),
    action: error.hint,
  };
}

function isAboutTarget(thrown: unknown): boolean {
  return (
    isAppError(thrown) && (thrown.code.startsWith('TARGET_') || thrown.code.startsWith('AGENT_CONNECTOR'))
  );
}

/** What this agent answers on the request lane (D11); heavy code is loaded by the first question that needs it. */
export function createRequestHandlers(deps: RequestDeps): RequestHandlers {
  const { appliance, bandwidth, toolbox, roots, workspace, logger } = deps;
  return {
    analyze: async ({ knownFingerprint, backupId, rootPath, disks }, signal) => {
      const root = roots.check(rootPath);
      return await workspace.withTemporary(
        async (workDir) =>
          await toolbox.analyze({
            knownFingerprint,
            backupId,
            rootPath: root,
            disks,
            workDir,
            appliance,
            logger,
            signal,
          }),
      );
    },
    inventory: async ({ target }, signal) => await readInventory(deps, target, signal),
    'check-target': async ({ target }, signal) => {
      try {
        await readInventory(deps, target, signal);
        return [];
      } catch (error) {
        if (isAboutTarget(error)) return [findingOf(error)];
        throw error;
      }
    },
    scan: async ({ rootPath }, signal) => await toolbox.scan({ rootPath: roots.check(rootPath), signal }),
    'probe-images': async ({ rootPath, paths }, signal) =>
      await toolbox.probeImages({ rootPath: roots.check(rootPath), paths, signal }),
    limit: async ({ jobId, cap }) => {
      await Promise.resolve();
      if (jobId === null) bandwidth.limitAgent(cap);
      else bandwidth.limitJob(jobId, cap);
      logger.info('bandwidth cap was changed', { jobId, ...cap });
      return null;
    },
  };
}
