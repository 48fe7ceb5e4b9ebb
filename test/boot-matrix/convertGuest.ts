import { createOverlay, type DiskImage } from '@ascend/disk';
import { isBlocked, writtenDisks, type Finding, type GuestNeeds, type PlannedNic } from '@ascend/domain';
import {
  applianceChoice,
  applyEdits,
  planEdits,
  probeGuest,
  verifyEdits,
  type ApplianceChoice,
  type GuestDisk,
} from '@ascend/guest';
import { Secret, silentLogger } from '@ascend/runtime';
import { join } from 'node:path';
import { luksPassphrase, matrixUuids } from '../guests/matrix/matrixGuest.ts';

/** The disks with the edits on top, or the findings that forbid them. */
export type Conversion =
  | { readonly isRefused: false; readonly images: readonly DiskImage[] }
  | { readonly isRefused: true; readonly findings: readonly Finding[] };

/** For the guests that the host cannot mount, with the key of the encrypted one. */
async function matrixAppliance(scratchDir: string): Promise<ApplianceChoice> {
  const keys = [{ volume: matrixUuids.luks, key: new Secret(luksPassphrase) }];
  const cacheDir = new URL('../../.ascend/cache/appliance', import.meta.url).pathname;
  return await applianceChoice({ cacheDir, scratchDir, keysDir: null, keys });
}

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
  const by = { executor: 'auto', appliance: await matrixAppliance(workDir) } as const;
  const guest = await probeGuest({ images: disks, ...common, ...by });
  const { edits, findings } = planEdits({ guest, needs, nics, executor: by.executor });
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
  await applyEdits({ images: edited, guest, edits, needs, ...common, ...by, report: () => undefined });
  const verified = await verifyEdits({ images: edited, guest, edits, needs, ...common, ...by });
  if (isBlocked(verified.findings)) return { isRefused: true, findings: verified.findings };
  return { isRefused: false, images: edited.map(({ image }) => image) };
}
