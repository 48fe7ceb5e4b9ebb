import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { SourceFormat } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import type { DiskImage } from '../blockdev.ts';
import { openChain } from '../chain/chain.ts';
import { fingerprintOf } from '../chain/fingerprint.ts';
import { estimateExport, type ExportEstimate } from '../estimate/estimateExport.ts';
import { fileFacts, type FileFacts } from '../estimate/fileFacts.ts';
import { readError } from '../fileErrors.ts';
import type { FileFormat } from '../sinks/fileSink.ts';
import { freeSpace } from '../space/reserveSpace.ts';
import type { DiskSurvey } from '../survey.ts';
import type { VerifyMode } from '../verify/verifyMode.ts';
import type { ExportEngine } from './exportFormat.ts';
import { existsError, exportFiles, identify, type ExportFiles } from './exportFiles.ts';
import { surveyExport } from './exportSource.ts';
import { formatOfFile } from './sourceFormat.ts';

/** Which point in time to open. */
export interface OpenPointParams {
  /** The top file of the chain: the point in time. */
  readonly file: string;
  /** Folder that all files of the chain must lie in; null = the folder of `file`. */
  readonly repositoryRoot: string | null;
  /** null = as the name promises, else by content. */
  readonly sourceFormat: SourceFormat | null;
}

/** What to export, and how. */
export interface PlanExportParams extends OpenPointParams {
  readonly format: FileFormat;
  readonly engine: ExportEngine;
  readonly finalPath: string;
  /** The folder of `finalPath` may be missing; it is made when the export starts. Its own folder must be there. */
  readonly makeFolder: boolean;
  readonly verify: VerifyMode;
  /** null = no cap. */
  readonly bandwidthBytesPerSecond: number | null;
  /** Go on with what an earlier attempt left. */
  readonly resume: boolean;
  /** How often progress is made durable, for a resume to go on from, beside every 64 MiB; default 5 s. */
  readonly confirmEveryMs?: number;
  readonly workDir: string;
  readonly signal: AbortSignal;
}

/** An export that can start: everything that can be known before is known. */
export interface ExportPlan {
  readonly params: PlanExportParams;
  readonly image: DiskImage;
  readonly fingerprint: string;
  readonly survey: DiskSurvey;
  readonly estimate: ExportEstimate;
  readonly files: ExportFiles;
  /** Free space where the file will lie, for ordinary users; what other runs have reserved is not taken off. */
  readonly freeBytes: number;
}

/**
 * Opens the chain that ends in a file.
 *
 * @throws {AppError} as `openChain`; DISK_FORMAT_MISMATCH - raw by its name, something else by its content
 */
export async function openPoint(params: OpenPointParams): Promise<DiskImage> {
  const file = path.resolve(params.file);
  const format = await formatOfFile(file, params.sourceFormat);
  const rootPath = params.repositoryRoot ?? path.dirname(file);
  return { chain: await openChain({ rootPath, path: file, format }), overlays: [] };
}

/** The folder that tells about the storage: that of the file, or the one it will be made in. */
async function existingFolder(files: ExportFiles, makeFolder: boolean): Promise<string> {
  const own = path.dirname(files.finalPath);
  const folder = makeFolder && (await identify(own)) === null ? path.dirname(own) : own;
  const facts = await stat(folder).catch((cause: unknown) => {
    throw readError('export into', folder, cause);
  });
  if (facts.isDirectory()) return folder;
  throw new AppError({
    code: 'DISK_FILE_NOT_REGULAR',
    message: `export into ${folder}: this is no folder`,
    details: { folder },
    hint: 'Name a folder that is there; nothing else than the last folder is made.',
  });
}

async function checkTarget(files: ExportFiles, resume: boolean): Promise<void> {
  if ((await identify(files.finalPath)) === null) return;
  // Cut between its final name and its last breath: the resume finds out.
  if (resume && (await identify(files.checkpointPath)) !== null) return;
  throw existsError(files.finalPath);
}

function estimateOf(params: PlanExportParams, survey: DiskSurvey): ExportEstimate {
  const { format, verify, bandwidthBytesPerSecond } = params;
  const facts: FileFacts = fileFacts[format];
  // In `auto` qemu-img writes only what our own encoder refuses: that is found, and reserved for, too late to plan for.
  const bound = params.engine === 'qemu-img' ? (facts.qemuBound ?? facts.bound) : facts.bound;
  return estimateExport({
    survey,
    format,
    bound: bound(survey),
    verify,
    bandwidthBytesPerSecond,
  });
}

/** The plan with another format, under the same name or, since a name must not promise what the file is not, with more behind it. Pure. */
export function withFormat(plan: ExportPlan, format: FileFormat): ExportPlan {
  if (format === plan.params.format) return plan;
  const finalPath = `${plan.files.finalPath}${fileFacts[format].extension}`;
  const params = { ...plan.params, format, finalPath };
  return { ...plan, params, estimate: estimateOf(params, plan.survey), files: exportFiles(finalPath) };
}

/**
 * Opens and surveys one disk and estimates its export. Reads only: nothing is created but a socket in `workDir`.
 *
 * @throws {AppError} DISK_TARGET_EXISTS; DISK_FORMAT_LIMIT; DISK_FILE_MISSING - also the folder of the target; and what opening a chain and a source throws
 */
export async function planExport(params: PlanExportParams): Promise<ExportPlan> {
  const files = exportFiles(path.resolve(params.finalPath));
  const image = await openPoint(params);
  const folder = await existingFolder(files, params.makeFolder);
  await checkTarget(files, params.resume);
  const facts: FileFacts = fileFacts[params.format];
  facts.checkSize?.(image.chain.virtualSizeBytes);
  const survey = await surveyExport(image, params);
  const estimate = estimateOf(params, survey);
  const fingerprint = fingerprintOf([{ diskIndex: 0, layers: image.chain.layers }]);
  const freeBytes = await freeSpace(folder);
  return { params, image, fingerprint, survey, estimate, files, freeBytes };
}
