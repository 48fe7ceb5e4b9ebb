import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { place, type Edit, type Template } from './corpus/brokenImage.ts';
import { sealVhd, sealVhdx } from './corpus/otherFormats.ts';
import { qcow2Tables } from './corpus/qcow2Cases.ts';
import { makeTemplates, type TemplateName } from './corpus/templates.ts';
import { expectHandled, exportedFormats } from './outcome.ts';

// A long run: ASCEND_FUZZ_RUNS=2000, and another seed each time unless ASCEND_FUZZ_SEED names one.
const wantedRuns = process.env['ASCEND_FUZZ_RUNS'];
const numRuns = Number(wantedRuns ?? 4);
const seed = process.env['ASCEND_FUZZ_SEED'] ?? (wantedRuns === undefined ? '20261101' : undefined);

type Range = readonly [from: number, length: number];

function qcow2Places({ bytes }: Template): readonly Range[] {
  const { l1, l2, refcounts } = qcow2Tables(bytes);
  const block = Number(bytes.readBigUInt64BE(refcounts));
  return [
    [0, 120],
    [0, 120],
    [l1, 32],
    [l2, 256],
    [l2, 1024],
    [refcounts, 16],
    [block, 64],
  ];
}

function vmdkPlaces({ bytes }: Template): readonly Range[] {
  const directory = Number(bytes.readBigUInt64LE(56)) * 512;
  const grains = bytes.readUInt32LE(directory) * 512;
  return [
    [0, 80],
    [512, 600],
    [directory, 8],
    [grains, 64],
    [grains, 256],
    [bytes.readUInt32LE(grains) * 512, 32],
  ];
}

const whole = (template: Template): readonly Range[] => [[0, template.bytes.length]];

interface Target {
  readonly name: TemplateName;
  readonly places: (template: Template) => readonly Range[];
  /** Makes checksums right again, so that damage gets deeper than the first check. */
  readonly seal?: Edit;
}

const targets: readonly Target[] = [
  { name: 'qcow2', places: qcow2Places },
  { name: 'qcow2v2', places: qcow2Places },
  { name: 'extendedL2', places: qcow2Places },
  { name: 'compressed', places: qcow2Places },
  { name: 'zstd', places: qcow2Places },
  {
    name: 'vhd',
    places: ({ bytes }) => [
      [0, 90],
      [512, 60],
      [Number(bytes.readBigUInt64BE(512 + 16)), 16],
    ],
    seal: sealVhd,
  },
  { name: 'vhdFixed', places: ({ bytes }) => [[bytes.length - 512, 90]] },
  {
    name: 'vhdx',
    places: ({ bytes }) => {
      const regions = [0, 1].map((index) => Number(bytes.readBigUInt64LE(192 * 1024 + 16 + index * 32 + 16)));
      return [
        [64 * 1024, 80],
        [192 * 1024, 80],
        ...regions.flatMap((at): Range[] => [
          [at, 256],
          [at, 64],
        ]),
      ];
    },
    seal: sealVhdx,
  },
  { name: 'vmdk', places: vmdkPlaces },
  { name: 'vmdkStream', places: vmdkPlaces },
  { name: 'raw', places: whole },
];

const hit = fc.record({
  place: fc.nat(),
  distance: fc.nat(),
  // One bit, so that many wrong numbers still lie inside the file; or any byte.
  change: fc.oneof(
    fc.nat(7).map((bit) => (byte: number) => byte ^ (1 << bit)),
    fc.nat(255).map((value) => () => value),
  ),
});

const templates = await makeTemplates();

describe('random damage', () => {
  test.each(targets)(
    'of the metadata of $name ends in a coded error or in the bytes of QEMU',
    async (target) => {
      const template = templates[target.name];
      const places = target.places(template);
      let handled = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.array(hit, { minLength: 1, maxLength: 8 }),
          fc.boolean(),
          fc.constantFrom(...exportedFormats),
          async (hits, isSealed, format) => {
            const bytes = Buffer.from(template.bytes);
            for (const { place: index, distance, change } of hits) {
              const [from, length] = places[index % places.length] ?? [0, 1];
              const at = from + (distance % length);
              bytes.writeUInt8(change(bytes.readUInt8(at)), at);
            }
            if (isSealed) target.seal?.(bytes);
            const make = (folder: string): Promise<string> => place(folder, template.fileName, bytes);
            await expectHandled({ name: `damaged ${target.name}`, make }, [format]);
            handled += 1;
          },
        ),
        { numRuns, ...(seed === undefined ? {} : { seed: Number(seed) }) },
      );
      expect(handled).toBe(numRuns);
    },
  );
});
