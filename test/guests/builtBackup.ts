import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { VmSpec } from '@ascend/domain';
import { runProcess } from '@ascend/runtime';
import { imageName, type PointName } from './backupChain.ts';

/** A repository folder with one VM's chain of backups and the sidecar that describes the VM. */
export interface BuiltBackup {
  /** Repository root; holds `<contextName>/disk-N/…`. Read-only for its users: it is the cache. */
  readonly repositoryPath: string;
  readonly contextName: string;
  readonly vmName: string;
  readonly diskCount: number;
  readonly vm: VmSpec;
}

/** Repository-relative path of one image. */
export function imagePath(backup: BuiltBackup, diskIndex: number, point: PointName): string {
  return join(backup.contextName, `disk-${diskIndex}`, imageName(backup.vmName, diskIndex, point));
}

/** Writes `<vm>.vmspec.json` beside the disks: what the source platform's API would have told about the VM. */
export async function writeVmSpec(repositoryPath: string, contextName: string, vm: VmSpec): Promise<void> {
  const path = join(repositoryPath, contextName, `${vm.name}.vmspec.json`);
  await writeFile(path, `${JSON.stringify(vm, null, 2)}\n`);
}

/** Copies the repository to `outDir` (sparse, cheap where the file system can share blocks); the cache stays untouched. */
export async function copyBackup(backup: BuiltBackup, outDir: string): Promise<BuiltBackup> {
  await runProcess({
    program: 'cp',
    args: [
      '-a',
      '--reflink=auto',
      '--sparse=always',
      join(backup.repositoryPath, backup.contextName),
      `${outDir}/`,
    ],
  });
  return { ...backup, repositoryPath: outDir };
}
