import { constants } from 'node:fs';
import { access, statfs } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import type { TargetFacts, TargetStorage } from '@ascend/domain';
import { workingAcceleration } from '@ascend/guest';
import type { Clock } from '@ascend/runtime';
import type { KvmConnection } from './connection.ts';
import { coded } from './errors.ts';
import type { VmStore } from './vmStore.ts';

/**
 * Free and total bytes of one storage folder.
 *
 * @throws {AppError} TARGET_UNREACHABLE - no such folder; TARGET_DENIED - it is not writable
 */
export async function readStorage(name: string, path: string): Promise<TargetStorage> {
  await coded(`open storage ${name} at ${path}`, access(path, constants.R_OK | constants.W_OK));
  const { bsize, bavail, blocks } = await coded(`measure storage ${name} at ${path}`, statfs(path));
  return { name, freeBytes: bavail * bsize, totalBytes: blocks * bsize };
}

const aboutNetwork = 'QEMU user-mode network, cut off from the outside';

/** Live facts of this host. `targetId` is empty: the caller, who knows it, fills it in. */
export async function readInventory(params: {
  readonly connection: KvmConnection;
  readonly vms: VmStore;
  readonly clock: Clock;
  readonly workDir: string;
}): Promise<TargetFacts> {
  const { connection } = params;
  const storages = await Promise.all(
    Object.entries(connection.storages).map(([name, path]) => readStorage(name, path)),
  );
  return {
    targetId: '',
    apiVersion: 'local',
    storages,
    networks: connection.networks.map((name) => ({ name, about: aboutNetwork })),
    vmNames: await params.vms.names(),
    cpuCount: availableParallelism(),
    memoryBytes: totalmem(),
    acceleration: await workingAcceleration({ workDir: params.workDir }),
    fetchedAt: new Date(params.clock.now()).toISOString(),
  };
}
