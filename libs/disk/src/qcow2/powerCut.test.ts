import { AppError } from '@ascend/errors';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { createAllocator } from './allocator.ts';
import { clusterBytes, l2Entries, l2SpanBytes, readL1Entry, readL2Entry } from './layout.ts';
import { firstFreeOffset, l1Offset } from './ownHeader.ts';
import { createPlainClusters } from './plainClusters.ts';
import type { TableFile } from './tableFile.ts';
import { createTables } from './tables.ts';

const tableCount = 3;
const finish = (): Promise<void> => Promise.resolve();
const sizeBytes = tableCount * l2SpanBytes;

interface Write {
  readonly offset: number;
  readonly bytes: Buffer;
}

function applyTo(clusters: Map<number, Buffer>, { offset, bytes }: Write): void {
  for (let at = 0; at < bytes.length;) {
    const cluster = Math.floor((offset + at) / clusterBytes);
    const inside = (offset + at) % clusterBytes;
    const stored = clusters.get(cluster) ?? Buffer.alloc(clusterBytes);
    at += bytes.copy(stored, inside, at, Math.min(bytes.length, at + clusterBytes - inside));
    clusters.set(cluster, stored);
  }
}

function readFrom(clusters: Map<number, Buffer>, offset: number, length: number): Buffer {
  const cluster = clusters.get(Math.floor(offset / clusterBytes)) ?? Buffer.alloc(clusterBytes);
  return Buffer.from(cluster.subarray(offset % clusterBytes, (offset % clusterBytes) + length));
}

/** A file on a machine that loses its power: each write since the last sync is kept or lost. */
function createFragileFile(cutAfter: number, luck: () => boolean) {
  const durable = new Map<number, Buffer>();
  const cached = new Map<number, Buffer>();
  let pending: Write[] = [];
  let calls = 0;
  const step = async (): Promise<void> => {
    // As long as it likes.
    do await Promise.resolve();
    while (luck());
    calls += 1;
    if (calls > cutAfter) throw new AppError({ code: 'DISK_IO_FAILED', message: 'the power is out' });
  };
  const file: TableFile = {
    path: 'fragile',
    write: async (offset, pieces) => {
      await step();
      const write = { offset, bytes: Buffer.concat(pieces) };
      applyTo(cached, write);
      pending.push(write);
    },
    read: async (offset, length) => {
      await step();
      return readFrom(cached, offset, length);
    },
    sync: async () => {
      const now = [...pending];
      await step();
      for (const write of now) applyTo(durable, write);
      pending = pending.filter((write) => !now.includes(write));
    },
    size: () => Promise.resolve(0),
    truncate: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
  return {
    file,
    readDurable: (offset: number, length: number) => readFrom(durable, offset, length),
    cut: (): void => {
      for (const write of pending) if (luck()) applyTo(durable, write);
    },
  };
}

/** Guest clusters that the durable tables name, and whether each holds what was written there. */
function survey(read: (offset: number, length: number) => Buffer): { named: Set<number>; wrong: number[] } {
  const named = new Set<number>();
  const wrong: number[] = [];
  for (let index = 0; index < tableCount; index += 1) {
    const offset = readL1Entry(read(l1Offset + index * 8, 8), 0) ?? -1;
    if (offset === 0) continue;
    const table = read(offset, clusterBytes);
    for (let entry = 0; entry < l2Entries; entry += 1) {
      const found = readL2Entry(table, entry);
      if (found.kind === 'none') continue;
      const cluster = index * l2Entries + entry;
      named.add(cluster);
      const expected = Buffer.alloc(clusterBytes, 1 + (cluster % 250));
      const holds = found.kind === 'standard' && read(found.offset, clusterBytes).equals(expected);
      if (!holds) wrong.push(cluster);
    }
  }
  return { named, wrong };
}

test('when the power goes at any moment, tables name only whole data, and all that was confirmed', async () => {
  const write = fc.record({
    table: fc.nat(tableCount - 1),
    entry: fc.nat(60),
    count: fc.integer({ min: 1, max: 3 }),
    flush: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(write, { minLength: 20, maxLength: 40 }),
      fc.nat(60),
      fc.infiniteStream(fc.boolean()),
      async (writes, cutAfter, chance) => {
        const { file, readDurable, cut } = createFragileFile(cutAfter, () => chance.next().value === true);
        const allocator = createAllocator(firstFreeOffset(sizeBytes));
        const l1 = Buffer.alloc(tableCount * 8);
        // Fewer than are used: some are dropped and read back.
        const tables = createTables({ file, l1, allocateCluster: () => allocator.clusters(1), maxTables: 2 });
        const clusters = createPlainClusters({ file, tables, allocator, kept: false, finish });
        const confirmed = new Set<number>();
        const written = new Set<number>();
        const put = async (first: number, count: number): Promise<void> => {
          const data = Buffer.alloc(count * clusterBytes);
          for (let n = 0; n < count; n += 1)
            data.fill(1 + ((first + n) % 250), n * clusterBytes, (n + 1) * clusterBytes);
          await clusters.write(first * clusterBytes, data);
          for (let n = 0; n < count; n += 1) written.add(first + n);
        };
        const flush = async (): Promise<void> => {
          const before = [...written];
          await tables.flush();
          for (const cluster of before) confirmed.add(cluster);
        };
        // Three lanes that overlap in time; the first failure ends a lane.
        const lanes = [0, 1, 2].map(async (lane) => {
          for (const [index, { table, entry, count, flush: thenFlush }] of writes.entries()) {
            if (index % 3 !== lane) continue;
            await put(table * l2Entries + entry, count);
            if (thenFlush) await flush();
          }
        });
        await Promise.allSettled(lanes);
        cut();
        const { named, wrong } = survey(readDurable);
        expect(wrong).toEqual([]);
        expect([...confirmed].filter((cluster) => !named.has(cluster))).toEqual([]);
      },
    ),
    { numRuns: 250 },
  );
});
