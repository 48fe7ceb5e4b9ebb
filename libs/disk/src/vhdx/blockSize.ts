import type { DiskSurvey } from '../survey.ts';

const mib = 1024 ** 2;
/** Widely reported as the default of New-VHD (its own page names none, read 2026-11), and that of QEMU from 127 GiB on. */
const largestMiB = 32;
const sizesMiB: readonly number[] = [32, 16, 8, 4, 2, 1];
/** Table of 16 MiB, 8 MiB of our memory. At 64 TiB only blocks of 32 MiB keep to it. */
const maxBlocks = 2 ** 21;
const allowedShare = 1 / 8;
const allowedBytes = 32 * mib;

/**
 * Chooses the block size of a VHDX: the largest one whose waste is small. Waste is the file space of the touched blocks above that of
 * blocks of 1 MiB, which no VHDX can beat; small is an eighth of the latter, or 32 MiB if that is more. Large blocks make a short table
 * and few updates of it for the guest later; small ones keep a scattered disk from growing (200 MB in single MiB became 3.4 GB with
 * blocks of 16 MiB). Without a survey 32 MiB. In any case the table stays below 2^21 blocks, and a block is not
 * larger than the disk needs.
 */
export function chooseBlockBytes(sizeBytes: number, survey: DiskSurvey | undefined): number {
  const fits = sizesMiB.filter(
    (size) => size === largestMiB || Math.ceil(sizeBytes / (size * mib)) <= maxBlocks,
  );
  const useful = fits.filter((size) => size === 1 || (size / 2) * mib < sizeBytes);
  const smallest = useful.at(-1) ?? largestMiB;
  const largest = useful[0] ?? largestMiB;
  const touched = survey?.touchedBlocks;
  const least = touched?.[1];
  if (touched === undefined || least === undefined) return largest * mib;
  const allowed = least * mib + Math.max(least * mib * allowedShare, allowedBytes);
  const best = useful.find((size) => {
    const blocks = touched[size];
    return blocks !== undefined && blocks * size * mib <= allowed;
  });
  return (best ?? smallest) * mib;
}
