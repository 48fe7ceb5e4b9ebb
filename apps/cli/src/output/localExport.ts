import type { DeltaResult, ExportPlan, ExportResult, VerifyReport } from '@ascend/disk';
import { printable, serializeError } from '@ascend/errors';
import type { DeltaPlan } from '../local/exportDelta.ts';
import type { ExportOutcome } from '../local/exportDisks.ts';
import { formatBytes, formatDuration, formatTable } from './format.ts';

/** An export that was only planned, as JSON. */
export function exportPlanJson(plan: ExportPlan): Record<string, unknown> {
  const { estimate, params, survey } = plan;
  return {
    chain: params.file,
    out: plan.files.finalPath,
    format: params.format,
    engine: params.engine,
    verify: params.verify,
    fingerprint: plan.fingerprint,
    virtual_size_bytes: survey.sizeBytes,
    bytes_to_read: estimate.bytesToRead,
    bytes_to_write: {
      at_least: estimate.bytesToWrite.atLeastBytes,
      likely: estimate.bytesToWrite.likelyBytes,
      at_most: estimate.bytesToWrite.atMostBytes,
    },
    scratch_bytes: estimate.scratchBytes,
    free_bytes: plan.freeBytes,
    fits: estimate.bytesToWrite.atMostBytes <= plan.freeBytes,
    duration_p50_ms: estimate.durationP50Ms,
    duration_p90_ms: estimate.durationP90Ms,
    assumptions: estimate.assumptions,
    remarks: plan.image.chain.remarks,
  };
}

/** Planned exports as text. */
export function formatExportPlans(plans: readonly ExportPlan[]): string {
  const rows = plans.map(({ params, files, survey, estimate }) => [
    params.file,
    files.finalPath,
    formatBytes(survey.sizeBytes),
    formatBytes(estimate.bytesToRead),
    `${formatBytes(estimate.bytesToWrite.likelyBytes)} (at most ${formatBytes(estimate.bytesToWrite.atMostBytes)})`,
    `${formatDuration(estimate.durationP50Ms)} (up to ${formatDuration(estimate.durationP90Ms)})`,
  ]);
  const atMost = plans.reduce((sum, plan) => sum + plan.estimate.bytesToWrite.atMostBytes, 0);
  const free = Math.min(...plans.map((plan) => plan.freeBytes));
  const sentences = [
    ...new Set(plans.flatMap((plan) => [...plan.image.chain.remarks, ...plan.estimate.assumptions])),
  ];
  return [
    formatTable(['CHAIN', 'OUT', 'SIZE', 'TO READ', 'TO WRITE', 'TIME'], rows),
    '',
    ...sentences.map((sentence) => `- ${printable(sentence)}`),
    '',
    `No scratch space is needed; ${formatBytes(free)} are free, at most ${formatBytes(atMost)} are written${atMost > free ? ': TOO LITTLE SPACE' : ''}.`,
    'Nothing was written.',
  ].join('\n');
}

/** What was compared, as JSON. */
export function verifyJson(verify: VerifyReport): Record<string, unknown> {
  return {
    mode: verify.mode,
    compared_bytes: verify.comparedBytes,
    data_blocks: verify.dataBlocks,
    sha256: verify.sha256,
    sample:
      verify.sample === null
        ? null
        : {
            seed: verify.sample.seed,
            random_blocks: verify.sample.randomBlocks,
            edge_blocks: verify.sample.edgeBlocks,
            finds_one_in_hundred: verify.sample.findsOneInHundred,
            statement: verify.sample.statement,
          },
  };
}

function resultJson(result: ExportResult): Record<string, unknown> {
  return {
    out: result.finalPath,
    format: result.format,
    engine: result.engine,
    virtual_size_bytes: result.sizeBytes,
    file_size_bytes: result.fileSizeBytes,
    allocated_bytes: result.allocatedBytes,
    sha256: result.sha256,
    bytes_copied: result.bytesCopied,
    bytes_skipped: result.bytesSkipped,
    resumed_from_bytes: result.resumedFromBytes,
    duration_ms: result.durationMs,
    verify: verifyJson(result.verify),
    remarks: result.remarks,
  };
}

/** How an export ended, as JSON: the result's fields, or `error`. */
export function exportOutcomeJson(outcome: ExportOutcome): Record<string, unknown> {
  return 'error' in outcome
    ? { chain: outcome.chain, error: serializeError(outcome.error) }
    : { chain: outcome.chain, ...resultJson(outcome.result) };
}

/** What was compared, as a sentence. */
export function verifyText(verify: VerifyReport): string {
  if (verify.mode === 'none') return 'not verified';
  return (
    verify.sample?.statement ?? `read back, all ${formatBytes(verify.comparedBytes)} of data are the same`
  );
}

/** How exports ended, as text. */
export function formatExportOutcomes(outcomes: readonly ExportOutcome[]): string {
  return outcomes
    .map((outcome) => {
      if ('error' in outcome)
        return `FAILED ${printable(outcome.chain)}\n  ${outcome.error.code}: ${outcome.error.message}`;
      const { result } = outcome;
      const rate = result.durationMs === 0 ? 0 : (result.bytesCopied * 1000) / result.durationMs;
      return [
        `${printable(result.finalPath)}: ${result.format}, ${formatBytes(result.sizeBytes)}, ${formatBytes(result.allocatedBytes)} on storage`,
        `  from ${printable(outcome.chain)}`,
        `  ${formatBytes(result.bytesCopied)} written in ${formatDuration(result.durationMs)} (${formatBytes(rate)}/s)`,
        `  disk digest ${result.sha256 ?? 'not computed'}`,
        `  ${verifyText(result.verify)}`,
        ...result.remarks.map((remark) => `  ${printable(remark)}`),
      ].join('\n');
    })
    .join('\n');
}

/** A delta that was only planned, as JSON. */
export function deltaPlanJson(plan: DeltaPlan): Record<string, unknown> {
  const { layers } = plan.image.chain;
  return {
    chain: layers[0]?.absPath ?? null,
    delta_from: layers[plan.sinceLayer]?.absPath ?? null,
    out: plan.target.path,
    data_bytes: plan.dataBytes,
    zero_bytes: plan.zeroBytes,
    ranges: plan.ranges,
  };
}

/** A delta that was only planned, as text. */
export function formatDeltaPlan(plan: DeltaPlan): string {
  const what = `${formatBytes(plan.dataBytes)} of data and ${formatBytes(plan.zeroBytes)} of zeros in ${plan.ranges} ranges`;
  return `${printable(plan.target.path)}: ${what} would be written in place.\nNothing was written.`;
}

/** A delta that was written, as JSON. */
export function deltaResultJson(plan: DeltaPlan, result: DeltaResult): Record<string, unknown> {
  return {
    ...deltaPlanJson(plan),
    data_bytes: result.dataBytes,
    zero_bytes: result.zeroBytes,
    ranges: result.ranges,
    repeated: result.repeated,
    proven_bytes: result.provenBytes,
    verify: result.verify === null ? null : verifyJson(result.verify),
  };
}

/** A delta that was written, as text. */
export function formatDeltaResult(plan: DeltaPlan, result: DeltaResult): string {
  return [
    `${printable(plan.target.path)}: now the newer point; ${formatBytes(result.dataBytes)} of data and ${formatBytes(result.zeroBytes)} of zeros written in ${result.ranges} ranges`,
    `  ${formatBytes(result.provenBytes)} compared with the older point before the first write`,
    `  ${result.verify === null ? 'not verified' : verifyText(result.verify)}`,
    ...(result.repeated ? ['  a delta that had been cut was repeated'] : []),
  ].join('\n');
}
