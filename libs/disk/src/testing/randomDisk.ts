import * as fc from 'fast-check';
import { noise } from './encoderContract.ts';

/** The plan of a disk: its size and pieces of content, in sectors of 512 bytes; what no piece covers is zeros. */
export interface RandomDisk {
  readonly sectors: number;
  readonly pieces: readonly {
    readonly at: number;
    readonly length: number;
    readonly kind: 'noise' | 'text' | 'zeros';
  }[];
}

/** Plans of disks of odd size with pieces at odd places. */
export function randomDisk(maxSectors: number): fc.Arbitrary<RandomDisk> {
  return fc.integer({ min: 1, max: maxSectors }).chain((sectors) =>
    fc.record({
      sectors: fc.constant(sectors),
      pieces: fc.array(
        fc.record({
          at: fc.nat(sectors - 1),
          length: fc.integer({ min: 1, max: 3000 }),
          kind: fc.constantFrom('noise', 'text', 'zeros'),
        }),
        { maxLength: 12 },
      ),
    }),
  );
}

/** The content of a planned disk. */
export function diskOf({ sectors, pieces }: RandomDisk): Buffer {
  const disk = Buffer.alloc(sectors * 512);
  for (const { at, length, kind } of pieces) {
    const range = disk.subarray(at * 512, (at + length) * 512);
    if (kind === 'noise') range.set(noise(range.length, at));
    else range.fill(kind === 'text' ? `the line at ${at}\n` : 0);
  }
  return disk;
}
