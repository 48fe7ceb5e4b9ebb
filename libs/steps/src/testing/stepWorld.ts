import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ownedName,
  stepKey,
  type GuestNeedsVariant,
  type LedgerEntry,
  type PlanStep,
  type RestorePlan,
  type StepKind,
  type StepProgress,
} from '@ascend/domain';
import type { Connector } from '@ascend/connector';
import { createMemoryPlatform, type MemoryPlatform } from '@ascend/connector/testing';
import type { GuestSources } from '@ascend/guest';
import { silentLogger, systemClock, Secret } from '@ascend/runtime';
import type { z } from 'zod';
import type { StepContext, StepHandler, StepOperation } from '../stepHandler.ts';
import { makePlan, type PlanParams } from './samplePlan.ts';

/** Everything that a handler said through its context, in order. */
export interface StepTrace {
  readonly events: string[];
  readonly progress: Omit<StepProgress, 'stepKey' | 'atMs'>[];
  checkpoint: unknown;
}

/** A job with its plan, its work folder, and outputs and ledger as a control plane would keep them. */
export interface StepWorld extends AsyncDisposable {
  readonly folder: string;
  readonly rootPath: string;
  readonly workDir: string;
  readonly platform: MemoryPlatform;
  readonly jobId: string;
  /** The plan in force. @throws when none was made */
  plan(): RestorePlan;
  readonly outputs: Record<string, unknown>;
  readonly tokens: Map<string, unknown>;
  /** The output of a finished step, checked as a later step would. */
  output<T>(stepKey: string, schema: z.ZodType<T>): T;
  /** Makes the plan from the chains that are there now. */
  planFrom(params: Omit<PlanParams, 'rootPath'>): Promise<void>;
  contextFor(params: ContextParams): { readonly context: StepContext; readonly trace: StepTrace };
  /** Runs one attempt; a success is kept for later steps, a checkpoint for the next attempt. */
  run(handler: StepHandler, params?: RunParams): Promise<StepTrace>;
  undo(handler: StepHandler, resourceKey: string, diskIndex?: number): Promise<void>;
}

/** What distinguishes one attempt from another. */
export interface RunParams {
  readonly diskIndex?: number;
  readonly signal?: AbortSignal;
  readonly guestSources?: GuestSources;
}

interface ContextParams extends RunParams {
  readonly kind: StepKind;
}

/** The target that a world talks to: in memory unless a test brings a real one. */
export interface WorldTarget {
  readonly connector: Connector;
  readonly connection: unknown;
  readonly guestNeeds?: readonly GuestNeedsVariant[];
}

function stepOf(plan: RestorePlan, key: string): PlanStep | undefined {
  return plan.steps.find((step) => step.key === key);
}

/** A fresh world below a temporary folder; disposing it removes the folder. */
export async function createStepWorld(
  params: { readonly target?: (folder: string) => WorldTarget } = {},
): Promise<StepWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'ascend-steps-'));
  const [rootPath, workDir] = [join(folder, 'repository'), join(folder, 'work')];
  await Promise.all([mkdir(rootPath), mkdir(workDir)]);
  const platform = createMemoryPlatform();
  const target = params.target?.(folder) ?? { connector: platform.connector, connection: { region: 'here' } };
  const jobId = 'job-1';
  const outputs: Record<string, unknown> = {};
  const checkpoints = new Map<string, unknown>();
  const tokens = new Map<string, unknown>();
  let attempts = 0;
  let plan: RestorePlan | null = null;

  const currentPlan = (): RestorePlan => {
    if (plan === null) throw new Error('no plan was made yet');
    return plan;
  };

  const operationFor = (key: string, request: ContextParams): StepOperation => {
    attempts += 1;
    return {
      opId: `op-${attempts}`,
      jobId,
      stepKey: key,
      kind: request.kind,
      attempt: attempts,
      epoch: 1,
      diskIndex: request.diskIndex ?? null,
      plan: world.plan(),
      outputs: structuredClone(outputs),
      checkpoint: checkpoints.get(key) ?? null,
      ledger: [],
    };
  };

  const contextFor: StepWorld['contextFor'] = (request) => {
    const key = stepKey(request.kind, request.diskIndex);
    const trace: StepTrace = { events: [], progress: [], checkpoint: null };
    const context: StepContext = {
      operation: operationFor(key, request),
      logger: silentLogger,
      clock: systemClock,
      signal: request.signal ?? new AbortController().signal,
      workDir,
      ...(request.guestSources === undefined ? {} : { guestSources: request.guestSources }),
      target: {
        targetId: 'target-1',
        guestNeeds: target.guestNeeds ?? target.connector.guestNeeds,
        open: () =>
          target.connector.open(target.connector.parseConnection(target.connection), {
            logger: silentLogger,
            clock: systemClock,
            secrets: async () => new Secret(''),
            workDir,
          }),
      },
      report: (progress) => trace.progress.push(progress),
      checkpoint: async (data) => {
        trace.events.push('checkpoint');
        trace.checkpoint = structuredClone(data);
        checkpoints.set(key, trace.checkpoint);
      },
      ledger: {
        present: async (resourceKey, token) => {
          trace.events.push(`present ${resourceKey}`);
          tokens.set(`${key} ${resourceKey}`, structuredClone(token));
        },
        gone: async (resourceKey, owner) => {
          trace.events.push(`gone ${owner ?? key} ${resourceKey}`);
        },
      },
      nameOf: (resourceKey) => ownedName(jobId, key, resourceKey),
    };
    return { context, trace };
  };

  const world: StepWorld = {
    folder,
    rootPath,
    workDir,
    platform,
    jobId,
    plan: currentPlan,
    output: (key, schema) => schema.parse(outputs[key]),
    outputs,
    tokens,
    planFrom: async (request) => {
      plan = await makePlan({ ...request, rootPath });
    },
    contextFor,
    run: async (handler, request = {}) => {
      await mkdir(workDir, { recursive: true });
      const { context, trace } = contextFor({ ...request, kind: handler.kind });
      outputs[context.operation.stepKey] = structuredClone(await handler.run(context));
      return trace;
    },
    undo: async (handler, resourceKey, diskIndex) => {
      const request = { kind: handler.kind, ...(diskIndex === undefined ? {} : { diskIndex }) };
      const { context } = contextFor(request);
      const key = context.operation.stepKey;
      const planned = stepOf(world.plan(), key)?.resources.find((one) => one.resourceKey === resourceKey);
      const entry: LedgerEntry = {
        jobId,
        stepKey: key,
        resourceKey,
        targetId: 'target-1',
        kind: planned?.kind ?? 'disk',
        name: ownedName(jobId, key, resourceKey),
        token: tokens.get(`${key} ${resourceKey}`) ?? null,
        state: 'deleting',
        undoOrder: planned?.undoOrder ?? 0,
        opId: null,
      };
      await handler.undo?.(context, entry);
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
  return world;
}
