import { expect, test } from 'vitest';
import type { BrokenImage } from './corpus/brokenImage.ts';
import { exportedFormats, expectHandled } from './outcome.ts';

// A long run takes every image of the corpus through every format.
const isLong = process.env['ASCEND_FUZZ_RUNS'] !== undefined;
const shortGroup = 3;

/** Every image of a group, for groups whose images are refused fast or differ much. */
export function whole(cases: readonly BrokenImage[]): readonly BrokenImage[] {
  return cases;
}

/** The whole group in a long run, else some of it, the same in every run. */
function chosen(cases: readonly BrokenImage[]): readonly BrokenImage[] {
  const step = cases.length / shortGroup;
  if (isLong || step <= 1) return cases;
  return cases.filter((_, index) => Math.floor(index / step) !== Math.floor((index - 1) / step));
}

/** One test for each group of broken images: what must hold for every image holds for each. */
export function declareCases(
  groups: ReadonlyMap<string, readonly BrokenImage[]>,
  choose: (cases: readonly BrokenImage[]) => readonly BrokenImage[] = chosen,
): void {
  for (const [group, all] of groups) {
    const cases = choose(all);
    test(`${group}: each of ${cases.length} images ends in a coded error or in the right bytes`, async () => {
      let exports = 0;
      for (const [index, one] of cases.entries()) {
        const format = exportedFormats[index % exportedFormats.length] ?? 'raw';
        const { exported } = await expectHandled(one, isLong ? exportedFormats : [format]);
        exports += Object.keys(exported).length;
      }
      expect(exports).toBe(cases.length * (isLong ? exportedFormats.length : 1));
    });
  }
}
