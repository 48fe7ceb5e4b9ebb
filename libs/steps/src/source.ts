import type { RestorePlan } from '@ascend/domain';
import { assertFingerprint, openChain, type DiskChain } from '@ascend/disk';
import { AppError } from '@ascend/errors';

/** The chains of a plan's restore point, opened and seen to be the ones that were analysed. */
export interface OpenedSource {
  readonly chains: ReadonlyMap<number, DiskChain>;
  /** @throws {AppError} STEP_PLAN_MISMATCH - the plan has no such disk */
  chainOf(diskIndex: number): DiskChain;
}

/**
 * Opens every chain of the plan read-only and compares the fingerprint with the plan's (D2). Every step that reads the
 * restore point begins with it.
 *
 * @throws {AppError} DISK_SOURCE_CHANGED - the fingerprint differs; DISK_* - a chain cannot be opened
 */
export async function openSource(plan: Pick<RestorePlan, 'source'>): Promise<OpenedSource> {
  const { disks, rootPath, fingerprint } = plan.source;
  const opened = await Promise.all(
    disks.map(async (disk) => ({
      diskIndex: disk.diskIndex,
      chain: await openChain({ rootPath, path: disk.relPath, format: disk.format }),
    })),
  );
  assertFingerprint(
    fingerprint,
    opened.map(({ diskIndex, chain }) => ({ diskIndex, layers: chain.layers })),
  );
  const chains = new Map(opened.map(({ diskIndex, chain }) => [diskIndex, chain]));
  return {
    chains,
    chainOf: (diskIndex) => {
      const chain = chains.get(diskIndex);
      if (chain !== undefined) return chain;
      const message = `open disk ${diskIndex}: the plan's source has disks ${[...chains.keys()].join(', ')}`;
      throw new AppError({ code: 'STEP_PLAN_MISMATCH', message, details: { diskIndex } });
    },
  };
}
