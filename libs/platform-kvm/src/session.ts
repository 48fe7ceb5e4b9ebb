import { mkdir } from 'node:fs/promises';
import type { LedgerEntry } from '@ascend/domain';
import { AppError } from '@ascend/errors';
import type { ConnectorDeps, TargetSession, VmRef } from '@ascend/connector';
import { checkTarget } from './check.ts';
import type { KvmConnection } from './connection.ts';
import { digestOf, openDisk } from './disk.ts';
import { createDiskStore, type DiskStore } from './diskStore.ts';
import { assertNotCancelled, coded } from './errors.ts';
import { readInventory, readStorage } from './inventory.ts';
import { startVm, stopVm, watchBoot } from './machine.ts';
import { createVm, vmRefOf } from './vm.ts';
import { createVmStore, type VmStore } from './vmStore.ts';
import type { VmRecord } from './vmRecord.ts';

type Resource = Pick<LedgerEntry, 'kind' | 'name' | 'token'>;

interface World {
  readonly connection: KvmConnection;
  readonly deps: ConnectorDeps;
  readonly graceMs: number;
  readonly vms: VmStore;
  readonly disks: DiskStore;
}

async function requireVm(world: World, ref: VmRef): Promise<VmRecord> {
  const record = await world.vms.find(ref.name);
  if (record !== null) return record;
  throw new AppError({ code: 'TARGET_VM_MISSING', message: `find VM ${ref.name}: it is not there` });
}

async function findOwned(world: World, jobId: string): Promise<readonly Resource[]> {
  const [disks, vms] = await Promise.all([world.disks.list(), world.vms.list()]);
  return [
    ...disks
      .filter((disk) => disk.jobId === jobId)
      .map((disk) => ({
        kind: 'disk' as const,
        name: disk.ownedName,
        token: { diskIndex: disk.diskIndex, name: disk.ownedName, token: { storage: disk.storage } },
      })),
    ...vms
      .filter((vm) => vm.jobId === jobId)
      .map((vm) => ({ kind: 'vm' as const, name: vm.ownedName, token: vmRefOf(vm) })),
  ];
}

async function destroy(world: World, resource: Resource): Promise<void> {
  if (resource.kind === 'disk') return world.disks.remove(resource.name);
  if (resource.kind !== 'vm') return;
  // The owner decides, not the token: a name may have passed to another job since.
  const records = (await world.vms.list()).filter((vm) => vm.ownedName === resource.name);
  for (const record of records) {
    await stopVm(world.connection.state_dir, record.name, 0);
    await world.vms.remove(record.name);
  }
}

async function configureVm(world: World, params: Parameters<TargetSession['configureVm']>[0]): Promise<void> {
  const record = await requireVm(world, params.vm);
  await world.vms.replace({
    ...record,
    notes: params.spec.notes,
    tags: { ...params.spec.tags, 'ascend-job': params.jobId },
  });
}

function createSession(world: World): TargetSession {
  const { connection, deps, vms, disks, graceMs } = world;
  const stateDir = connection.state_dir;
  const { clock, workDir } = deps;
  const inventory = () => readInventory({ connection, vms, clock, workDir });
  return {
    inventory,
    check: async (wish) => checkTarget({ wish, facts: await inventory(), vms, disks }),
    openSink: (params) => openDisk({ connection, disks, workDir }, params),
    digest: (ref, signal) => digestOf(disks, ref, workDir, signal),
    createVm: (params) => createVm({ vms, disks, clock }, params),
    powerOn: async (ref, signal) => {
      assertNotCancelled(signal, `start VM ${ref.name}`);
      const record = await requireVm(world, ref);
      await startVm({ record, disks, stateDir, workDir, signal });
    },
    powerOff: async (ref) => {
      await stopVm(stateDir, ref.name, graceMs);
    },
    verifyBoot: (params) => watchBoot(stateDir, params),
    configureVm: async (params) => {
      assertNotCancelled(params.signal, `configure VM ${params.vm.name}`);
      await configureVm(world, params);
      return [];
    },
    findOwned: (jobId) => findOwned(world, jobId),
    destroy: (resource) => destroy(world, resource),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/**
 * Opens this host as a target: every storage folder must be there, the state folder is made.
 *
 * @throws {AppError} TARGET_UNREACHABLE - a storage folder is missing; TARGET_DENIED - it is not writable
 */
export async function openKvmSession(
  connection: KvmConnection,
  deps: ConnectorDeps,
  graceMs: number,
): Promise<TargetSession> {
  for (const [name, path] of Object.entries(connection.storages)) await readStorage(name, path);
  const stateDir = connection.state_dir;
  await coded(`make state folder ${stateDir}`, mkdir(stateDir, { recursive: true, mode: 0o700 }));
  const vms = createVmStore(stateDir);
  return createSession({ connection, deps, graceMs, vms, disks: createDiskStore(connection) });
}
