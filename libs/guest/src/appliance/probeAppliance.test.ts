import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { probeHost } from '../host/probeHost.ts';
import { leftovers } from '../testing/leftovers.ts';
import { probeAppliance } from './probeAppliance.ts';

describe('probeAppliance', { timeout: 600_000 }, () => {
  let folder = '';

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ascend-probe-appliance-'));
  });

  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it('says why none runs, leaves nothing behind and keeps the answer for those who ask next', async () => {
    const workDir = join(folder, 'work');
    const cacheDir = join(folder, 'cache');
    const signal = new AbortController().signal;
    const params = { workDir, cacheDir, acceleration: 'tcg', signal, startTimeoutMs: 200 } as const;
    const first = await probeAppliance(params);
    expect(first).toMatchObject({ works: false, reason: expect.stringContaining('no end after 200 ms') });
    expect(first.version).toMatch(/^\d+\.\d+/);
    expect(await readdir(workDir)).toEqual([]);
    expect(await leftovers(workDir)).toEqual([]);
    // With the usual patience an appliance would start here: the answer is the kept one.
    expect(await probeAppliance({ ...params, startTimeoutMs: 300_000 })).toEqual(first);
    const host = await probeHost({ scratchDir: folder, acceleration: 'tcg', applianceCacheDir: cacheDir });
    expect(host.libguestfsVersion).toBeNull();
  });
});
