import { AppError } from '@ascend/errors';
import type { CreateVmParams, VmRef } from '@ascend/connector';
import type { Clock } from '@ascend/runtime';
import { storageOf } from './disk.ts';
import type { DiskStore } from './diskStore.ts';
import { assertNotCancelled } from './errors.ts';
import { derivedMac } from './naming.ts';
import type { VmRecord } from './vmRecord.ts';
import type { VmStore } from './vmStore.ts';

/** The reference of a recorded VM. */
export function vmRefOf(record: VmRecord): VmRef {
  return { id: record.name, name: record.name, token: { ownedName: record.ownedName } };
}

async function assertDisks(params: CreateVmParams, disks: DiskStore): Promise<void> {
  for (const { ref, planned } of params.disks) {
    const storage = storageOf(ref.token);
    if (storage === planned.storage && (await disks.isFinished(storage, ref.name))) continue;
    const message = `create VM ${params.vm.name}: disk ${ref.name} is not finished on storage ${planned.storage}`;
    throw new AppError({
      code: 'TARGET_DISK_MISSING',
      message,
      details: { diskIndex: planned.diskIndex, disk: ref.name },
    });
  }
}

function toRecord(params: CreateVmParams, clock: Clock): VmRecord {
  const { vm } = params;
  return {
    version: 1,
    name: vm.name,
    ownedName: params.ownedName,
    jobId: params.jobId,
    createdAt: new Date(clock.now()).toISOString(),
    cpuCount: vm.cpuCount,
    memoryBytes: vm.memoryBytes,
    firmware: params.firmware,
    disks: params.disks
      .map(({ planned, ref }) => ({
        diskIndex: planned.diskIndex,
        storage: planned.storage,
        ownedName: ref.name,
        bus: planned.bus,
        boot: planned.boot,
      }))
      .toSorted((left, right) => left.diskIndex - right.diskIndex),
    nics: params.nics
      .map((nic) => ({
        nicIndex: nic.nicIndex,
        mac: nic.mac ?? derivedMac(params.ownedName, nic.nicIndex),
        model: nic.model,
        network: nic.network,
        addresses: nic.addresses,
      }))
      .toSorted((left, right) => left.nicIndex - right.nicIndex),
    notes: vm.notes,
    tags: vm.tags,
  };
}

/**
 * Records a VM, powered off. A second call with the same owned name returns the first one's VM.
 *
 * @throws {AppError} TARGET_NAME_TAKEN - another owner holds the name; TARGET_DISK_MISSING; TARGET_NAME_ILLEGAL
 */
export async function createVm(
  context: { readonly vms: VmStore; readonly disks: DiskStore; readonly clock: Clock },
  params: CreateVmParams,
): Promise<VmRef> {
  const { vms } = context;
  assertNotCancelled(params.signal, `create VM ${params.vm.name}`);
  const existing = await vms.find(params.vm.name);
  if (existing === null) {
    await assertDisks(params, context.disks);
    const record = toRecord(params, context.clock);
    if (await vms.create(record)) return vmRefOf(record);
  }
  // Lost a race, or held from before: the record that is there decides.
  const holder = existing ?? (await vms.find(params.vm.name));
  if (holder?.ownedName === params.ownedName) return vmRefOf(holder);
  throw new AppError({
    code: 'TARGET_NAME_TAKEN',
    message: `create VM ${params.vm.name}: the name is held by ${holder?.ownedName ?? 'a folder without a record'}`,
    details: { name: params.vm.name },
  });
}
