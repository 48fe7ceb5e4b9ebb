import {
  exportDisk,
  planExport,
  type ExportPlan,
  type ExportProgress,
  type ExportResult,
} from '@ascend/disk';
import { AppError, isAppError, toAppError } from '@ascend/errors';
import type { ExportRequest } from './exportRequest.ts';

/** How one disk of an export ended. */
export type ExportOutcome =
  | { readonly chain: string; readonly result: ExportResult }
  | { readonly chain: string; readonly error: AppError };

/** Who is told what. */
export interface ExportDisksParams {
  readonly workDir: string;
  readonly signal: AbortSignal;
  /** Disks that are copied at the same time, each in a thread of its own. */
  readonly atOnce: number;
  readonly onStart: (plan: ExportPlan) => void;
  readonly onProgress: (plan: ExportPlan, progress: ExportProgress) => void;
  readonly onRemark: (plan: ExportPlan, text: string) => void;
  readonly onEnd: (plan: ExportPlan, outcome: ExportOutcome) => void;
}

const outsideCodes = new Set(['DISK_PATH_OUTSIDE_REPOSITORY', 'DISK_BACKING_MISSING']);

/** Names the option that helps when a file of the chain lies elsewhere. */
export function withRootHint(cause: unknown): AppError {
  const known = toAppError(cause, 'local');
  if (!outsideCodes.has(known.code)) return known;
  return new AppError({
    code: known.code,
    message: known.message,
    details: known.details,
    hint: 'The files of a chain must lie below one folder, by default that of the file given: name the folder that holds all of them with --repository-root.',
    cause: known,
  });
}

/**
 * Plans all disks of a request. Reads only; the first disk that cannot be exported ends it, before anything is created.
 *
 * @throws {AppError} as `planExport`; details name the chain when there are several
 */
export async function planDisks(
  request: ExportRequest,
  params: Pick<ExportDisksParams, 'workDir' | 'signal'>,
): Promise<readonly ExportPlan[]> {
  const plans: ExportPlan[] = [];
  for (const { chain, finalPath } of request.disks) {
    try {
      const { confirmEveryMs, ...rest } = request;
      const interval = confirmEveryMs === null ? {} : { confirmEveryMs };
      plans.push(await planExport({ ...rest, ...interval, ...params, file: chain, finalPath }));
    } catch (cause) {
      throw withRootHint(cause);
    }
  }
  return plans;
}

async function runOne(plan: ExportPlan, params: ExportDisksParams): Promise<ExportOutcome> {
  const chain = plan.params.file;
  params.onStart(plan);
  try {
    const result = await exportDisk(plan, {
      signal: params.signal,
      onProgress: (progress) => params.onProgress(plan, progress),
      onRemark: (text) => params.onRemark(plan, text),
    });
    return { chain, result };
  } catch (cause) {
    return { chain, error: isAppError(cause) ? cause : toAppError(cause, `export ${chain}`) };
  }
}

/** Runs planned exports, several at once; one that fails does not stop the others. Outcomes in the order of the plans. */
export async function runExports(
  plans: readonly ExportPlan[],
  params: ExportDisksParams,
): Promise<readonly ExportOutcome[]> {
  const outcomes: ExportOutcome[] = [];
  const waiting = [...plans.entries()];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [index, plan] = next;
      const outcome = await runOne(plan, params);
      outcomes[index] = outcome;
      params.onEnd(plan, outcome);
    }
  };
  await Promise.all(Array.from({ length: Math.min(params.atOnce, plans.length) }, work));
  return outcomes;
}
