import type { DiskImage } from '../blockdev.ts';
import { openDirectSource } from '../source/directSource.ts';
import type { DiskSource } from '../source/diskSource.ts';
import { openNbdSource } from '../source/nbdSource.ts';
import { openReferenceSource } from '../source/referenceSource.ts';
import { surveyDisk, type DiskSurvey } from '../survey.ts';
import { readEngineOf, type ExportEngine } from './exportFormat.ts';

// The usual cluster of QCOW2, and the smallest piece that a copy reads.
const unitBytes = 64 * 1024;

/** How an export reads its source. */
export interface ExportSourceParams {
  readonly engine: ExportEngine;
  readonly workDir: string;
  readonly signal: AbortSignal;
}

async function closing<T>(source: DiskSource, work: (source: DiskSource) => Promise<T>): Promise<T> {
  try {
    return await work(source);
  } finally {
    await source.close();
  }
}

/**
 * Surveys the source of an export. Whatever engine will read it, our own walk of all tables comes first: QEMU (7.2) reads clusters behind
 * the end of a cut QCOW2 file as zeros and calls that success, our walk refuses it.
 *
 * @throws {AppError} as `openDirectSource`; DISK_IMAGE_TRUNCATED, DISK_IMAGE_CORRUPT
 */
export async function surveyExport(image: DiskImage, params: ExportSourceParams): Promise<DiskSurvey> {
  const { engine, workDir, signal } = params;
  const opening = { image, workDir, signal };
  const own = await closing(await openDirectSource(opening), (source) => surveyDisk(source, unitBytes));
  if (readEngineOf(engine) !== 'nbd') return own;
  return await closing(await openNbdSource(opening), (source) => surveyDisk(source, unitBytes));
}

/**
 * Opens the source of an export to prove the written file by: read the other way than for the copy, so that a fault of the one way of
 * reading cannot hide itself.
 *
 * @throws {AppError} as `openSource`
 */
export async function openProofSource(image: DiskImage, params: ExportSourceParams): Promise<DiskSource> {
  const { engine, workDir, signal } = params;
  const copiedByQemu = engine === 'qemu-img' || readEngineOf(engine) === 'nbd';
  return await (copiedByQemu ? openDirectSource : openReferenceSource)({ image, workDir, signal });
}
