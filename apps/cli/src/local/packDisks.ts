import {
  exportAppliance,
  planAppliance,
  type AppliancePlan,
  type ApplianceResult,
  type ExportApplianceParams,
} from '@ascend/disk';
import { AppError, toAppError } from '@ascend/errors';
import { withRootHint } from './exportDisks.ts';
import type { ExportRequest } from './exportRequest.ts';

/**
 * Plans one archive of all disks of a request. Reads only.
 *
 * @throws {AppError} as `planAppliance`
 */
export async function planPack(
  request: ExportRequest,
  params: { readonly workDir: string; readonly signal: AbortSignal },
): Promise<AppliancePlan> {
  const { disks, spec, confirmEveryMs: _, ...rest } = request;
  const [first] = disks;
  if (spec === null || first === undefined)
    throw new AppError({ code: 'INTERNAL_BUG', message: 'plan appliance: no specification' });
  try {
    const chains = disks.map(({ chain }) => chain);
    return await planAppliance({ ...rest, ...params, chains, spec, finalPath: first.finalPath });
  } catch (cause) {
    throw withRootHint(cause);
  }
}

/** Writes a planned archive. @throws {AppError} as `exportAppliance` */
export async function runPack(plan: AppliancePlan, params: ExportApplianceParams): Promise<ApplianceResult> {
  try {
    return await exportAppliance(plan, params);
  } catch (cause) {
    throw toAppError(cause, `export ${plan.files.finalPath}`);
  }
}
