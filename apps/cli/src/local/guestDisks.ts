import { resolve } from 'node:path';
import { fingerprintOf, openPoint, type DiskChain } from '@ascend/disk';
import { AppError } from '@ascend/errors';
import { withRootHint } from './exportDisks.ts';

/** The chains of one VM's disks, opened by their top files. */
export interface GuestDisks {
  /** In the order given, which is the order of the VM's disks. */
  readonly chains: readonly DiskChain[];
  /** Sentences an operator should know about the files. */
  readonly remarks: readonly string[];
  /** Of all disks (D2). */
  readonly fingerprint: string;
}

/**
 * Opens the disks of one VM at one point in time. Reads only.
 *
 * @throws {AppError} DISK_* - a chain is broken or incomplete; INPUT_INVALID - a disk is named twice
 */
export async function openGuestDisks(
  files: readonly string[],
  repositoryRoot: string | null,
): Promise<GuestDisks> {
  const chains: DiskChain[] = [];
  for (const file of files.map((one) => resolve(one))) {
    try {
      chains.push((await openPoint({ file, repositoryRoot, sourceFormat: null })).chain);
    } catch (cause) {
      throw withRootHint(cause);
    }
  }
  const tops = chains.map((chain) => chain.layers[0]?.absPath ?? '');
  const twice = tops.find((top, index) => tops.indexOf(top) !== index);
  if (twice !== undefined)
    throw new AppError({ code: 'INPUT_INVALID', message: `read disks: ${twice} is given twice` });
  return {
    chains,
    remarks: chains.flatMap((chain, diskIndex) => chain.remarks.map((one) => `disk ${diskIndex}: ${one}`)),
    fingerprint: fingerprintOf(chains.map((chain, diskIndex) => ({ diskIndex, layers: chain.layers }))),
  };
}
