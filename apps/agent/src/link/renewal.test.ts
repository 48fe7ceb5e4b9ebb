import { expect, test } from 'vitest';
import { createTrust, createUserKey, issueAgentJwt, type AgentBus } from '@ascend/bus';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from '@ascend/bus/testing';
import { silentLogger, systemClock } from '@ascend/runtime';
import { renewJwt } from './renewal.ts';

test('a jwt is renewed at two thirds of its life, again and again until it works, and not before', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'ascend-renewal-'));
  const trust = await createTrust(dir);
  const { publicKey } = createUserKey();
  const start = Date.now();
  let offsetMs = 0;
  const clock = {
    ...systemClock,
    now: () => start + offsetMs,
    sleep: async () => await systemClock.sleep(5),
  };
  const issue = async (): Promise<string> =>
    await issueAgentJwt(trust, {
      address: { siteId: 'a', agentId: 'b' },
      publicKey,
      ttlMs: 3_000_000,
      nowMs: clock.now(),
    });
  let jwt = await issue();
  let asked = 0;
  const ask: AgentBus['ask'] = async () => {
    asked += 1;
    if (asked === 1) throw new Error('control plane is away');
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only `renew` is asked here
    return { jwt: await issue() } as never;
  };
  const stored: string[] = [];
  const loop = renewJwt({
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only `ask` is used
    bus: { ask } as AgentBus,
    clock,
    logger: silentLogger,
    jwt: () => jwt,
    store: async (renewed) => {
      jwt = renewed;
      stored.push(renewed);
      await Promise.resolve();
    },
  });
  offsetMs = 1_900_000;
  await systemClock.sleep(60);
  expect(asked).toBe(0);
  offsetMs = 2_100_000;
  await waitFor(() => stored.length === 1, 'the renewal');
  await loop.stop();
  expect(asked).toBe(2);
  await rm(dir, { recursive: true, force: true });
});
