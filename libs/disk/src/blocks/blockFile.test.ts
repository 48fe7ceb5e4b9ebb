import { open, readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { withTempFolder } from '../testing/images.ts';
import { createBlockFile, type BlockFile, type BlockFileParams } from './blockFile.ts';
import { pagesOf } from './tablePages.ts';

const blockBytes = 64 * 1024;
const head = 512;

interface Recorded {
  readonly blocks: BlockFile;
  readonly filePath: string;
  /** What reached the file, in order: `sync`, `table 1,2`, `data`. */
  readonly log: string[];
  readonly table: { fail: boolean };
}

/** Blocks on a real file whose system calls are noted. */
async function withBlocks(slots: Uint32Array, run: (recorded: Recorded) => Promise<void>): Promise<void> {
  await withTempFolder(async (folder) => {
    const filePath = path.join(folder, 'blocks');
    const handle = await open(filePath, 'w+');
    const log: string[] = [];
    const table = { fail: false };
    const noted = new Proxy(handle, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        return async (...args: unknown[]): Promise<unknown> => {
          const result: unknown = await Reflect.apply(value, target, args);
          log.push(name === 'datasync' ? 'sync' : 'data');
          return result;
        };
      },
    });
    const params: BlockFileParams = {
      file: { handle: noted, path: filePath },
      sizeBytes: 20 * blockBytes,
      alignmentBytes: 512,
      layout: { blockBytes, firstSlotAt: 4096, slotBytes: blockBytes + head, payloadInSlot: head },
      slots,
      slotHead: Buffer.alloc(head, 0xee),
      writeTable: async (_named, blocks) => {
        await Promise.resolve();
        if (table.fail) throw new Error('no table');
        log.push(`table ${blocks.join(',')}`);
      },
    };
    try {
      await run({ blocks: createBlockFile(params), filePath, log, table });
    } finally {
      await handle.close();
    }
  });
}

describe('blocks of an image file', () => {
  test('are named by the table only after their data and heads are durable', async () => {
    await withBlocks(new Uint32Array(20), async ({ blocks, log }) => {
      await blocks.write(9 * blockBytes, Buffer.alloc(2 * blockBytes, 1));
      await blocks.write(2 * blockBytes, Buffer.alloc(512, 2));
      await blocks.flush();
      expect(log).toEqual(['data', 'data', 'data', 'data', 'data', 'data', 'sync', 'table 2,9,10', 'sync']);
      log.length = 0;
      await blocks.write(2 * blockBytes + 512, Buffer.alloc(512, 3));
      await blocks.flush();
      expect(log).toEqual(['data', 'sync']);
    });
  });

  test('lie one after the other as they were touched, each behind its head', async () => {
    await withBlocks(new Uint32Array(20), async ({ blocks, filePath }) => {
      await blocks.write(19 * blockBytes, Buffer.alloc(blockBytes, 1));
      await blocks.write(0, Buffer.alloc(blockBytes, 2));
      await blocks.writeZeros(5 * blockBytes, 3 * blockBytes);
      await blocks.flush();
      const bytes = await readFile(filePath);
      expect(bytes.length).toBe(blocks.endBytes());
      const slot = (fill: number) =>
        Buffer.concat([Buffer.alloc(head, 0xee), Buffer.alloc(blockBytes, fill)]);
      expect(bytes.subarray(4096).equals(Buffer.concat([slot(1), slot(2)]))).toBe(true);
    });
  });

  test('that could not be named are named by the next flush', async () => {
    await withBlocks(new Uint32Array(20), async ({ blocks, log, table }) => {
      await blocks.write(4 * blockBytes, Buffer.alloc(512, 1));
      table.fail = true;
      await expect(blocks.flush()).rejects.toThrow('no table');
      table.fail = false;
      await blocks.write(3 * blockBytes, Buffer.alloc(512, 1));
      await blocks.flush();
      expect(log.filter((entry) => entry.startsWith('table'))).toEqual(['table 3,4']);
    });
  });

  test('of an earlier attempt keep their slots, and zeros are written over what they may hold', async () => {
    const slots = new Uint32Array(20);
    slots[7] = 3;
    await withBlocks(slots, async ({ blocks, filePath, log }) => {
      expect(blocks.endBytes()).toBe(4096 + 3 * (blockBytes + head));
      await blocks.writeZeros(7 * blockBytes, 512);
      await blocks.write(8 * blockBytes, Buffer.alloc(512, 9));
      await blocks.flush();
      expect(log.filter((entry) => entry.startsWith('table'))).toEqual(['table 8']);
      const bytes = await readFile(filePath);
      expect(bytes[4096 + 3 * (blockBytes + head) + head]).toBe(9);
    });
  });
});

test.each([
  { entries: [0], ranges: [[0, 4]] },
  { entries: [1, 2, 3], ranges: [[0, 4]] },
  { entries: [3, 4], ranges: [[0, 8]] },
  {
    entries: [1, 9],
    ranges: [
      [0, 4],
      [8, 10],
    ],
  },
  { entries: [], ranges: [] },
])('the pages of 4 that hold $entries of 10 entries are $ranges', ({ entries, ranges }) => {
  expect(pagesOf(entries, 4, 10).map(({ from, to }) => [from, to])).toEqual(ranges);
});
