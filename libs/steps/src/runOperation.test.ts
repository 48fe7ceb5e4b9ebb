import { expect, test } from 'vitest';
import type { GuestNeedsVariant, LedgerEntry } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import { silentLogger, systemClock, type Clock } from '@ascend/runtime';
import { runOperation, suspension, type RunOperationParams } from './runOperation.ts';
import type { StepContext, StepHandler, StepOperation } from './stepHandler.ts';

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the runner hands the plan on and never looks into it
const operation = {
  opId: 'op-1',
  jobId: 'job-1',
  stepKey: 'transfer-disk:0',
  kind: 'transfer-disk',
  attempt: 1,
  epoch: 1,
  diskIndex: 0,
  plan: {},
  outputs: {},
  checkpoint: null,
  ledger: [],
} as unknown as StepOperation;

const entry: LedgerEntry = {
  jobId: 'job-1',
  stepKey: 'transfer-disk:0',
  resourceKey: 'disk',
  targetId: 't',
  kind: 'disk',
  name: 'n',
  token: null,
  state: 'present',
  undoOrder: 1,
  opId: null,
};

/** A clock whose sleeps take no time but count. */
function fastClock(): Clock {
  let now = 0;
  return {
    now: () => now,
    sleep: async (ms, signal) => {
      await new Promise((resolve) => setImmediate(resolve));
      signal?.throwIfAborted();
      now += ms;
    },
  };
}

const nothing = async (): Promise<unknown> => await Promise.resolve();
const never = async (): Promise<never> => await new Promise<never>(() => undefined);

function setUp(
  handler: Partial<StepHandler>,
  more: Partial<RunOperationParams> = {},
): { params: RunOperationParams; journal: string[]; reports: string[] } {
  const journal: string[] = [];
  const reports: string[] = [];
  const note = async (text: string): Promise<void> => {
    journal.push(text);
    await Promise.resolve();
  };
  const params: RunOperationParams = {
    operation,
    entry: null,
    handlers: { 'transfer-disk': { kind: 'transfer-disk', run: nothing, ...handler } },
    journal: {
      checkpoint: async (data) => await note(`checkpoint ${JSON.stringify(data)}`),
      present: async (key, token) => await note(`present ${key} ${JSON.stringify(token)}`),
      gone: async (key, owner) => await note(`gone ${owner ?? ''}/${key}`),
    },
    target: {
      targetId: 't',
      guestNeeds,
      open: async () => await Promise.reject(new Error('not opened here')),
    },
    workDir: '/nowhere',
    logger: silentLogger,
    clock: systemClock,
    signal: new AbortController().signal,
    report: (progress) => reports.push(`${progress.stepKey} ${progress.phase} ${progress.bytesDone}`),
    ...more,
  };
  return { params, journal, reports };
}

async function untilAborted(context: StepContext): Promise<never> {
  const { promise, resolve } = Promise.withResolvers<void>();
  context.signal.addEventListener('abort', () => resolve(), { once: true });
  if (context.signal.aborted) resolve();
  await promise;
  throw new AppError({ code: 'OPERATION_CANCELLED', message: 'copy: stopped' });
}

const guestNeeds: readonly GuestNeedsVariant[] = [];

async function talkOnly(context: StepContext): Promise<never> {
  const talk = setInterval(() =>
    context.report({ phase: 'copy', bytesDone: 1, bytesTotal: 2, bytesSkipped: 0 }),
  );
  try {
    return await untilAborted(context);
  } finally {
    clearInterval(talk);
  }
}

test('a step that ends well gives its output after its facts were made durable', async () => {
  const { params, journal, reports } = setUp({
    run: async (context) => {
      context.report({ phase: 'copy', bytesDone: 5, bytesTotal: 10, bytesSkipped: 0 });
      await context.checkpoint({ at: 5 });
      await context.ledger.present('disk', { id: 7 });
      await context.ledger.gone('other', 'prepare-guest');
      return { name: context.nameOf('disk') };
    },
  });
  expect(await runOperation(params)).toEqual({
    type: 'succeeded',
    output: { name: 'ascend-job-1-transfer-disk-0-disk' },
  });
  expect(journal).toEqual(['checkpoint {"at":5}', 'present disk {"id":7}', 'gone prepare-guest/other']);
  expect(reports).toEqual(['transfer-disk:0 copy 5']);
});

