import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  agentLimitSchema,
  agentListSchema,
  errorSchema,
  restoreLimitSchema,
  restoreSchema,
  type Agent,
  type Restore,
} from '@ascend/protocol';
import { z } from 'zod';
import { startAscend, until, type AscendSystem } from '../system/ascendSystem.ts';
import { addMicroBackup, startMicro, untilMoving, untilState } from '../system/microRestore.ts';

let system: AscendSystem;

beforeAll(async () => {
  system = await startAscend();
  await addMicroBackup(system);
});

afterAll(async () => {
  await system?.stop();
});

const mib = 1024 ** 2;
/** Nothing boots here: it is about bytes. */
const noBoot = ['--no-power-on'];

async function agentLimit(bandwidth: string) {
  return agentLimitSchema.parse(await system.json(['agent', 'limit', 'edge', '--bandwidth', bandwidth]));
}

async function edge(): Promise<Agent | undefined> {
  return agentListSchema.parse(await system.json(['agent', 'list'])).agents[0];
}

/** The restore as the API tells it: quicker than a process for each look. */
async function look(id: string): Promise<Restore> {
  const token = (await readFile(join(system.dir, 'token'), 'utf8')).trim();
  const headers = { authorization: `Bearer ${token}` };
  return restoreSchema.parse(await (await fetch(`${system.url}/api/v1/restores/${id}`, { headers })).json());
}

interface Count {
  readonly bytes: number;
  readonly sinceMs: number;
}

/** Bytes that the disks in motion have moved, and the time at the agent since when all of them have been counted. */
async function count(id: string): Promise<Count> {
  const moving = (await look(id)).steps.filter(
    (one) => one.kind === 'transfer-disk' && one.state === 'running',
  );
  const times = moving.map((step) => step.progress?.at_ms ?? 0);
  const bytes = moving.reduce((sum, step) => sum + (step.progress?.bytes_done ?? 0), 0);
  return { bytes, sinceMs: Math.min(...times) };
}

async function countAfter(id: string, ms: number): Promise<Count> {
  let found = { bytes: 0, sinceMs: 0 };
  await until(`the disks of ${id} are counted again`, 60, async () => {
    found = await count(id);
    return Number.isFinite(found.sinceMs) && found.sinceMs > ms;
  });
  return found;
}

// What two disks may have in the air beyond the cap: a block each, and what is saved up.
const slackBytes = 4 * mib;

it('lowers and lifts the cap of a restore while it moves, and the restore finishes', async () => {
  const id = await startMicro(system, 'full', 'lifted', ['--bandwidth', '1M', ...noBoot]);
  await untilMoving(system, id, 'transfer-disk:0', mib);
  expect((await look(id)).bandwidth).toMatchObject({ bytes_per_second: mib, source: 'plan' });
  // With this the rest would take hours: that it finishes is the proof that the cap was lifted.
  await system.cli(['restore', 'limit', id, '--bandwidth', '1K']);
  const held = await look(id);
  expect(held.bytes_total - held.bytes_done).toBeGreaterThan(4 * mib);
  const answer = await system.json(['restore', 'limit', id, '--bandwidth', 'none']);
  expect(restoreLimitSchema.parse(answer)).toEqual({
    restore_id: id,
    bytes_per_second: null,
    agents: [{ agent_id: 'edge', applied: true }],
  });
  const after = await untilState(system, id, ['completed', 'failed']);
  expect(after.error).toBeNull();
  expect(after.bandwidth).toMatchObject({ bytes_per_second: null, source: 'operator' });

  const { stderr } = await system.cli(['--json', 'restore', 'limit', id, '--bandwidth', '1M'], [5]);
  const { error } = z.object({ error: errorSchema }).parse(JSON.parse(stderr.trim()));
  expect(error.code).toBe('RESTORE_TRANSITION_ILLEGAL');
});

it('caps an agent while it moves disks; kill -9 keeps the cap, and lifting it lets the restore finish', async () => {
  expect(await agentLimit('1M')).toEqual({ agent_id: 'edge', bytes_per_second: mib, applied: true });
  const id = await startMicro(system, 'inc1', 'held', noBoot);
  await untilMoving(system, id, 'transfer-disk:0', 1);
  const first = await countAfter(id, Date.now());
  const second = await countAfter(id, first.sinceMs + 3_000);
  const allowed = (since: Count): number => (mib * (Date.now() - since.sinceMs)) / 1000 + slackBytes;
  expect(second.bytes - first.bytes).toBeLessThan(allowed(first));

  await system.killAgent();
  expect((await agentLimit('512K')).applied).toBe(false);
  await system.startAgent();
  expect((await edge())?.bandwidth).toEqual({ bytes_per_second: mib / 2, source: 'operator' });
  const third = await countAfter(id, Date.now());
  const fourth = await countAfter(id, third.sinceMs + 3_000);
  // What was confirmed before the kill is read once more and counted, held by no cap: so the whole time counts.
  expect(fourth.bytes - second.bytes).toBeLessThan(allowed(second));

  expect((await agentLimit('none')).applied).toBe(true);
  const restore = await untilState(system, id, ['completed', 'failed']);
  expect(restore.error).toBeNull();
  expect(restore.bandwidth).toEqual({
    bytes_per_second: null,
    source: 'plan',
    agents: [{ agent_id: 'edge', bytes_per_second: null, source: 'operator' }],
  });
});
