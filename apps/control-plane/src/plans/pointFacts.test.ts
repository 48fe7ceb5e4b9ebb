import type { RestorePoint, RestorePointFacts } from '@ascend/domain';
import { AppError, hasCode } from '@ascend/errors';
import { agentRequests, type AgentRequest } from '@ascend/protocol';
import { expect, test } from 'vitest';
import type { AskAgent } from '../agents/agentAsk.ts';
import { pointFacts, restorePoint } from '../testing/plans.ts';
import { agentView } from '../testing/views.ts';
import { createPointFactsReader } from './pointFacts.ts';

const agent = agentView({ agentId: 'agent-1', repositories: { 'repo-1': '/repo' } });

/** A request lane on which only `analyze` is answered. */
function askOf(analyze: (request: AgentRequest<'analyze'>) => Promise<RestorePointFacts | null>): AskAgent {
  const ask = async (_agent: unknown, verb: string, request: unknown): Promise<unknown> => {
    if (verb === 'analyze') return analyze(agentRequests.analyze.parse(request));
    throw new AppError({ code: 'INTERNAL_BUG', message: `ask agent: ${verb} is not expected` });
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the only verb asked for is answered in its form
  return ask as AskAgent;
}

function withDisks(facts: RestorePointFacts, indexes: readonly number[]): RestorePointFacts {
  return { ...facts, disks: facts.disks.filter((disk) => indexes.includes(disk.diskIndex)) };
}

function setUp(part: {
  readonly stored?: RestorePointFacts;
  readonly point?: Partial<RestorePoint>;
  /** Fingerprint of the chain as the agent finds it. */
  readonly found?: string;
  readonly agents?: readonly (typeof agent)[];
}) {
  const asked: string[] = [];
  const found = part.found ?? 'f1';
  const analyze = async (request: AgentRequest<'analyze'>): Promise<RestorePointFacts | null> => {
    const indexes = request.disks.map((disk) => disk.diskIndex);
    asked.push(`${indexes.join(',')} known ${request.knownFingerprint ?? 'nothing'}`);
    return request.knownFingerprint === found ? null : withDisks(pointFacts({ fingerprint: found }), indexes);
  };
  const written: string[] = [];
  const read = createPointFactsReader({
    ask: askOf(analyze),
    agents: async () => part.agents ?? [agent],
    read: async () => part.stored ?? null,
    write: async (facts) => {
      written.push(facts.fingerprint);
    },
  });
  const point = { ...restorePoint, ...part.point };
  return { asked, written, read: (exclude: readonly number[] = []) => read(point, exclude) };
}

test('nothing known: an agent analyses and the facts are kept', async () => {
  const run = setUp({});
  expect((await run.read()).fingerprint).toBe('f1');
  expect(run.asked).toEqual(['0,1 known nothing']);
  expect(run.written).toEqual(['f1']);
});

test('known and the chain is as it was: the known facts are used', async () => {
  const stored = pointFacts({ fingerprint: 'f1' });
  const run = setUp({ stored });
  expect(await run.read()).toBe(stored);
  expect(run.asked).toEqual(['0,1 known f1']);
  expect(run.written).toEqual([]);
});

test('known, but the chain changed: the new facts take their place', async () => {
  const run = setUp({ stored: pointFacts({ fingerprint: 'f0' }) });
  expect((await run.read()).fingerprint).toBe('f1');
  expect(run.written).toEqual(['f1']);
});

test('known by an older look that saw less: it is analysed anew though the chain is as it was', async () => {
  const { version: _version, ...older } = pointFacts({ fingerprint: 'f1' });
  const run = setUp({ stored: older });
  await run.read();
  expect(run.asked).toEqual(['0,1 known nothing']);
  expect(run.written).toEqual(['f1']);
});

test('with no agent online the known facts must do, and without them it is an error', async () => {
  const agents = [{ ...agent, online: false }];
  const stored = pointFacts({ fingerprint: 'f0' });
  expect(await setUp({ stored, agents }).read()).toBe(stored);
  await expect(setUp({ agents }).read()).rejects.toSatisfy((error) => hasCode(error, 'PLAN_AGENT_OFFLINE'));
});

test('disks that are left out or did not complete are not looked at, and their facts are not mixed up', async () => {
  const excluded = setUp({ stored: pointFacts({ fingerprint: 'f1' }) });
  expect((await excluded.read([1])).disks).toHaveLength(1);
  expect(excluded.asked).toEqual(['0 known nothing']);
  const [first, second] = restorePoint.disks;
  const running = setUp({ point: { disks: [first!, { ...second!, status: 'running' }] } });
  await running.read();
  expect(running.asked).toEqual(['0 known nothing']);
});

test.each([
  ['a backup that did not complete', { status: 'running' }, 'CATALOG_BACKUP_NOT_COMPLETED'],
  ['a differential', { backupType: 'differential' }, 'CATALOG_BACKUP_DIFFERENTIAL'],
  ['a backup without disks', { disks: [] }, 'CATALOG_DISKS_MISSING'],
  [
    'a backup none of whose disks completed',
    { disks: [{ ...restorePoint.disks[0]!, status: 'failed' as const }] },
    'CATALOG_DISK_NOT_COMPLETED',
  ],
] as const)('%s is refused before an agent is asked', async (_name, point, code) => {
  const run = setUp({ point });
  await expect(run.read()).rejects.toSatisfy((error) => hasCode(error, code));
  expect(run.asked).toEqual([]);
});

test('two callers that want the same at the same time share one analysis', async () => {
  const run = setUp({});
  const [one, two] = await Promise.all([run.read(), run.read()]);
  expect(one).toBe(two);
  expect(run.asked).toEqual(['0,1 known nothing']);
});
