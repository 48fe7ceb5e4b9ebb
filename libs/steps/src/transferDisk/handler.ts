import type { TargetSession } from '@ascend/connector';
import type { CopyResult } from '@ascend/disk';
import type { PlannedDisk } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import { imageOf, readOverlays } from '../overlays.ts';
import { openSource } from '../source.ts';
import type { StepContext, StepHandler } from '../stepHandler.ts';
import { timed } from '../timing.ts';
import { contentKey, readCheckpoint } from './checkpoint.ts';
import { move, type Transfer } from './move.ts';
import type { TransferDiskOutput } from './output.ts';

const resourceKey = 'disk';

function plannedDisk(context: StepContext): PlannedDisk {
  const { plan, diskIndex } = context.operation;
  const disk = plan.disks.find((candidate) => candidate.diskIndex === diskIndex);
  if (disk !== undefined) return disk;
  throw new AppError({
    code: 'STEP_PLAN_MISMATCH',
    message: `transfer disk ${diskIndex ?? 'without index'}: the plan has disks ${plan.disks.map((one) => one.diskIndex).join(', ')}`,
  });
}

/** Reads the disk back where the target can and the copy did not run in one go. */
async function proveByReading(
  session: TargetSession,
  transfer: Transfer,
  copied: CopyResult,
): Promise<boolean> {
  const { planned, opened, image, context } = transfer;
  const isComparable = planned.targetSizeBytes === image.chain.virtualSizeBytes && copied.sha256 !== null;
  if (session.digest === undefined || !isComparable) return false;
  if (transfer.resumeFromBytes === 0 && !opened.alreadyFinished) return false;
  context.report({ phase: 'read back', bytesDone: 0, bytesTotal: 0, bytesSkipped: 0 });
  const found = await session.digest(opened.ref, context.signal);
  if (found === copied.sha256) return true;
  throw new AppError({
    code: 'STEP_DISK_MISMATCH',
    message: `read back disk ${planned.diskIndex}: digest ${found.slice(0, 12)}…, ${copied.sha256?.slice(0, 12)}… was sent`,
    details: { diskIndex: planned.diskIndex, sent: copied.sha256, found },
  });
}

async function transfer(
  context: StepContext,
): Promise<Omit<TransferDiskOutput, 'startedAtMs' | 'endedAtMs'>> {
  const { operation, signal } = context;
  const planned = plannedDisk(context);
  const source = await openSource(operation.plan);
  const overlays = readOverlays(operation);
  const image = await imageOf(source, overlays, planned.diskIndex);
  const key = contentKey({
    fingerprint: operation.plan.source.fingerprint,
    sealId: overlays.paths.has(planned.diskIndex) ? overlays.sealId : null,
    diskIndex: planned.diskIndex,
    targetSizeBytes: planned.targetSizeBytes,
  });
  const checkpoint = readCheckpoint(operation.checkpoint, key);
  await using session = await context.target.open();
  const name = context.nameOf(resourceKey);
  const opened = await session.openSink({
    name,
    jobId: operation.jobId,
    disk: planned,
    resume: checkpoint !== null,
    signal,
  });
  await context.ledger.present(resourceKey, opened.ref);
  // A sink that takes its blocks in order has no middle to go on from.
  const isKept = opened.kept && (opened.alreadyFinished || !opened.sink.ordered);
  const resumeFromBytes = isKept ? (checkpoint?.confirmedBytes ?? 0) : 0;
  const state: Transfer = { context, image, planned, opened, key, resumeFromBytes };
  const kept = opened.alreadyFinished ? (checkpoint?.copied ?? null) : null;
  const copied = kept ?? (await move(state));
  const readBack = await proveByReading(session, state, copied);
  return {
    ref: opened.ref,
    sha256: copied.sha256,
    bytesCopied: copied.bytesCopied,
    bytesSkipped: copied.bytesSkipped,
    sizeBytes: planned.targetSizeBytes,
    resumedFromBytes: resumeFromBytes,
    readBack,
  };
}

/**
 * Copies one disk, restore point and overlay together, to the target in one pass. A retry goes on at the last confirmed
 * offset when the content is the same and the target still holds what was confirmed; else it starts at zero.
 */
export const transferDisk: StepHandler = {
  kind: 'transfer-disk',
  run: (context) => timed(context, () => transfer(context)),
  undo: async (context, entry) => {
    await using session = await context.target.open();
    await session.destroy(entry, context.signal);
  },
};
