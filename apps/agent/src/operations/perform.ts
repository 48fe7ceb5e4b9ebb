import type { AgentBus } from '@ascend/bus';
import type { LedgerEntry } from '@ascend/domain';
import { toAppError } from '@ascend/errors';
import type { StepCommand } from '@ascend/protocol';
import { childWork, type Clock, type Logger } from '@ascend/runtime';
import type { StepContext, StepOperation } from '@ascend/steps';
import { createTargetAccess, runOperation, type OperationJournal } from '@ascend/steps/runner';
import type { BandwidthCaps } from '../bandwidth.ts';
import type { Config } from '../config.ts';
import type { Credentials } from '../credentials.ts';
import type { OpResult } from '../ledger/events.ts';
import type { OpLedger, ResourceFact } from '../ledger/ledger.ts';
import type { Contact } from '../link/contact.ts';
import type { Roots } from '../roots.ts';
import { createSecretSource } from '../secrets.ts';
import type { Toolbox } from '../toolbox.ts';
import type { Workspace } from '../workspace.ts';
import { undoEntry, type Perform } from './operations.ts';

/** What an operation is carried out with. */
export interface PerformDeps {
  readonly ledger: OpLedger;
  readonly bus: AgentBus;
  readonly contact: Contact;
  readonly credentials: Pick<Credentials, 'xkeySeed' | 'controlXkey'>;
  readonly toolbox: Toolbox;
  readonly roots: Roots;
  readonly workspace: Workspace;
  readonly bandwidth: BandwidthCaps;
  readonly appliance: NonNullable<StepContext['appliance']>;
  readonly guestSources: Config['guestSources'];
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The command's ledger rows with what this agent knows better (D6). */
function mergeLedger(rows: readonly LedgerEntry[], facts: readonly ResourceFact[]): readonly LedgerEntry[] {
  return rows.map((row): LedgerEntry => {
    const fact = facts.find((one) => one.stepKey === row.stepKey && one.resourceKey === row.resourceKey);
    return fact === undefined ? row : { ...row, state: fact.state, token: fact.token };
  });
}

function operationOf(command: StepCommand, checkpoint: unknown, ledger: OpLedger): StepOperation {
  const { opId, jobId, stepKey, kind, attempt, epoch, plan, outputs } = command;
  return {
    opId,
    jobId,
    stepKey,
    kind,
    attempt,
    epoch,
    plan,
    outputs,
    diskIndex: plan.steps.find((step) => step.key === stepKey)?.diskIndex ?? null,
    checkpoint: checkpoint ?? command.checkpoint ?? null,
    ledger: mergeLedger(command.ledger, ledger.resources(jobId)),
  };
}

/** The ledger is synchronous; an error in it must still reach the step as a rejection. */
function journalOf(ledger: OpLedger, command: StepCommand): OperationJournal {
  return {
    checkpoint: async (data) => {
      await Promise.resolve();
      ledger.checkpoint(command, data);
    },
    present: async (resourceKey, token) => {
      await Promise.resolve();
      ledger.present(command, resourceKey, token);
    },
    gone: async (resourceKey, ownerStepKey) => {
      await Promise.resolve();
      ledger.gone(command, resourceKey, ownerStepKey);
    },
  };
}

/** Bytes of scratch a step asks for: only the one that writes overlays does. */
function scratchNeed(command: StepCommand): number {
  const writes = command.mode === 'run' && command.kind === 'prepare-guest';
  return writes ? command.plan.estimate.scratchBytes : 0;
}

async function run(
  deps: PerformDeps,
  command: StepCommand,
  checkpoint: unknown,
  signal: AbortSignal,
): Promise<OpResult | null> {
  const { bus, contact, ledger, clock, toolbox, credentials } = deps;
  const { opId, jobId, stepKey } = command;
  const entry = undoEntry(command);
  const logger = deps.logger.child({ jobId, opId, stepKey });
  const operation = operationOf(command, checkpoint, ledger);
  // Backups are read on the agent that the plan names as their place; other agents have no such folder.
  if (entry === null && command.kind === 'analyze-source') deps.roots.check(command.plan.source.rootPath);
  const workDir = await deps.workspace.jobDir(jobId, scratchNeed(command));
  const { targetId } = command.target;
  const target = await createTargetAccess({
    target: command.target,
    connectors: toolbox.connectors,
    deps: { logger, clock, workDir, secrets: createSecretSource({ bus, credentials, opId, targetId }) },
    gate: async () => await contact.gate(signal),
  });
  const facts = entry === null ? null : (mergeLedger([entry], ledger.resources(jobId))[0] ?? entry);
  const { policy } = command.plan;
  const stream = deps.bandwidth.open(jobId, policy.bandwidthBytesPerSecond, command.bandwidth);
  const result = await runOperation({
    operation,
    entry: facts,
    target,
    workDir,
    appliance: deps.appliance,
    bandwidth: deps.bandwidth.all,
    streamBandwidth: stream.limiter,
    logger,
    clock,
    signal,
    guestSources: deps.guestSources,
    handlers: await toolbox.handlers(),
    journal: journalOf(ledger, command),
    report: (progress) => bus.publishProgress({ v: 1, jobId, opId, ...progress }),
    workDone: async () => contact.waited() + (await childWork(process.pid)),
  }).finally(() => stream.close());
  if (command.kind === 'finalize' || entry !== null) await deps.workspace.dropIfEmpty(jobId);
  return result.type === 'suspended' ? null : result;
}

/** Carries out commands with the step code of this agent. Rejects only when the ledger fails. */
export function createPerform(deps: PerformDeps): Perform {
  return async (command, checkpoint, signal) => {
    try {
      return await run(deps, command, checkpoint, signal);
    } catch (thrown) {
      const error = toAppError(thrown, `run ${command.stepKey}`);
      if (error.code.startsWith('AGENT_LEDGER')) throw error;
      const { mode, resourceKey } = command;
      if (mode === 'run' || resourceKey === null) return { type: 'failed', error };
      return { type: 'undo-failed', resourceKey, error };
    }
  };
}
