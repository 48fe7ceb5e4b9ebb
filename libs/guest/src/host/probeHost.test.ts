import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { leftovers } from '../testing/leftovers.ts';
import { probeHost } from './probeHost.ts';

describe('probeHost', () => {
  it('tells what was seen to work, and leaves nothing behind', async () => {
    const scratchDir = await mkdtemp(join(tmpdir(), 'ascend-host-'));
    try {
      const capabilities = await probeHost({ scratchDir, acceleration: 'tcg' });
      expect(capabilities).toMatchObject({
        storageDaemonFuse: true,
        fuse2fs: true,
        bubblewrap: true,
        kvmWorks: false,
        runsAsRoot: process.getuid?.() === 0,
      });
      expect(capabilities.qemuImgVersion).toMatch(/^\d+\.\d+/);
      expect(capabilities.scratchFreeBytes).toBeGreaterThan(0);
      expect(await readdir(scratchDir)).toEqual([]);
      expect(await leftovers(scratchDir)).toEqual([]);
    } finally {
      await rm(scratchDir, { recursive: true });
    }
  });

  it('fails with a code when the scratch folder is not there', async () => {
    const scratchDir = join(tmpdir(), 'ascend-not-there');
    await expect(probeHost({ scratchDir, acceleration: 'tcg' })).rejects.toMatchObject({
      code: 'INTERNAL_BUG',
    });
  });
});
