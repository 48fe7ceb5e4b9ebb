import { mkdir, rm } from 'node:fs/promises';
import type { GuestFacts } from '@ascend/domain';
import { createOverlay, sealOverlay, type DiskImage } from '@ascend/disk';
import { AppError } from '@ascend/errors';
import { applyEdits, planEdits, probeGuest, verifyEdits } from '@ascend/guest';
import { assertNotBlocked } from '../blocked.ts';
import { overlayPaths, type OverlayPaths } from '../overlays.ts';
import { openSource, type OpenedSource } from '../source.ts';
import type { StepContext, StepHandler } from '../stepHandler.ts';
import { timed } from '../timing.ts';
import type { PrepareGuestOutput } from './output.ts';

interface PlannedOverlay {
  readonly resourceKey: string;
  readonly diskIndex: number;
  readonly paths: OverlayPaths;
}

const overlayKey = /^overlay:(\d{1,4})$/;

function mismatch(message: string): AppError {
  return new AppError({ code: 'STEP_PLAN_MISMATCH', message: `prepare guest: ${message}` });
}

/** The overlays that the plan names for this step, by the resource keys `overlay:<disk index>`. */
function plannedOverlays(context: StepContext): readonly PlannedOverlay[] {
  const { operation, workDir } = context;
  const step = operation.plan.steps.find((candidate) => candidate.key === operation.stepKey);
  return (step?.resources ?? []).map(({ resourceKey }) => {
    const index = overlayKey.exec(resourceKey)?.[1];
    if (index === undefined) throw mismatch(`resource ${resourceKey} is not overlay:<disk index>`);
    return {
      resourceKey,
      diskIndex: Number(index),
      paths: overlayPaths(workDir, context.nameOf(resourceKey)),
    };
  });
}

/** A fresh, empty, writable overlay: what an earlier attempt left is thrown away, sealed or not (D8). */
async function startOverlay(
  context: StepContext,
  source: OpenedSource,
  overlay: PlannedOverlay,
): Promise<void> {
  const { partial, sealed, folder } = overlay.paths;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await Promise.all([partial, sealed].map((path) => rm(path, { force: true })));
  const chain = source.chainOf(overlay.diskIndex);
  await createOverlay({ image: { chain, overlays: [] }, path: partial });
  await context.ledger.present(overlay.resourceKey, { path: sealed });
}

function rootImage(guest: GuestFacts, source: OpenedSource, overlays: readonly PlannedOverlay[]): DiskImage {
  const { root } = guest;
  if (root === null) throw mismatch('no root file system was found on the disks');
  const overlay = overlays.find((candidate) => candidate.diskIndex === root.diskIndex);
  if (overlay === undefined) {
    throw mismatch(`the root file system is on disk ${root.diskIndex}, for which no overlay is planned`);
  }
  return { chain: source.chainOf(root.diskIndex), overlays: [overlay.paths.partial] };
}

function describeSystem(guest: GuestFacts): string {
  return [guest.distribution ?? guest.family, guest.version, guest.arch]
    .filter((part) => part !== null)
    .join(' ');
}

async function prepare(context: StepContext): Promise<Omit<PrepareGuestOutput, 'startedAtMs' | 'endedAtMs'>> {
  const { operation, workDir, logger, signal } = context;
  const needs = context.target.guestNeeds;
  const report = (phase: string): void =>
    context.report({ phase, bytesDone: 0, bytesTotal: 0, bytesSkipped: 0 });
  const overlays = plannedOverlays(context);
  const source = await openSource(operation.plan);
  report('probe guest');
  const images = [...source.chains].map(([diskIndex, chain]) => ({
    diskIndex,
    image: { chain, overlays: [] },
  }));
  const guest = await probeGuest({ images, workDir, logger, signal });
  const planned = planEdits({ guest, needs, nics: operation.plan.nics });
  assertNotBlocked(planned.findings, 'prepare guest');
  const image = rootImage(guest, source, overlays);
  for (const overlay of overlays) await startOverlay(context, source, overlay);
  const { edits } = planned;
  await applyEdits({ image, guest, edits, needs, workDir, logger, signal, report });
  report('verify guest');
  const verified = await verifyEdits({ image, guest, edits, needs, workDir, logger, signal });
  assertNotBlocked(verified.findings, 'verify guest');
  for (const { paths } of overlays) {
    await sealOverlay({ partialPath: paths.partial, finalPath: paths.sealed });
  }
  return {
    sealId: operation.opId,
    overlays: Object.fromEntries(overlays.map(({ diskIndex, paths }) => [diskIndex, paths.sealed])),
    diff: verified.diff,
    findings: [...planned.findings, ...verified.findings],
    system: describeSystem(guest),
  };
}

/**
 * Puts an overlay on the restore point, edits the guest in it, reads the edits back and seals it. A failed attempt
 * leaves a partial overlay that the next one throws away. Undo removes the job's work folder on this agent.
 */
export const prepareGuest: StepHandler = {
  kind: 'prepare-guest',
  run: (context) => timed(context, () => prepare(context)),
  undo: async (context, entry) => {
    const { partial, sealed } = overlayPaths(context.workDir, entry.name);
    await Promise.all([partial, sealed].map((path) => rm(path, { force: true })));
    // Overlays are undone last: whatever else this job keeps on this agent is of no use any more.
    await rm(context.workDir, { recursive: true, force: true });
  },
};
