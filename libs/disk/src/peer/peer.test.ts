import { readdir } from 'node:fs/promises';
import { expect, test } from 'vitest';
import type { Extent } from '../extent.ts';
import { openSource } from '../source/openSource.ts';
import { writeImage } from '../testing/images.ts';
import { openPeerPair, peerWays, readWhole, withLentChain } from '../testing/peerPair.ts';

async function kinds(extents: AsyncIterable<Extent>): Promise<string[]> {
  const all: { kind: string; length: number }[] = [];
  for await (const { kind, lengthBytes } of extents) {
    const last = all.at(-1);
    if (last?.kind === kind) last.length += lengthBytes;
    else all.push({ kind, length: lengthBytes });
  }
  return all.map(({ kind, length }) => `${kind} ${length}`);
}

test.each(peerWays)(
  'a disk lent by $mode with the $listener listening has the bytes and extents of the chain',
  async (way) => {
    await withLentChain(async ({ image, workDir }) => {
      // An NBD session shows the map of the block server, the HTTPS stream that of our own reader.
      const engine = way.mode === 'nbd' ? 'nbd' : 'auto';
      const near = await openSource({ image, workDir, signal: new AbortController().signal, engine });
      const expected = await readWhole(near);
      const { loan, borrowing } = await openPeerPair({ ...way, image, workDir });
      const far = await borrowing.open();
      expect(far.sizeBytes).toBe(near.sizeBytes);
      expect((await readWhole(far)).equals(expected)).toBe(true);
      const odd = Buffer.alloc(3 * 1024 * 1024 + 17);
      await far.readInto(1_234_567, odd);
      expect(odd.equals(expected.subarray(1_234_567, 1_234_567 + odd.length))).toBe(true);
      await far.readInto(far.sizeBytes, Buffer.alloc(0));
      const whole = await kinds(far.extents(0, far.sizeBytes));
      expect(whole).toEqual(await kinds(near.extents(0, near.sizeBytes)));
      expect(whole.length).toBeGreaterThan(4);
      expect(await kinds(far.extents(1_000_000, 5_000_000))).toEqual(
        await kinds(near.extents(1_000_000, 5_000_000)),
      );
      await expect(far.readInto(far.sizeBytes - 1, Buffer.alloc(2))).rejects.toMatchObject({
        code: 'DISK_RANGE_INVALID',
      });
      await far.assertUnchanged();
      await near.close();
      await far.close();
      await borrowing.close();
      expect(await loan.ended).toBe('returned');
      await expect(far.readInto(0, Buffer.alloc(1))).rejects.toMatchObject({ code: 'DISK_PEER_ENDED' });
      expect(await readdir(workDir)).toEqual([]);
    });
  },
);

test.each(peerWays)(
  'a chain that changes under a loan by $mode with the $listener listening is told',
  async (way) => {
    await withLentChain(async ({ image, workDir, topPath }) => {
      const { loan, borrowing } = await openPeerPair({ ...way, image, workDir });
      const source = await borrowing.open();
      await loan.close();
      await borrowing.close();
      expect(source.sizeBytes).toBe(image.chain.virtualSizeBytes);
      await writeImage(topPath, 'qcow2', [{ offsetBytes: 0, lengthBytes: 65_536, fill: 1 }]);
      const again = await openPeerPair({ ...way, image, workDir });
      const changed = await again.borrowing.open();
      await expect(changed.assertUnchanged()).rejects.toMatchObject({ code: 'DISK_SOURCE_CHANGED' });
      await again.borrowing.close();
      expect(await again.loan.ended).toBe('returned');
    });
  },
);
