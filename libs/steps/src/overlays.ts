import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { DiskImage } from '@ascend/disk';
import { AppError } from '@ascend/errors';
import { readOutput } from './priorOutput.ts';
import { prepareGuestOutputSchema } from './prepareGuest/output.ts';
import type { OpenedSource } from './source.ts';
import type { StepOperation } from './stepHandler.ts';

/** Where an overlay lies while it is written, and once it is sealed. */
export interface OverlayPaths {
  readonly folder: string;
  readonly partial: string;
  readonly sealed: string;
}

/** Paths of the overlay with this owned name below a job's work folder. */
export function overlayPaths(workDir: string, ownedName: string): OverlayPaths {
  const folder = join(workDir, 'overlays');
  return {
    folder,
    partial: join(folder, `${ownedName}.partial.qcow2`),
    sealed: join(folder, `${ownedName}.qcow2`),
  };
}

/** The guest edits that lie on top of a restore point: `sealId` names one sealing, paths are by disk index. */
export interface SealedOverlays {
  readonly sealId: string | null;
  readonly paths: ReadonlyMap<number, string>;
}

/** The overlays of the plan's prepare-guest step; none when the plan has no such step. @throws {AppError} STEP_OUTPUT_INVALID */
export function readOverlays(operation: StepOperation): SealedOverlays {
  const isPlanned = operation.plan.steps.some((step) => step.kind === 'prepare-guest');
  if (!isPlanned) return { sealId: null, paths: new Map() };
  const output = readOutput(operation, 'prepare-guest', prepareGuestOutputSchema);
  const paths = Object.entries(output.overlays).map(([index, path]): [number, string] => [
    Number(index),
    path,
  ]);
  return { sealId: output.sealId, paths: new Map(paths) };
}

/**
 * One disk as the target shall get it: the restore point with its sealed overlay, if it has one.
 *
 * @throws {AppError} STEP_OVERLAY_MISSING - the overlay is gone or not sealed
 */
export async function imageOf(
  source: OpenedSource,
  overlays: SealedOverlays,
  diskIndex: number,
): Promise<DiskImage> {
  const chain = source.chainOf(diskIndex);
  const path = overlays.paths.get(diskIndex);
  if (path === undefined) return { chain, overlays: [] };
  const facts = await stat(path).catch(() => null);
  // Sealing takes away every write bit (D8): what can be written is not finished.
  if (facts === null || !facts.isFile() || (facts.mode & 0o222) !== 0) {
    const message = `open disk ${diskIndex}: its overlay is ${facts === null ? 'gone' : 'not sealed'}`;
    throw new AppError({ code: 'STEP_OVERLAY_MISSING', message, details: { diskIndex, path } });
  }
  return { chain, overlays: [path] };
}
