import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memorySource } from '../byteSource.ts';
import { joinAreas, requirementOf, sliceArea, stripeAreas, type Area } from './stackedVolume.ts';

/** A piece of a disk whose bytes tell where they came from. */
function piece(diskIndex: number, offsetBytes: number, sizeBytes: number): Area {
  const bytes = Buffer.from(Array.from({ length: sizeBytes }, (_, at) => (offsetBytes + at) % 256));
  return { source: memorySource(bytes), segments: [{ diskIndex, offsetBytes, sizeBytes }], obstacle: null };
}

describe('joinAreas', () => {
  it('makes one piece of neighbours and keeps strangers apart', () => {
    const joined = joinAreas([piece(0, 100, 50), piece(0, 150, 25), piece(1, 175, 10)]);
    expect(joined.segments).toEqual([
      { diskIndex: 0, offsetBytes: 100, sizeBytes: 75 },
      { diskIndex: 1, offsetBytes: 175, sizeBytes: 10 },
    ]);
  });

  it('reads any range as if the parts were one file, and slices name the same bytes', async () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(sizes, fc.nat(200), fc.nat(200), async (lengths, one, two) => {
        const area = joinAreas(lengths.map((length, index) => piece(index, index * 7, length)));
        const whole = Buffer.concat(
          await Promise.all(
            lengths.map((length, index) => piece(index, index * 7, length).source.read(0, length)),
          ),
        );
        const [from, to] = [one, two].map((at) => at % (whole.length + 1)).toSorted((a, b) => a - b);
        const slice = sliceArea(area, from ?? 0, (to ?? 0) - (from ?? 0));
        expect(await slice.source.read(0, slice.source.sizeBytes)).toEqual(whole.subarray(from, to));
        const named = slice.segments.flatMap(({ offsetBytes, sizeBytes }) =>
          Array.from({ length: sizeBytes }, (_, at) => (offsetBytes + at) % 256),
        );
        expect(Buffer.from(named)).toEqual(whole.subarray(from, to));
      }),
    );
  });
});

describe('stripeAreas', () => {
  it('takes turns and ends with the last full one', async () => {
    const striped = stripeAreas([piece(0, 0, 5), piece(1, 100, 9)], 2);
    expect(striped.source.sizeBytes).toBe(8);
    expect([...(await striped.source.read(0, 8))]).toEqual([0, 1, 100, 101, 2, 3, 102, 103]);
    expect([...(await striped.source.read(1, 4))]).toEqual([1, 100, 101, 2]);
    await expect(striped.source.read(7, 2)).rejects.toMatchObject({ code: 'GUEST_FILE_SYSTEM_CORRUPT' });
  });
});

describe('requirementOf', () => {
  it.each([
    ['ext4', piece(0, 0, 1), null, { requires: 'host', requiresReason: null }],
    [
      'xfs',
      joinAreas([piece(0, 0, 4), piece(1, 0, 4)]),
      null,
      { requires: 'appliance', requiresReason: 'it lies in 2 pieces on the disks' },
    ],
    [
      'ext4',
      stripeAreas([piece(0, 0, 4), piece(1, 0, 4)], 2),
      null,
      { requires: 'appliance', requiresReason: 'striped over 2 areas' },
    ],
    [
      'btrfs',
      piece(0, 0, 1),
      'the file system spans 2 devices',
      { requires: 'appliance', requiresReason: 'the file system spans 2 devices' },
    ],
    [
      'luks',
      piece(0, 0, 1),
      'LUKS version 2 encryption',
      { requires: 'appliance', requiresReason: 'LUKS version 2 encryption' },
    ],
    ['swap', piece(0, 0, 1), null, {}],
  ])('decides for %s', (content, area, obstacle, expected) => {
    expect(requirementOf(content, area, obstacle)).toEqual(expected);
  });
});
