import type { DiskSurvey } from '../survey.ts';
import type { VerifyMode } from '../verify/verifyMode.ts';
import type { WriteBound } from './fileFacts.ts';
import { compareRate, otherRate, writeRates, type TransferRate } from './transferRates.ts';

/** What an export will move, take and last, known before it starts. */
export interface ExportEstimate {
  /** Exact: data extents of the chosen point, rounded to the unit of the copy. */
  readonly bytesToRead: number;
  readonly bytesToWrite: WriteBound;
  /** Space beside the file itself; one pass needs none. */
  readonly scratchBytes: number;
  readonly durationP50Ms: number;
  readonly durationP90Ms: number;
  /** What the times rest on, as sentences. */
  readonly assumptions: readonly string[];
}

/** What to estimate. */
export interface EstimateExportParams {
  readonly survey: DiskSurvey;
  readonly format: string;
  readonly bound: WriteBound;
  readonly verify: VerifyMode;
  /** null = no cap. */
  readonly bandwidthBytesPerSecond: number | null;
  /** From an earlier run on the same machine and storage; replaces the table. */
  readonly measuredBytesPerSecond?: number;
}

// Opening the chain, starting the block server, flushing and renaming.
const fixedP50Ms = 1000;
const fixedP90Ms = 5000;
// A sample of 768 blocks at most.
const sampleBytes = 768 * 1024 * 1024;
// How much slower than a measured rate one run in ten is: the spread of repeated runs on one machine.
const measuredSpread = 1.5;

function rateOf(params: EstimateExportParams): TransferRate {
  const { measuredBytesPerSecond: measured } = params;
  const table = Object.hasOwn(writeRates, params.format) ? writeRates[params.format] : undefined;
  const found =
    measured === undefined ? (table ?? otherRate) : { usual: measured, slow: measured / measuredSpread };
  const cap = params.bandwidthBytesPerSecond ?? Number.POSITIVE_INFINITY;
  return { usual: Math.min(found.usual, cap), slow: Math.min(found.slow, cap) };
}

function mb(bytesPerSecond: number): string {
  return `${(bytesPerSecond / 1e6).toFixed(0)} MB/s`;
}

function assumptionsOf(params: EstimateExportParams, rate: TransferRate): string[] {
  const source =
    params.measuredBytesPerSecond === undefined
      ? 'rates measured on two busy cores with the source in memory; slower storage takes longer'
      : 'the rate measured before on this machine';
  return [
    `${params.format}: ${mb(rate.usual)} usually, ${mb(rate.slow)} at least in nine runs of ten (${source})`,
    ...(params.bandwidthBytesPerSecond === null
      ? []
      : [`not faster than the cap of ${params.bandwidthBytesPerSecond} bytes per second`]),
    ...(params.verify === 'read-back' ? ['all data is read once more from both sides and compared'] : []),
    'data that turns out to be zeros is read but not written',
  ];
}

/** Estimates one export. Pure. */
export function estimateExport(params: EstimateExportParams): ExportEstimate {
  const bytes = params.survey.dataBytes;
  const rate = rateOf(params);
  const compared =
    params.verify === 'none' ? 0 : params.verify === 'sample' ? Math.min(bytes, sampleBytes) : bytes;
  const time = (fixedMs: number, write: number, compare: number): number =>
    Math.ceil(fixedMs + (bytes / write + compared / compare) * 1000);
  return {
    bytesToRead: bytes,
    bytesToWrite: params.bound,
    scratchBytes: 0,
    durationP50Ms: time(fixedP50Ms, rate.usual, compareRate.usual),
    durationP90Ms: time(fixedP90Ms, rate.slow, compareRate.slow),
    assumptions: assumptionsOf(params, rate),
  };
}
