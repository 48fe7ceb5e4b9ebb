import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ExtentFile } from './extentFile.ts';
import { createGrainTables } from './grainTables.ts';
import { readKeptTables } from './keptTables.ts';
import {
  grainBytes,
  grainSectors,
  sectorBytes,
  tableBytes,
  tableCoverBytes,
  tableEntries,
} from './sparseExtent.ts';
import { createSparseExtentWriter } from './sparseExtentWriter.ts';
import { layOutSparse, type SparseLayout } from './sparseLayout.ts';

interface Write {
  readonly offsetBytes: number;
  readonly data: Buffer;
}

/** A file in memory, kept as its writes; `durable` is what a power cut would leave at worst. */
function createMemoryFile(failAt = -1) {
  const writes: Write[] = [];
  let synced = 0;
  let calls = 0;
  const readFrom = (from: readonly Write[], offset: number, length: number): Buffer => {
    const result = Buffer.alloc(length);
    for (const { offsetBytes, data } of from) {
      const start = Math.max(offset, offsetBytes);
      const end = Math.min(offset + length, offsetBytes + data.length);
      if (start < end) data.copy(result, start - offset, start - offsetBytes, end - offsetBytes);
    }
    return result;
  };
  const refuse = (): void => {
    calls += 1;
    if (calls - 1 === failAt) throw new Error('the disk is gone');
  };
  const file: ExtentFile = {
    readInto: async (offset, target) => {
      await Promise.resolve();
      readFrom(writes, offset, target.length).copy(target);
    },
    write: async (offset, data) => {
      refuse();
      // The bytes are in the file some time after the call and before it returns.
      const copy = Buffer.from(data);
      for (let turn = offset % 3; turn >= 0; turn -= 1) await Promise.resolve();
      writes.push({ offsetBytes: offset, data: copy });
    },
    zero: async (offset, length) => {
      await Promise.resolve();
      writes.push({ offsetBytes: offset, data: Buffer.alloc(length) });
    },
    sync: async () => {
      refuse();
      const mark = writes.length;
      await Promise.resolve();
      synced = Math.max(synced, mark);
    },
    close: () => Promise.resolve(),
  };
  return {
    file,
    writes,
    readDurable: (offset: number, length: number) => readFrom(writes.slice(0, synced), offset, length),
    /** Has the grain at this sector data that a power cut would leave? */
    isDurable: (sector: number): boolean =>
      readFrom(writes.slice(0, synced), sector * sectorBytes, grainBytes).some((byte) => byte !== 0),
    syncedWrites: () => synced,
  };
}

function isTable(layout: SparseLayout, { offsetBytes }: Write): boolean {
  return offsetBytes < layout.overheadSectors * sectorBytes;
}

/** The sectors that a write of tables names. */
function namedBy({ data }: Write): number[] {
  const named: number[] = [];
  for (let at = 0; at < data.length; at += 4)
    if (data.readUInt32LE(at) !== 0) named.push(data.readUInt32LE(at));
  return named;
}

const entry = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};

const layout = layOutSparse(5000 * tableCoverBytes);

function open(memory: ReturnType<typeof createMemoryFile>) {
  const tables = createGrainTables(memory.file, layout);
  return { tables, writer: createSparseExtentWriter(memory.file, tables, layout.overheadSectors) };
}

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ grain: fc.nat(5), length: fc.integer({ min: 1, max: 3 }), wait: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.constant('flush' as const) },
);

