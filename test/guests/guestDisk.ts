import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { buildDiskChain, type ChainParams } from './backupChain.ts';
import { makeRawDisk, type RawDiskParams } from './rawDisk.ts';

/** One disk of a guest and its history. */
export interface GuestDiskParams
  extends
    Omit<ChainParams, 'rawPath' | 'repositoryPath'>,
    Omit<RawDiskParams, 'path' | 'label' | 'signature'> {
  /** Folder under construction; the chain lands in `repository/` below it. */
  readonly partialDir: string;
}

/** Makes one disk in its full state, then its chain of backups; the raw disk itself is not kept. */
export async function buildDisk(params: GuestDiskParams): Promise<void> {
  const rawPath = join(params.partialDir, `disk-${params.diskIndex}.raw`);
  await makeRawDisk({
    path: rawPath,
    sizeBytes: params.sizeBytes,
    uuid: params.uuid,
    label: params.loader === null ? 'data' : 'root',
    signature: 0x41534300 + params.diskIndex,
    treeDir: params.treeDir,
    loader: params.loader,
  });
  await buildDiskChain({ ...params, rawPath, repositoryPath: join(params.partialDir, 'repository') });
  await rm(rawPath);
}
