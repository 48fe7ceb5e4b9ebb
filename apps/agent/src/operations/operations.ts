import type { AgentBus, CommandHandler } from '@ascend/bus';
import type { LedgerEntry } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import type { ControlReplies, StepCommand } from '@ascend/protocol';
import type { Clock, Logger } from '@ascend/runtime';
import type { OpHead, OpResult } from '../ledger/events.ts';
import type { OpLedger } from '../ledger/ledger.ts';

/** How one command is carried out; `null` = suspended, there is no result. */
export type Perform = (
  command: StepCommand,
  checkpoint: unknown,
  signal: AbortSignal,
) => Promise<OpResult | null>;

/** The operations of this agent: taken in once, run once, answered until the control plane has heard it. */
export interface Operations {
  readonly handler: CommandHandler;
  cancel(opId: string): void;
  /** Carries out what `hello` answered. */
  apply(verdicts: ControlReplies['hello']['ops']): void;
  openOps(): readonly string[];
  /** Stops all without a result; they go on after a restart. Resolves when nothing runs any more. */
  suspendAll(): Promise<void>;
}

/** What the operations work with. */
export interface OperationsDeps {
  readonly ledger: OpLedger;
  readonly bus: Pick<AgentBus, 'flushProgress'>;
  readonly perform: Perform;
  /** The abort reason that means "go on later". */
  readonly suspension: AppError;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Active {
  readonly abort: AbortController;
  readonly done: Promise<void>;
  forgotten: boolean;
}

function headOf(command: OpHead): OpHead {
  const { opId, jobId, stepKey, epoch } = command;
  return { opId, jobId, stepKey, epoch };
}

function failed(command: StepCommand, error: AppError): OpResult {
  const { mode, resourceKey } = command;
  if (mode === 'run' || resourceKey === null) return { type: 'failed', error };
  return { type: 'undo-failed', resourceKey, error };
}

/** Why a command must not run, or null. A step whose epoch was overtaken belongs to someone else now (D7). */
function refusalOf(command: StepCommand, ledger: OpLedger, clock: Clock, isNew: boolean): AppError | null {
  const { opId, epoch, jobId, stepKey, mode, deadlineMs } = command;
  const highest = ledger.highestEpoch(jobId, stepKey, mode);
  if (epoch < highest) {
    return new AppError({
      code: 'AGENT_COMMAND_FENCED',
      message: `take ${stepKey}: epoch ${epoch} is older than ${highest}`,
      details: { opId, epoch, highest },
    });
  }
  const lateMs = clock.now() - deadlineMs;
  if (!isNew || lateMs <= 0) return null;
  return new AppError({
    code: 'AGENT_DEADLINE_PASSED',
    message: `take ${stepKey}: ${lateMs} ms after its latest start`,
    details: { opId, lateMs },
  });
}

/** The entry that an undo removes. @throws {AppError} INPUT_INVALID - it is not in the command's ledger */
export function undoEntry(command: StepCommand): LedgerEntry | null {
  if (command.mode === 'run') return null;
  const entry = command.ledger.find(
    (one) => one.stepKey === command.stepKey && one.resourceKey === command.resourceKey,
  );
  if (entry !== undefined) return entry;
  throw new AppError({
    code: 'INPUT_INVALID',
    message: `undo ${command.stepKey}: resource ${command.resourceKey ?? 'null'} is not in the ledger`,
  });
}

async function execute(deps: OperationsDeps, command: StepCommand, entry: Active): Promise<void> {
  const { ledger, logger } = deps;
  const head = headOf(command);
  const record = ledger.find(head.opId);
  const refusal = refusalOf(command, ledger, deps.clock, record === null);
  if (refusal !== null) {
    ledger.finish(head, failed(command, refusal));
    return;
  }
  ledger.accept(head, command.mode);
  ledger.running(head);
  const about = { opId: head.opId, jobId: head.jobId, stepKey: head.stepKey, mode: command.mode };
  logger.info(record === null ? 'operation starts' : 'operation goes on after a restart', about);
  const result = await deps.perform(command, record?.checkpoint ?? null, entry.abort.signal);
  deps.bus.flushProgress(head.opId);
  logger.info('operation ended', { ...about, result: result?.type ?? 'none' });
  if (entry.forgotten) {
    ledger.forget(head.opId);
  } else if (result === null) {
    throw new AppError({ code: 'OPERATION_CANCELLED', message: `run ${head.stepKey}: suspended` });
  } else {
    ledger.finish(head, result);
  }
}

async function track(deps: OperationsDeps, active: Map<string, Active>, command: StepCommand): Promise<void> {
  const begin = Promise.withResolvers<Active>();
  const work = async (): Promise<void> => await execute(deps, command, await begin.promise);
  const entry: Active = { abort: new AbortController(), done: work(), forgotten: false };
  active.set(command.opId, entry);
  begin.resolve(entry);
  try {
    await entry.done;
  } finally {
    active.delete(command.opId);
  }
}

const cancelled = new AppError({ code: 'OPERATION_CANCELLED', message: 'cancelled on request' });

/** Stops an operation for good: one that runs ends by itself, one left open by an earlier process ends here. */
function stopOperation(ledger: OpLedger, running: Active | undefined, opId: string): void {
  if (running !== undefined) {
    running.abort.abort(cancelled);
    return;
  }
  const head = ledger.openOps().find((one) => one.opId === opId);
  if (head !== undefined) ledger.finish(head, { type: 'cancelled' });
}

function forgetOperation(ledger: OpLedger, running: Active | undefined, opId: string): void {
  if (running === undefined) {
    ledger.forget(opId);
    return;
  }
  running.forgotten = true;
  running.abort.abort(cancelled);
}

/** Takes commands in. One process only per ledger. */
export function createOperations(deps: OperationsDeps): Operations {
  const { ledger } = deps;
  const active = new Map<string, Active>();
  let suspending = false;

  const take = async (command: StepCommand): Promise<void> => {
    if (suspending) throw new AppError({ code: 'OPERATION_CANCELLED', message: 'take command: stopping' });
    const running = active.get(command.opId);
    if (running !== undefined) {
      // The bus was away for longer than the ack wait: a second delivery of what runs already.
      await running.done;
    } else if (ledger.find(command.opId)?.state === 'finished') {
      ledger.repeat(command.opId);
    } else {
      await track(deps, active, command);
    }
  };

  return {
    handler: {
      run: take,
      refuse: async (head, error) => {
        ledger.finish(headOf(head), { type: 'failed', error });
        await Promise.resolve();
      },
    },
    cancel: (opId) => active.get(opId)?.abort.abort(cancelled),
    apply: (verdicts) => {
      for (const [opId, verdict] of Object.entries(verdicts)) {
        if (verdict === 'stop') stopOperation(ledger, active.get(opId), opId);
        if (verdict === 'forget') forgetOperation(ledger, active.get(opId), opId);
      }
    },
    openOps: () => ledger.openOps().map((head) => head.opId),
    suspendAll: async () => {
      suspending = true;
      for (const entry of active.values()) entry.abort.abort(deps.suspension);
      await Promise.allSettled([...active.values()].map(async (entry) => await entry.done));
    },
  };
}
