import { createHash } from 'node:crypto';
import { mkdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type {
  AgentView,
  RestoreJob,
  RestorePlan,
  RestorePoint,
  RestorePolicy,
  SourceFormat,
  StepProgress,
  VmSpec,
} from '@ascend/domain';
import { isBlocked } from '@ascend/domain';
import { probeImage } from '@ascend/disk';
import { createJob } from '@ascend/engine';
import { AppError } from '@ascend/errors';
import {
  describeSources,
  probeHost,
  workingAcceleration,
  type ApplianceSetup,
  type GuestSources,
} from '@ascend/guest';
import { planRestore } from '@ascend/planner';
import { newId, systemClock, type Logger } from '@ascend/runtime';
import { analyzeRestorePoint, createTargetAccess, scanCatalogue, type TargetAccess } from '@ascend/steps';
import { connectors, loadPlatformData, loadSpecReaders } from '../registry.ts';
import { localAppliance } from './appliance.ts';
import { chooseBackup, pointOfFiles } from './chooseBackup.ts';
import { driveJob, localAgentId } from './drive.ts';
import { openJobFile } from './jobFile.ts';
import { readSpecOption } from './specOption.ts';
import { targetSecret, type TargetFile } from './targetFile.ts';

/** What `ascend local restore` is asked. */
export interface LocalRestoreParams {
  /** One repository folder, or the image files of one moment in disk order. */
  readonly sources: readonly string[];
  readonly vm: string | undefined;
  readonly backup: string | undefined;
  readonly specFile: string | undefined;
  /** Which VM of `specFile`. */
  readonly specVm: string | undefined;
  /** Root that backing files may lie in, when `sources` are files; default: the folder of the first. */
  readonly repositoryRoot: string | undefined;
  readonly target: TargetFile;
  readonly policy: Partial<RestorePolicy>;
  /** Files with keys of encrypted volumes, as given: `FILE`, `UUID=FILE`. */
  readonly keys: readonly string[];
  readonly workDir: string;
  /** What this machine has for guests. */
  readonly guestSources: GuestSources;
  readonly dryRun: boolean;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly note: (text: string) => void;
  readonly onPlan: (plan: RestorePlan) => void;
  readonly onProgress: (progress: StepProgress) => void;
  readonly onChange: (job: RestoreJob) => void;
}

interface Source {
  readonly rootPath: string;
  readonly point: RestorePoint;
  readonly spec: VmSpec | null;
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (cause) {
    throw new AppError({
      code: 'INPUT_INVALID',
      message: `open ${path}: it is not there or not readable`,
      cause,
    });
  }
}

async function specOf(params: LocalRestoreParams): Promise<VmSpec | null> {
  const { specFile, specVm: vm, note } = params;
  return specFile === undefined ? null : await readSpecOption({ file: specFile, vm, note });
}

async function sourceOfFolder(params: LocalRestoreParams, rootPath: string): Promise<Source> {
  params.note(`reading ${rootPath} …`);
  const scan = await scanCatalogue({ rootPath, readers: await loadSpecReaders(), signal: params.signal });
  const { point, context } = chooseBackup(scan, { vm: params.vm, backup: params.backup });
  for (const { relPath, reason } of scan.skipped) params.note(`left out ${relPath}: ${reason}`);
  if (params.specFile !== undefined) return { rootPath, point, spec: await specOf(params) };
  for (const { relPath, reason } of scan.remarks ?? []) {
    if (context.sidecars.includes(relPath)) params.note(`${relPath}: ${reason}`);
  }
  const broken = scan.skipped.find(
    ({ relPath, code }) => code === 'CATALOG_SPEC_INVALID' && context.sidecars.includes(relPath),
  );
  // Without it the VM would come back with a default size and without its addresses.
  if (broken !== undefined) {
    throw new AppError({
      code: 'CATALOG_SPEC_INVALID',
      message: broken.reason,
      details: { path: broken.relPath },
      hint: 'Correct the file, give another one with --spec, or move it out of the folder to restore without it.',
    });
  }
  return { rootPath, point, spec: context.vmSpec };
}

async function sourceOfFiles(params: LocalRestoreParams): Promise<Source> {
  const files = params.sources.map((file) => resolve(file));
  const rootPath = resolve(params.repositoryRoot ?? dirname(files[0] ?? '.'));
  const images = await Promise.all(
    files.map(async (file) => {
      const [probed, info] = [await probeImage(file), await stat(file)];
      const format: SourceFormat = probed.format;
      return {
        relPath: file.startsWith(`${rootPath}/`) ? file.slice(rootPath.length + 1) : file,
        format,
        fileSizeBytes: info.size,
        mtimeMs: info.mtimeMs,
        virtualSizeBytes: probed.virtualSizeBytes,
        backingRelPath: probed.backingName === null ? null : basename(probed.backingName),
      };
    }),
  );
  const spec = await specOf(params);
  return { rootPath, point: pointOfFiles(params.vm ?? spec?.name, images), spec };
}

async function localAgent(params: LocalRestoreParams, rootPath: string): Promise<AgentView> {
  return {
    agentId: localAgentId,
    siteId: 'local',
    version: 'local',
    online: true,
    lastSeenAt: new Date(systemClock.now()).toISOString(),
    capabilities: {
      ...(await probeHost({
        scratchDir: params.workDir,
        acceleration: await workingAcceleration({ workDir: params.workDir }),
        signal: params.signal,
      })),
      guestSources: await describeSources({ ...params, sources: params.guestSources }),
    },
    repositories: { local: rootPath },
    targets: [params.target.targetId],
  };
}

async function makePlan(
  params: LocalRestoreParams,
  target: TargetAccess,
  appliance: ApplianceSetup,
): Promise<RestorePlan> {
  const [first] = params.sources;
  if (first === undefined)
    throw new AppError({ code: 'INPUT_INVALID', message: 'local restore: no folder or file given' });
  const single = params.sources.length === 1 && (await isFolder(first));
  const source = single ? await sourceOfFolder(params, resolve(first)) : await sourceOfFiles(params);
  params.note(`looking into ${source.point.backupId} …`);
  const facts = await analyzeRestorePoint({
    backupId: source.point.backupId,
    rootPath: source.rootPath,
    disks: source.point.disks,
    workDir: join(params.workDir, 'analysis'),
    appliance,
    executor: params.policy.executor ?? 'auto',
    logger: params.logger,
    clock: systemClock,
    signal: params.signal,
  });
  const session = await target.open();
  try {
    return planRestore({
      planId: newId(),
      now: new Date(systemClock.now()).toISOString(),
      request: { backupId: source.point.backupId, targetId: params.target.targetId, policy: params.policy },
      restorePoint: source.point,
      vmSpec: source.spec,
      facts,
      target: {
        targetId: params.target.targetId,
        name: params.target.name,
        platform: params.target.platform,
      },
      targetFacts: await session.inventory(params.signal),
      platform: await loadPlatformData(params.target.platform),
      agents: [await localAgent(params, source.rootPath)],
    });
  } finally {
    await session[Symbol.asyncDispose]();
  }
}

/** The work folder of a request when none is given: the same request finds its unfinished restore again. */
export function defaultWorkDir(stateHome: string, request: unknown): string {
  return join(stateHome, createHash('sha256').update(JSON.stringify(request)).digest('hex').slice(0, 16));
}

/**
 * Restores from a folder or from files in this process. An unfinished restore in `workDir` is continued; a failed one
 * is retried at its failed step. Returns null for a dry run.
 *
 * @throws {AppError} PLAN_BLOCKED - details hold the findings; whatever analysis and target raise
 */
export async function localRestore(params: LocalRestoreParams): Promise<RestoreJob | null> {
  await mkdir(params.workDir, { recursive: true, mode: 0o700 });
  const target = await createTargetAccess({
    target: params.target,
    connectors,
    deps: {
      logger: params.logger,
      clock: systemClock,
      secrets: (name) => Promise.resolve(targetSecret(params.target, name)),
      workDir: params.workDir,
    },
  });
  const appliance = await localAppliance(params.workDir, params.keys);
  const jobFile = openJobFile(join(params.workDir, 'job.sqlite'));
  try {
    const earlier = jobFile.load();
    if (earlier !== null && earlier.state !== 'completed') {
      params.note(`continuing restore ${earlier.jobId} (it was ${earlier.state})`);
      params.onPlan(earlier.plan);
      return await driveJob(earlier, { ...params, appliance, target, jobFile, retryFailed: true });
    }
    const plan = await makePlan(params, target, appliance);
    params.onPlan(plan);
    if (params.dryRun) return null;
    if (isBlocked(plan.findings)) return refuse(plan);
    const job = createJob(plan, newId());
    jobFile.save(job, []);
    return await driveJob(job, { ...params, appliance, target, jobFile, retryFailed: false });
  } finally {
    jobFile.close();
  }
}

function refuse(plan: RestorePlan): never {
  const blocked = plan.findings.filter((finding) => finding.severity === 'blocked');
  throw new AppError({
    code: 'PLAN_BLOCKED',
    message: `local restore: ${blocked.length} findings forbid it: ${blocked.map((one) => one.message).join('; ')}`,
    details: { codes: blocked.map((one) => one.code) },
  });
}