test('a coded error is the result, any other error is a bug with its cause', async () => {
  const coded = new AppError({ code: 'INPUT_INVALID', message: 'no' });
  const first = setUp({ run: async () => await Promise.reject(coded) });
  expect(await runOperation(first.params)).toEqual({ type: 'failed', error: coded });
  const second = setUp({ run: async () => await Promise.reject(new TypeError('x is undefined')) });
  expect(await runOperation(second.params)).toMatchObject({
    type: 'failed',
    error: { code: 'INTERNAL_BUG' },
  });
});

test('a failing journal fails the step', async () => {
  const { params } = setUp({ run: async (context) => await context.checkpoint({}) });
  const journal = { ...params.journal, checkpoint: async () => await Promise.reject(new Error('disk full')) };
  expect(await runOperation({ ...params, journal })).toMatchObject({ type: 'failed' });
});

test('an undo removes the resource that the entry names', async () => {
  const undone: string[] = [];
  const undo = async (_context: StepContext, asked: LedgerEntry): Promise<void> => {
    undone.push(asked.resourceKey);
    await Promise.resolve();
  };
  const { params } = setUp({ undo }, { entry });
  expect(await runOperation(params)).toEqual({ type: 'undone', resourceKey: 'disk' });
  expect(undone).toEqual(['disk']);
});

test.each([
  ['run', { handlers: {} }, 'failed'],
  ['undo', { entry }, 'undo-failed'],
] as const)('a kind without code for %s fails with its own code', async (_, more, type) => {
  const { params } = setUp({}, more);
  expect(await runOperation(params)).toMatchObject({ type, error: { code: 'AGENT_STEP_MISSING' } });
});

test.each([
  ['cancelled', new AppError({ code: 'OPERATION_CANCELLED', message: 'cancel' })],
  ['suspended', suspension],
] as const)('an abort ends as %s by its reason', async (type, reason) => {
  const abort = new AbortController();
  const { params } = setUp({ run: untilAborted }, { signal: abort.signal });
  const running = runOperation(params);
  abort.abort(reason);
  expect(await running).toEqual({ type });
});

test('a step that succeeds although it was cancelled has succeeded', async () => {
  const abort = new AbortController();
  const run = async (): Promise<string> => {
    abort.abort();
    return await Promise.resolve('vm-1');
  };
  const { params } = setUp({ run }, { signal: abort.signal });
  expect(await runOperation(params)).toEqual({ type: 'succeeded', output: 'vm-1' });
});

test('a transfer whose counters stand still is stalled, however often it reports', async () => {
  const { params } = setUp({ run: talkOnly }, { clock: fastClock() });
  expect(await runOperation(params)).toMatchObject({
    type: 'failed',
    error: { code: 'AGENT_STEP_STALLED', details: { stallAfterMs: 120_000 } },
  });
});

test('work in child processes counts as life', async () => {
  let work = 0;
  let looked = 0;
  const clock = fastClock();
  const workDone = async (): Promise<number> => {
    looked += 1;
    work += looked < 40 ? 1 : 0;
    return await Promise.resolve(work);
  };
  const { params } = setUp({ run: untilAborted }, { clock, workDone });
  expect(await runOperation(params)).toMatchObject({ error: { code: 'AGENT_STEP_STALLED' } });
  expect(clock.now()).toBeGreaterThanOrEqual(39 * 10_000 + 120_000);
});

test('a step that waits for a guest to boot never counts as stalled', async () => {
  const clock = fastClock();
  const run = async (): Promise<string> => {
    await clock.sleep(3_600_000);
    return 'booted';
  };
  const { params } = setUp({}, { clock, operation: { ...operation, kind: 'boot-test' } });
  const handlers = { 'boot-test': { kind: 'boot-test', run } } as const;
  expect(await runOperation({ ...params, handlers })).toEqual({ type: 'succeeded', output: 'booted' });
});

test('a step that ignores the cancel is given up in the end', async () => {
  const abort = new AbortController();
  const { params } = setUp({ run: never }, { signal: abort.signal, clock: fastClock() });
  const running = runOperation(params);
  abort.abort();
  expect(await running).toMatchObject({ type: 'failed', error: { code: 'AGENT_STEP_STUCK' } });
});
