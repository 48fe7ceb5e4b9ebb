import { mkdir, rm } from 'node:fs/promises';
import { chooseNeeds, type GuestFacts, type GuestNeeds, type RestorePlan } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import {
  applianceChoice,
  noGuestSources,
  openGuestSources,
  planEdits,
  probeGuest,
  type OpenedSources,
  type PlannedEdits,
} from '@ascend/guest';
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

/** Who edits the guest: as the plan wants it, with the appliance of this machine. */
async function chosenExecutor({ operation, appliance: setup }: StepContext) {
  const { executor = 'auto' } = operation.plan.policy;
  return setup === undefined ? { executor } : { executor, appliance: await applianceChoice(setup) };
}

interface Preparation {
  readonly guest: GuestFacts;
  readonly needs: GuestNeeds;
  readonly opened: OpenedSources;
}

/** The edits of a restore's plan, by what was found in the guest and on this machine. */
function planGuest(plan: RestorePlan, { guest, needs, opened }: Preparation): PlannedEdits {
  const { addressRules, firstBootScript, acceptDirty, executor = 'auto' } = plan.policy;
  return planEdits({
    guest,
    needs,
    nics: plan.nics,
    firmware: plan.convertsFirmware === true ? plan.firmware : null,
    addressRules,
    firstBootScript,
    executor,
    packages: opened.packages,
    windows: { drivers: opened.drivers, acceptDirtyFileSystem: acceptDirty },
  });
}

async function prepare(context: StepContext): Promise<Omit<PrepareGuestOutput, 'startedAtMs' | 'endedAtMs'>> {
  const { operation, workDir, logger, signal } = context;
  const needs = plannedNeeds(context);
  const report = (phase: string): void =>
    context.report({ phase, bytesDone: 0, bytesTotal: 0, bytesSkipped: 0 });
  const overlays = plannedOverlays(context);
  const source = await openSource(operation.plan);
  const by = await chosenExecutor(context);
  report('probe guest');
  const images = [...source.chains].map(([diskIndex, chain]) => ({
    diskIndex,
    image: { chain, overlays: [] },
  }));
  const guest = await probeGuest({ images, workDir, logger, signal, ...by });
  const sources = context.guestSources ?? noGuestSources;
  // Staged files are read again when the overlay is verified: what was unpacked goes after that.
  await using opened = await openGuestSources({ sources, guest, needs, workDir, signal });
  for (const remark of opened.drivers?.remarks ?? []) logger.warn('driver package left out', { remark });
  const planned = planGuest(operation.plan, { guest, needs, opened });
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
    ...by,
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
