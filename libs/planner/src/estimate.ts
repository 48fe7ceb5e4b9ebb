import { type PlanEstimate, type PlannedDisk, type PlanStep, type StepKind } from '@ascend/domain';
import type { TransferHistory } from './params.ts';
import type { BootPlan, BootSpeed } from './rules/boot.ts';

interface Guess {
  readonly p50: number;
  readonly p90: number;
}

/** Shipped defaults in ms, from runs on two cores with local files; replaced by measured values where there are any. */
const stepMs: Readonly<Record<Exclude<StepKind, 'transfer-disk' | 'boot-test' | 'start-and-verify'>, Guess>> =
  {
    'analyze-source': { p50: 10_000, p90: 60_000 },
    'validate-target': { p50: 3_000, p90: 15_000 },
    'prepare-guest': { p50: 60_000, p90: 240_000 },
    'create-vm': { p50: 2_000, p90: 30_000 },
    'configure-vm': { p50: 2_000, p90: 15_000 },
    finalize: { p50: 2_000, p90: 15_000 },
  };

/** Time to ready in ms by what runs the guest; software emulation is about five times slower than hardware. */
const bootMs: Readonly<Record<BootSpeed, Guess>> = {
  hardware: { p50: 30_000, p90: 90_000 },
  emulation: { p50: 120_000, p90: 420_000 },
  platform: { p50: 60_000, p90: 240_000 },
};

/** A single spinning disk as p90, an SSD behind one busy core as p50. */
const defaultRate: TransferHistory = {
  p50BytesPerSecond: 150 * 1024 ** 2,
  p90BytesPerSecond: 40 * 1024 ** 2,
};

/** Overlay growth: one rebuilt boot image is about 60 MiB and is written twice; journal and metadata come on top. */
const overlayBaseBytes = 128 * 1024 ** 2;
const overlayBytesPerKernel = 192 * 1024 ** 2;
/** What a guest writes during one rehearsal. */
const rehearsalBytes = 512 * 1024 ** 2;

/** Scratch space on the repository agent that overlays may need at most. */
export function scratchBytes(params: {
  readonly prepareGuest: boolean;
  readonly bootTest: boolean;
  readonly kernelCount: number;
}): number {
  return (
    (params.prepareGuest ? overlayBaseBytes + params.kernelCount * overlayBytesPerKernel : 0) +
    (params.bootTest ? rehearsalBytes : 0)
  );
}

/** What the estimate is made from. */
export interface EstimateParams {
  readonly steps: readonly PlanStep[];
  readonly disks: readonly PlannedDisk[];
  readonly boot: BootPlan;
  readonly scratchBytes: number;
  readonly bandwidthBytesPerSecond: number | null;
  readonly history: TransferHistory | null;
}

function transferMs(params: EstimateParams, rate: number): number {
  const total = params.disks.reduce((sum, disk) => sum + disk.bytesToMove, 0);
  const largest = Math.max(0, ...params.disks.map((disk) => disk.bytesToMove));
  // Streams share the way, so the sum counts; a cap per stream makes the largest disk the slowest.
  const capped = params.bandwidthBytesPerSecond === null ? 0 : largest / params.bandwidthBytesPerSecond;
  return Math.max(total / rate, capped) * 1000;
}

function guessTable(boot: BootPlan): Readonly<Record<StepKind, Guess>> {
  return {
    ...stepMs,
    'transfer-disk': { p50: 0, p90: 0 },
    'boot-test': bootMs[boot.rehearsalSpeed],
    'start-and-verify': bootMs[boot.targetSpeed],
  };
}

/** Bytes, scratch space and time (ms) of a plan; p90 is the time that nine of ten restores stay below. */
export function estimate(params: EstimateParams): PlanEstimate {
  const rate = params.history ?? defaultRate;
  const table = guessTable(params.boot);
  const guesses = params.steps.map((step) => table[step.kind]);
  const sum = (pick: (guess: Guess) => number): number =>
    guesses.reduce((total, guess) => total + pick(guess), 0);
  return {
    bytesToMove: params.disks.reduce((total, disk) => total + disk.bytesToMove, 0),
    scratchBytes: params.scratchBytes,
    durationP50Ms: Math.ceil(sum((guess) => guess.p50) + transferMs(params, rate.p50BytesPerSecond)),
    durationP90Ms: Math.ceil(sum((guess) => guess.p90) + transferMs(params, rate.p90BytesPerSecond)),
  };
}
