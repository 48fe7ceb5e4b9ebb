import { randomBytes } from 'node:crypto';
import { zstdDecompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { clusterBytes } from './layout.ts';
import { createClusterCompressor } from './zstdClusters.ts';

test('many clusters at once become frames of their own, whatever was compressed before them', async () => {
  const compressor = createClusterCompressor();
  const clusters = Array.from({ length: 40 }, (_, index) =>
    // Some fit into one buffer of the stream, some do not shrink at all.
    index % 4 === 3
      ? randomBytes(clusterBytes)
      : Buffer.concat([
          randomBytes(index * 1000),
          Buffer.alloc(clusterBytes - index * 1000, `text ${index} `),
        ]),
  );
  const frames = await Promise.all(clusters.map((cluster) => compressor.compress(cluster)));
  for (const [index, cluster] of clusters.entries()) {
    const frame = frames[index] ?? null;
    expect(frame === null).toBe(index % 4 === 3);
    expect(frame === null || zstdDecompressSync(frame).equals(cluster)).toBe(true);
  }
  compressor.close();
  compressor.close();
});

test('a compressor that was closed refuses with a code', async () => {
  const compressor = createClusterCompressor();
  await compressor.compress(Buffer.alloc(clusterBytes));
  compressor.close();
  await expect(compressor.compress(Buffer.alloc(clusterBytes))).rejects.toMatchObject({
    code: 'DISK_IO_FAILED',
  });
});