describe('grains and their tables', () => {
  test('a table on its way to the file names only grains whose data was durable before', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const memory = createMemoryFile();
        const { file } = memory;
        const undurable: number[] = [];
        let tableWrites = 0;
        const watched: ExtentFile = {
          ...file,
          write: async (offset, data) => {
            const call = { offsetBytes: offset, data: Buffer.from(data) };
            const named = isTable(layout, call) ? namedBy(call) : [];
            tableWrites += named.length;
            undurable.push(...named.filter((sector) => !memory.isDurable(sector)));
            await file.write(offset, data);
          },
        };
        const tables = createGrainTables(watched, layout);
        const writer = createSparseExtentWriter(watched, tables, layout.overheadSectors);
        const calls: Promise<void>[] = [];
        let expected = 0;
        for (const one of steps) {
          if (one === 'flush') {
            calls.push(tables.flush());
            continue;
          }
          // Two tables: the last grains of one and the first of the next.
          const offset = (tableEntries - 3 + one.grain) * grainBytes;
          const call = writer.write(offset, Buffer.alloc(one.length * grainBytes, 1 + (expected % 250)));
          expected += 1;
          calls.push(call);
          if (one.wait) await call;
        }
        await Promise.all(calls);
        await tables.flush();
        expect(undurable).toEqual([]);
        expect(tableWrites > 0).toBe(expected > 0);
      }),
      { numRuns: 40 },
    );
  });

  test('after a flush both sets of tables are durable and name every grain at its own place', async () => {
    const memory = createMemoryFile();
    const { tables, writer } = open(memory);
    // More tables than stay in memory, in an order that goes back and forth, each grain only in part.
    const indexes = Array.from({ length: 2500 }, (_, at) => (at * 1201) % 2500);
    for (const round of [0, 1]) {
      for (const index of indexes) {
        await writer.write(index * tableCoverBytes + round * 512, Buffer.alloc(512, round + 1));
      }
    }
    await tables.flush();
    expect(memory.syncedWrites()).toBe(memory.writes.length);
    const places = new Map<number, number>();
    for (const write of memory.writes.filter((each) => isTable(layout, each))) {
      const setBytes = layout.tableSets.toReversed().find((start) => start <= write.offsetBytes);
      for (let at = 0; at < write.data.length; at += tableBytes) {
        const index = (write.offsetBytes + at - setBytes!) / tableBytes;
        const named = namedBy({ ...write, data: write.data.subarray(at, at + tableBytes) });
        expect(named.length).toBe(1);
        expect(places.get(index) ?? named[0]).toBe(named[0]);
        places.set(index, named[0]!);
      }
    }
    expect(places.size).toBe(2500);
    expect(new Set(places.values()).size).toBe(2500);
    expect(writer.nextSector()).toBe(layout.overheadSectors + 2500 * grainSectors);
  }, 30_000);

  test('neighbouring new grains are one write of the file', async () => {
    const memory = createMemoryFile();
    const { writer } = open(memory);
    await writer.write(0, Buffer.alloc(16 * grainBytes, 1));
    await writer.write(16 * grainBytes, Buffer.alloc(16 * grainBytes, 2));
    expect(memory.writes.length).toBe(2);
    await writer.write(8 * grainBytes, Buffer.alloc(16 * grainBytes, 3));
    expect(memory.writes.length).toBe(3);
  });

  test('zeroing what was never written writes nothing, and zeroing a written part only that part', async () => {
    const memory = createMemoryFile();
    const { writer } = open(memory);
    await writer.zero(0, 5000 * tableCoverBytes);
    expect(memory.writes.length).toBe(0);
    await writer.write(3 * grainBytes + 512, Buffer.alloc(512, 1));
    await writer.zero(0, 5000 * tableCoverBytes);
    expect(memory.writes.slice(1).map(({ data }) => data.length)).toEqual([grainBytes]);
  });

  test('a grain that no entry could name is refused, and those before it stay', async () => {
    const memory = createMemoryFile();
    const tables = createGrainTables(memory.file, layout);
    const writer = createSparseExtentWriter(memory.file, tables, 2 ** 32 - grainSectors);
    await writer.write(0, Buffer.alloc(512, 1));
    const code = 'DISK_FORMAT_LIMIT';
    await expect(writer.write(grainBytes, Buffer.alloc(512, 1))).rejects.toMatchObject({ code });
    await tables.flush();
    expect(memory.readDurable(layout.tableSets[1], 8).readUInt32LE()).toBe(2 ** 32 - grainSectors);
    expect(memory.readDurable(layout.tableSets[1], 8).readUInt32LE(4)).toBe(0);
  });

  test('a failed flush leaves its tables for the next one', async () => {
    for (const failAt of [1, 2, 3, 4]) {
      const memory = createMemoryFile(failAt);
      const { tables, writer } = open(memory);
      await writer.write(0, Buffer.alloc(512, 1));
      await expect(tables.flush()).rejects.toThrow('the disk is gone');
      await tables.flush();
      for (const set of layout.tableSets) {
        expect(memory.readDurable(set, 4).readUInt32LE()).toBe(layout.overheadSectors);
      }
    }
  });
});

describe('the tables of an unfinished file', () => {
  const small = layOutSparse(40 * tableCoverBytes + 512);
  const fileBytes = (small.overheadSectors + 4 * grainSectors) * sectorBytes;
  const place = (at: number): number => small.overheadSectors + at * grainSectors;

  test.each([
    { name: 'a sector in front of the grains', entries: [[0, place(-1)]] },
    { name: 'a sector behind the file', entries: [[0, place(4)]] },
    { name: 'a sector inside a grain', entries: [[0, place(1) + 1]] },
    {
      name: 'one grain twice',
      entries: [
        [0, place(1)],
        [700, place(1)],
      ],
    },
    { name: 'a grain behind the disk', entries: [[40 * tableEntries + 1, place(1)]] },
    { name: 'a zeroed-grain entry', entries: [[0, 1]] },
  ])('are refused with $name', async ({ entries }) => {
    const memory = createMemoryFile();
    for (const [grain, sector] of entries)
      await memory.file.write(small.tableSets[1] + 4 * grain!, entry(sector!));
    expect(await readKeptTables(memory.file, small, fileBytes)).toBeNull();
  });

  test('are taken when they are sound, and the redundant set is made equal', async () => {
    const memory = createMemoryFile();
    await memory.file.write(small.tableSets[1] + 4 * 3, entry(place(2)));
    await memory.file.write(small.tableSets[1] + 4 * 40 * tableEntries, entry(place(0)));
    const kept = await readKeptTables(memory.file, small, fileBytes);
    expect(kept?.nextSector).toBe(place(3));
    expect([0, 1, 40].map((index) => kept?.touched.has(index))).toEqual([true, false, true]);
    const redundant = Buffer.alloc(4);
    await memory.file.readInto(small.tableSets[0] + 4 * 3, redundant);
    expect(redundant.readUInt32LE()).toBe(place(2));
  });
});
