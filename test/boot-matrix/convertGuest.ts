import { createOverlay, type DiskImage } from '@ascend/disk';
import { isBlocked, writtenDisks, type Finding, type GuestNeeds, type PlannedNic } from '@ascend/domain';
import { applyEdits, planEdits, probeGuest, verifyEdits, type GuestDisk } from '@ascend/guest';
import { silentLogger } from '@ascend/runtime';
import { join } from 'node:path';

/** The disks with the edits on top, or the findings that forbid them. */
export type Conversion =
  | { readonly isRefused: false; readonly images: readonly DiskImage[] }
  | { readonly isRefused: true; readonly findings: readonly Finding[] };

/** Prepares a guest as a restore does: probe, plan, edit overlays of the disks it changes, read back. */
export async function convertGuest(params: {
  readonly images: readonly DiskImage[];
  readonly needs: GuestNeeds;
  readonly nics: readonly PlannedNic[];
  /** Private folder; receives the overlays. */
  readonly workDir: string;
  readonly signal: AbortSignal;
}): Promise<Conversion> {
  const { images, needs, nics, workDir, signal } = params;
  const common = { workDir, logger: silentLogger, signal };
  const disks = images.map((image, diskIndex) => ({ diskIndex, image }));
  const guest = await probeGuest({ images: disks, ...common });
  const { edits, findings } = planEdits({ guest, needs, nics });
  if (isBlocked(findings) || guest.root === null) return { isRefused: true, findings };
  const written = new Set(writtenDisks(guest));
  const edited: GuestDisk[] = [];
  for (const { diskIndex, image } of disks) {
    if (!written.has(diskIndex)) {
      edited.push({ diskIndex, image });
      continue;
    }
    const overlay = join(workDir, `disk-${diskIndex}.qcow2`);
    await createOverlay({ image, path: overlay });
    edited.push({ diskIndex, image: { chain: image.chain, overlays: [...image.overlays, overlay] } });
  }
  await applyEdits({ images: edited, guest, edits, needs, ...common, report: () => undefined });
  const verified = await verifyEdits({ images: edited, guest, edits, needs, ...common });
  if (isBlocked(verified.findings)) return { isRefused: true, findings: verified.findings };
  return { isRefused: false, images: edited.map(({ image }) => image) };
}
