import { open, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sinkParams } from '../testing/imageSinkTests.ts';
import { makeImage, withTempFolder } from '../testing/images.ts';
import { checkVhd } from './checkVhd.ts';
import { openDynamicVhdSink } from './dynamicSink.ts';
import { openFixedVhdSink } from './fixedSink.ts';
import { vhdChecksum } from './vhdFooter.ts';

const mib = 1024 ** 2;

/** A VHD of 20 MiB with data in blocks 1, 4 and 9. */
async function makeVhd(folder: string, type: 'fixed' | 'dynamic'): Promise<string> {
  const params = sinkParams(folder, 20 * mib, false);
  const { sink } = await (type === 'fixed' ? openFixedVhdSink : openDynamicVhdSink)(params);
  for (const at of [2, 9, 18]) await sink.write(at * mib, Buffer.alloc(mib, at));
  await sink.finish();
  return params.finalPath;
}

async function patch(filePath: string, at: number, bytes: Uint8Array): Promise<void> {
  const handle = await open(filePath, 'r+');
  await handle.write(bytes, 0, bytes.length, at);
  await handle.close();
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Changes a structure and makes its sum right again. */
async function patchSealed(
  filePath: string,
  place: { readonly at: number; readonly length: number; readonly sumAt: number },
  change: (bytes: Buffer) => void,
): Promise<void> {
  const bytes = (await readFile(filePath)).subarray(place.at, place.at + place.length);
  change(bytes);
  bytes.writeUInt32BE(vhdChecksum(bytes, place.sumAt), place.sumAt);
  await patch(filePath, place.at, bytes);
}

async function patchFooters(filePath: string, change: (bytes: Buffer) => void): Promise<void> {
  const end = (await stat(filePath)).size - 512;
  for (const at of [0, end]) await patchSealed(filePath, { at, length: 512, sumAt: 64 }, change);
}

const patchHeader = (filePath: string, change: (bytes: Buffer) => void): Promise<void> =>
  patchSealed(filePath, { at: 512, length: 1024, sumAt: 36 }, change);

interface Damage {
  readonly type: 'fixed' | 'dynamic';
  readonly problem: RegExp;
  readonly damage: (filePath: string) => Promise<void>;
}

const damages: Readonly<Record<string, Damage>> = {
  'a cut end': {
    type: 'dynamic',
    problem: /footer: the cookie is missing/,
    damage: async (file) => truncate(file, (await stat(file)).size - 1),
  },
  'a file without a footer': {
    type: 'fixed',
    problem: /less than a footer/,
    damage: (file) => truncate(file, 511),
  },
  'a longer file around a fixed disk': {
    type: 'fixed',
    problem: /in a file of/,
    damage: async (file) => {
      const footer = (await readFile(file)).subarray(20 * mib);
      await patch(file, 21 * mib, footer);
    },
  },
  'a fixed disk that names a header': {
    type: 'fixed',
    problem: /names a dynamic header/,
    damage: (file) =>
      patchSealed(file, { at: 20 * mib, length: 512, sumAt: 64 }, (bytes) => bytes.fill(0, 16, 24)),
  },
  'a flipped bit in the footer': {
    type: 'dynamic',
    problem: /footer: the checksum is wrong/,
    damage: async (file) => patch(file, (await stat(file)).size - 100, Buffer.from([1])),
  },
  'a copy that differs': {
    type: 'dynamic',
    problem: /copy at the start differ/,
    damage: (file) => patch(file, 70, Buffer.from([1, 2, 3])),
  },
  'a differencing disk': {
    type: 'dynamic',
    problem: /disk type 4/,
    damage: (file) => patchFooters(file, (bytes) => bytes.writeUInt32BE(4, 60)),
  },
  'an unknown version': {
    type: 'dynamic',
    problem: /format version/,
    damage: (file) => patchFooters(file, (bytes) => bytes.writeUInt32BE(0x2_0000, 12)),
  },
  'a size of 0': {
    type: 'dynamic',
    problem: /current size 0 /,
    damage: (file) => patchFooters(file, (bytes) => bytes.fill(0, 48, 56)),
  },
  'a size above 2040 GiB': {
    type: 'dynamic',
    problem: /more than 2040 GiB/,
    damage: (file) => patchFooters(file, (bytes) => bytes.writeBigUInt64BE(2n ** 42n, 48)),
  },
  'a size that the blocks do not hold': {
    type: 'dynamic',
    problem: /do not hold/,
    damage: (file) => patchFooters(file, (bytes) => bytes.writeBigUInt64BE(BigInt(30 * mib), 48)),
  },
  'a header outside the file': {
    type: 'dynamic',
    problem: /header at \d+ lies outside/,
    damage: (file) => patchFooters(file, (bytes) => bytes.writeBigUInt64BE(2n ** 63n, 16)),
  },
  'a flipped bit in the header': {
    type: 'dynamic',
    problem: /dynamic header: the checksum/,
    damage: (file) => patch(file, 1000, Buffer.from([1])),
  },
  'a block size of 3 MiB': {
    type: 'dynamic',
    problem: /block size 3145728/,
    damage: (file) => patchHeader(file, (bytes) => bytes.writeUInt32BE(3 * mib, 32)),
  },
  'a table outside the file': {
    type: 'dynamic',
    problem: /table of 10 entries .* does not fit/,
    damage: (file) => patchHeader(file, (bytes) => bytes.writeBigUInt64BE(2n ** 62n, 16)),
  },
  'a table of 2^32 entries': {
    type: 'dynamic',
    problem: /table of 4294967295 entries/,
    damage: (file) => patchHeader(file, (bytes) => bytes.writeUInt32BE(0xffff_ffff, 28)),
  },
  'a block behind the data': {
    type: 'dynamic',
    problem: /behind the data/,
    damage: (file) => patch(file, 1536 + 4, u32(0x00ff_ffff)),
  },
  'a block on another': {
    type: 'dynamic',
    problem: /overlaps the block before/,
    damage: async (file) => patch(file, 1536, (await readFile(file)).subarray(1536 + 4, 1536 + 8)),
  },
  'a block on the header': {
    type: 'dynamic',
    problem: /overlaps the dynamic header/,
    damage: (file) => patch(file, 1536, u32(1)),
  },
  'nothing in it': { type: 'dynamic', problem: /0 bytes/, damage: (file) => truncate(file, 0) },
};

describe('checkVhd', () => {
  test.each(Object.entries(damages))('finds %s', async (_name, { type, problem, damage }) => {
    await withTempFolder(async (folder) => {
      const file = await makeVhd(folder, type);
      expect(await checkVhd(file)).toEqual({
        problems: [],
        virtualSizeBytes: 20 * mib,
        blockBytes: type === 'fixed' ? null : 2 * mib,
        allocatedBlocks: type === 'fixed' ? null : 3,
      });
      await damage(file);
      expect((await checkVhd(file)).problems.join('\n')).toMatch(problem);
    });
  });

  test.each(['fixed', 'dynamic'])(
    'finds nothing in a %s disk that qemu-img made and wrote',
    async (subformat) => {
      await withTempFolder(async (folder) => {
        const file = path.join(folder, 'q.vhd');
        const writes = [
          { offsetBytes: 0, lengthBytes: mib, fill: 1 },
          { offsetBytes: 15 * mib, lengthBytes: mib, fill: 2 },
        ];
        const options = `subformat=${subformat},force_size=on`;
        await makeImage({ path: file, format: 'vpc', sizeBytes: 20 * mib, options, writes });
        expect(await checkVhd(file)).toMatchObject({ problems: [], virtualSizeBytes: 20 * mib });
      });
    },
  );

  test('ends with a report for any bytes in its tables', async () => {
    await withTempFolder(async (folder) => {
      const file = await makeVhd(folder, 'dynamic');
      const whole = await readFile(file);
      const edits = fc.array(fc.tuple(fc.nat(1600), fc.uint8Array({ minLength: 1, maxLength: 8 })), {
        minLength: 1,
        maxLength: 4,
      });
      await fc.assert(
        fc.asyncProperty(edits, async (changes) => {
          const bytes = Buffer.from(whole);
          for (const [at, change] of changes) bytes.set(change, at);
          // Sums that are right let the check go on to the numbers.
          bytes.writeUInt32BE(vhdChecksum(bytes.subarray(512, 1536), 36), 512 + 36);
          const broken = path.join(folder, 'broken');
          await writeFile(broken, bytes);
          expect((await checkVhd(broken)).problems.length).toBeLessThanOrEqual(20);
        }),
        { numRuns: 25 },
      );
    });
  });
});
