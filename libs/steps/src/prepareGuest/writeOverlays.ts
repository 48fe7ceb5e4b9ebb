import { rm } from 'node:fs/promises';
import { createOverlay, sealOverlay, type DiskChain } from '@ascend/disk';
import {
  writtenDisks,
  type ExecutorPolicy,
  type Finding,
  type GuestFacts,
  type GuestNeeds,
} from '@ascend/domain';
import { AppError } from '@ascend/errors';
import {
  applyEdits,
  verifyEdits,
  type ApplianceChoice,
  type GuestChange,
  type GuestDisk,
  type GuestEdit,
} from '@ascend/guest';
import type { Logger } from '@ascend/runtime';
import { assertNotBlocked } from '../blocked.ts';

/** One disk of the guest and where its overlay shall lie. */
export interface OverlayDisk {
  readonly diskIndex: number;
  readonly chain: DiskChain;
  /** While it is written. */
  readonly partial: string;
  /** Once it is sealed; the same folder. */
  readonly sealed: string;
}

/** What is written, and who is told. */
export interface WriteOverlaysParams {
  readonly disks: readonly OverlayDisk[];
  /** All disks of the guest as they were backed up. */
  readonly images: readonly GuestDisk[];
  readonly guest: GuestFacts;
  readonly edits: readonly GuestEdit[];
  readonly needs: GuestNeeds;
  /** Default: `auto`. */
  readonly executor?: ExecutorPolicy;
  /** Absent: none is used. */
  readonly appliance?: ApplianceChoice;
  readonly workDir: string;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly report: (phase: string) => void;
  /** Called when an overlay is there, still empty. */
  readonly onCreated?: (disk: OverlayDisk) => Promise<void>;
  /** Called when all is verified, before each overlay is sealed. */
  readonly onVerified?: (disk: OverlayDisk) => Promise<void>;
}

/** What reading back showed. */
export interface WrittenOverlays {
  readonly diff: readonly GuestChange[];
  readonly findings: readonly Finding[];
}

/** All disks, the planned ones with their overlays. Every disk that edits write to must be planned. */
function overlaidImages({ disks, images, guest, executor }: WriteOverlaysParams): readonly GuestDisk[] {
  if (guest.root === null) {
    throw new AppError({
      code: 'STEP_PLAN_MISMATCH',
      message: 'prepare guest: no root file system was found on the disks',
    });
  }
  const planned = new Map(disks.map((disk) => [disk.diskIndex, disk]));
  const unplanned = writtenDisks(guest, executor).find((diskIndex) => !planned.has(diskIndex));
  if (unplanned !== undefined) {
    const message = `prepare guest: the guest's system is also on disk ${unplanned}, for which no overlay is planned`;
    throw new AppError({ code: 'STEP_PLAN_MISMATCH', message });
  }
  return images.map(({ diskIndex, image }) => {
    const disk = planned.get(diskIndex);
    return { diskIndex, image: { ...image, overlays: disk === undefined ? [] : [disk.partial] } };
  });
}

/**
 * Puts a fresh overlay on every disk, edits the guest in them, reads the edits back and seals (D8). What an earlier attempt
 * left under the names is thrown away. On failure partial overlays stay, never sealed ones.
 *
 * @throws {AppError} STEP_PLAN_MISMATCH - no overlay for a disk with a part of the system; GUEST_* - an edit could not be made or does not hold;
 * DISK_*, OPERATION_CANCELLED
 */
export async function writeOverlays(params: WriteOverlaysParams): Promise<WrittenOverlays> {
  const { disks, guest, edits, needs, workDir, logger, signal, report, executor, appliance } = params;
  const images = overlaidImages(params);
  for (const disk of disks) {
    await Promise.all([disk.partial, disk.sealed].map((path) => rm(path, { force: true })));
    await createOverlay({ image: { chain: disk.chain, overlays: [] }, path: disk.partial });
    await params.onCreated?.(disk);
  }
  const edited = { images, guest, edits, needs, workDir, logger, signal, executor, appliance };
  await applyEdits({ ...edited, report });
  report('verify guest');
  const verified = await verifyEdits(edited);
  assertNotBlocked(verified.findings, 'verify guest');
  for (const disk of disks) {
    await params.onVerified?.(disk);
    await sealOverlay({ partialPath: disk.partial, finalPath: disk.sealed });
  }
  return { diff: verified.diff, findings: verified.findings };
}
