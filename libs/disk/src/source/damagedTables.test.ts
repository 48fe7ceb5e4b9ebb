import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { SourceFormat } from '@ascend/domain';
import { isAppError } from '@ascend/errors';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openChain } from '../chain/chain.ts';
import { makeImage, qemuImg, withTempFolder, type ImageWrite } from '../testing/images.ts';
import { openSource, type SourceEngine } from './openSource.ts';

const kib = 1024;
const mib = 1024 * kib;
const diskBytes = 8 * mib;

/** The SHA-256 of the disk, or the code that stopped the reading; anything else fails the test. */
async function outcomeOf(folder: string, format: SourceFormat, engine: SourceEngine): Promise<string> {
  const signal = AbortSignal.timeout(20_000);
  try {
    const chain = await openChain({ rootPath: folder, path: 'disk.img', format });
    const image = { chain, overlays: [] };
    const source = await openSource({ image, workDir: folder, signal, engine });
    try {
      let covered = 0;
      for await (const extent of source.extents(0, source.sizeBytes)) covered += extent.lengthBytes;
      expect(covered).toBe(source.sizeBytes);
      // Damage can make a disk look large; the part that was made tells enough.
      const bytes = Buffer.alloc(Math.min(source.sizeBytes, diskBytes));
      await source.readInto(0, bytes);
      return createHash('sha256').update(bytes).digest('hex');
    } finally {
      await source.close();
    }
  } catch (cause) {
    if (isAppError(cause) && cause.code !== 'OPERATION_CANCELLED') return cause.code;
    throw cause;
  }
}

interface Template {
  readonly name: string;
  readonly format: SourceFormat;
  readonly driver: string;
  readonly options?: string;
  readonly compressed?: boolean;
  /** Ranges of the file where damage is done: its tables. */
  readonly places: (file: Buffer) => readonly (readonly [from: number, length: number])[];
}

const qcow2Places = (clusterBytes: number) => (file: Buffer) => {
  const l1 = Number(file.readBigUInt64BE(40));
  const l2 = file.readUInt32BE(l1 + 4);
  return [
    [l1, 8],
    [l2, clusterBytes],
    [l2, 512],
    [l2, 512],
  ] as const;
};

const templates: readonly Template[] = [
  {
    name: 'QCOW2',
    format: 'qcow2',
    driver: 'qcow2',
    options: 'cluster_size=4k',
    places: qcow2Places(4 * kib),
  },
  {
    name: 'QCOW2 with subclusters',
    format: 'qcow2',
    driver: 'qcow2',
    options: 'cluster_size=16k,extended_l2=on',
    places: qcow2Places(16 * kib),
  },
  {
    name: 'compressed QCOW2',
    format: 'qcow2',
    driver: 'qcow2',
    options: 'cluster_size=64k',
    compressed: true,
    places: qcow2Places(kib),
  },
  {
    name: 'VHD',
    format: 'vhd',
    driver: 'vpc',
    options: 'force_size=on',
    places: (file) => [[Number(file.readBigUInt64BE(512 + 16)), 16]],
  },
  { name: 'VHDX', format: 'vhdx', driver: 'vhdx', options: 'block_size=1M', places: () => [[2 * mib, 64]] },
  {
    name: 'VMDK',
    format: 'vmdk',
    driver: 'vmdk',
    places: (file) => {
      const directory = Number(file.readBigUInt64LE(56)) * 512;
      return [
        [directory, 4],
        [file.readUInt32LE(directory) * 512, 512],
        [file.readUInt32LE(directory) * 512, 32],
      ];
    },
  },
  {
    name: 'streamOptimized VMDK',
    format: 'vmdk',
    driver: 'vmdk',
    options: 'subformat=streamOptimized',
    compressed: true,
    places: (file) => {
      const directory = Number(file.readBigUInt64LE(56)) * 512;
      return [
        [directory, 4],
        [file.readUInt32LE(directory) * 512, 512],
        [file.readUInt32LE(directory) * 512, 32],
      ];
    },
  },
];

const writes: readonly ImageWrite[] = [
  { offsetBytes: 0, lengthBytes: 300 * kib, fill: 1 },
  { offsetBytes: mib, lengthBytes: 70 * kib, fill: 2 },
  { offsetBytes: 3 * mib + 512, lengthBytes: 512, fill: 3 },
  { offsetBytes: 4 * mib, lengthBytes: 256 * kib, fill: 4 },
];

async function makeTemplate(template: Template, folder: string): Promise<Buffer> {
  const file = path.join(folder, 'disk.img');
  const options = template.options === undefined ? {} : { options: template.options };
  if (template.compressed === true) {
    const plain = path.join(folder, 'plain.raw');
    await makeImage({ path: plain, format: 'raw', sizeBytes: diskBytes, writes });
    const target = template.options === undefined ? [] : ['-o', template.options];
    const compress = template.driver === 'qcow2' ? ['-c'] : [];
    await qemuImg('convert', ...compress, '-f', 'raw', '-O', template.driver, ...target, plain, file);
  } else {
    await makeImage({ path: file, format: template.driver, sizeBytes: diskBytes, writes, ...options });
  }
  return await readFile(file);
}

/** One bit, so that many wrong numbers still lie inside the file. */
const hit = fc.record({ place: fc.nat(), distance: fc.nat(), bit: fc.nat(7) });
const cutAt = fc.oneof(
  { weight: 7, arbitrary: fc.constant(null) },
  { weight: 1, arbitrary: fc.double({ min: 0, max: 1, noNaN: true }) },
);

describe('tables with wrong bytes in them', () => {
  test.each(templates)(
    'of a $name give the same bytes as the block server, or a coded error',
    async (template) => {
      await withTempFolder(async (source) => {
        const whole = await makeTemplate(template, source);
        const places = template.places(whole);
        const sound = await outcomeOf(source, template.format, 'auto');
        expect(sound).toMatch(/^[0-9a-f]{64}$/);
        expect(await outcomeOf(source, template.format, 'nbd')).toBe(sound);
        await fc.assert(
          fc.asyncProperty(fc.array(hit, { minLength: 1, maxLength: 3 }), cutAt, async (hits, cut) => {
            await withTempFolder(async (folder) => {
              const damaged = path.join(folder, 'disk.img');
              const bytes = Buffer.from(whole);
              for (const { place, distance, bit } of hits) {
                const [from, length] = places[place % places.length] ?? [0, 1];
                const at = from + (distance % length);
                bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << bit), at);
              }
              await writeFile(
                damaged,
                cut === null ? bytes : bytes.subarray(0, Math.floor(cut * bytes.length)),
              );
              const direct = await outcomeOf(folder, template.format, 'auto');
              if (direct.startsWith('DISK_')) return;
              expect(direct).toBe(await outcomeOf(folder, template.format, 'nbd'));
            });
          }),
          { numRuns: 12 },
        );
      });
    },
  );
});
