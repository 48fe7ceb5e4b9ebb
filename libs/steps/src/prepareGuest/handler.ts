import { mkdir, rm } from 'node:fs/promises';
import { chooseNeeds, type GuestFacts, type GuestNeeds } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import { planEdits, probeGuest } from '@ascend/guest';
import { assertNotBlocked } from '../blocked.ts';
import { overlayPaths, type OverlayPaths } from '../overlays.ts';
import { openSource } from '../source.ts';
import type { StepContext, StepHandler } from '../stepHandler.ts';
import { timed } from '../timing.ts';
import type { PrepareGuestOutput } from './output.ts';
import { writeOverlays } from './writeOverlays.ts';

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

/** What the hardware of the plan needs: the planner chose by the same rule from the same data. */
function plannedNeeds(context: StepContext): GuestNeeds {
  const { plan } = context.operation;
  const diskBus = plan.disks.find((disk) => disk.boot)?.bus ?? null;
  const chosen = chooseNeeds(context.target.guestNeeds, { firmware: plan.firmware, diskBus });
  if (chosen !== null) return chosen.needs;
  throw mismatch(`the target has no hardware that boots ${plan.firmware} from ${diskBus ?? 'any disk'}`);
}

function describeSystem(guest: GuestFacts): string {
  return [guest.distribution ?? guest.family, guest.version, guest.arch]
    .filter((part) => part !== null)
    .join(' ');
}

async function prepare(context: StepContext): Promise<Omit<PrepareGuestOutput, 'startedAtMs' | 'endedAtMs'>> {
  const { operation, workDir, logger, signal } = context;
  const needs = plannedNeeds(context);
  const report = (phase: string): void =>
    context.report({ phase, bytesDone: 0, bytesTotal: 0, bytesSkipped: 0 });
  const overlays = plannedOverlays(context);
  const source = await openSource(operation.plan);
  const { nics, policy } = operation.plan;
  const { addressRules, firstBootScript } = policy;
  report('probe guest');
  const images = [...source.chains].map(([diskIndex, chain]) => ({
    diskIndex,
    image: { chain, overlays: [] },
  }));
  const guest = await probeGuest({ images, workDir, logger, signal });
  const planned = planEdits({ guest, needs, nics, addressRules, firstBootScript });
  assertNotBlocked(planned.findings, 'prepare guest');
  for (const { paths } of overlays) await mkdir(paths.folder, { recursive: true, mode: 0o700 });
  const keys = new Map(overlays.map(({ diskIndex, resourceKey }) => [diskIndex, resourceKey]));
  const written = await writeOverlays({
    disks: overlays.map(({ diskIndex, paths: { partial, sealed } }) => ({
      diskIndex,
      chain: source.chainOf(diskIndex),
      partial,
      sealed,
    })),
    images,
    guest,
    edits: planned.edits,
    needs,
    workDir,
    logger,
    signal,
    report,
    onCreated: ({ diskIndex, sealed }) => context.ledger.present(keys.get(diskIndex) ?? '', { path: sealed }),
  });
  return {
    sealId: operation.opId,
    overlays: Object.fromEntries(overlays.map(({ diskIndex, paths }) => [diskIndex, paths.sealed])),
    diff: written.diff,
    findings: [...planned.findings, ...written.findings],
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
