import { expect, it } from 'vitest';
import type { SuiteWorld } from './suiteWorld.ts';

const signal = new AbortController().signal;

/** VMs: one per job whatever happens, adoption, power, removal. */
export function describeVms(world: SuiteWorld): void {
  const prepare = async (jobId: string, name: string) => {
    const ref = await world.makeDisk(jobId, `ascend-${jobId}-disk`);
    return world.vmParams(jobId, name, ref);
  };

  it('creates one VM when the call is made twice, and after a crash in a new session', async () => {
    const before = await world.harness().countVms();
    const params = await prepare('twice', 'twice-vm');
    const first = await world.withSession(async (session) => {
      const ref = await session.createVm(params);
      expect(await session.createVm(params)).toEqual(ref);
      return ref;
    });
    const adopted = await world.withSession((session) => session.createVm(params));
    expect(adopted).toEqual(first);
    expect(await world.harness().countVms()).toBe(before + 1);
  });

  it('creates one VM when two attempts race', async () => {
    const before = await world.harness().countVms();
    const params = await prepare('race', 'race-vm');
    await using left = await world.openSession();
    await using right = await world.openSession();
    const [one, other] = await Promise.all([left.createVm(params), right.createVm(params)]);
    expect(one).toEqual(other);
    expect(await world.harness().countVms()).toBe(before + 1);
  });

  it('refuses a name that another job or somebody else holds', async () => {
    await world.harness().putForeignVm('held');
    const foreign = await prepare('taken', 'held');
    const ours = await prepare('owner', 'owned-name');
    const rival = { ...(await prepare('rival', 'owned-name')) };
    await world.withSession(async (session) => {
      await expect(session.createVm(foreign)).rejects.toMatchObject({ code: 'TARGET_NAME_TAKEN' });
      await session.createVm(ours);
      await expect(session.createVm(rival)).rejects.toMatchObject({ code: 'TARGET_NAME_TAKEN' });
    });
  });

  it('refuses a VM whose disk is not there', async () => {
    const params = await prepare('diskless', 'diskless-vm');
    const [disk] = params.disks;
    const missing = { ...disk!, ref: { ...disk!.ref, name: 'ascend-diskless-nothing', token: null } };
    await world.withSession(async (session) => {
      await session.destroy({ kind: 'disk', name: disk!.ref.name, token: disk!.ref }, signal);
      for (const disks of [[disk!], [missing]]) {
        await expect(session.createVm({ ...params, disks })).rejects.toMatchObject({
          code: 'TARGET_DISK_MISSING',
        });
      }
      expect(await session.findOwned('diskless', signal)).toEqual([]);
    });
  });

  it('lists exactly what carries the names of the job', async () => {
    const params = await prepare('listed', 'listed-vm');
    await prepare('listed-2', 'other-vm');
    await world.withSession(async (session) => {
      await session.createVm(params);
      const found = await session.findOwned('listed', signal);
      expect(found.map(({ kind, name }) => `${kind} ${name}`).toSorted()).toEqual([
        'disk ascend-listed-disk',
        `vm ${params.ownedName}`,
      ]);
    });
  });

  it('removes a VM with and without its token, and calls it success when there is none', async () => {
    const params = await prepare('removed', 'removed-vm');
    const before = await world.harness().countVms();
    await world.withSession(async (session) => {
      const resource = { kind: 'vm' as const, name: params.ownedName, token: null };
      await session.destroy(resource, signal);
      await session.createVm(params);
      await session.destroy(resource, signal);
      expect(await world.harness().countVms()).toBe(before);
      const ref = await session.createVm(params);
      await session.destroy({ ...resource, token: ref }, signal);
      await session.destroy({ ...resource, token: ref }, signal);
    });
    expect(await world.harness().countVms()).toBe(before);
  });

  it('never removes the VM of another owner under the same token', async () => {
    const params = await prepare('kept', 'kept-vm');
    const before = await world.harness().countVms();
    await world.withSession(async (session) => {
      const ref = await session.createVm(params);
      const wrong = { kind: 'vm' as const, name: 'ascend-somebody-create-vm-vm', token: ref };
      await session.destroy(wrong, signal);
    });
    expect(await world.harness().countVms()).toBe(before + 1);
  });

  it('starts and stops a VM, twice each, and stops one that is not there', async () => {
    if (!world.harness().starts) return;
    const params = await prepare('power', 'power-vm');
    await world.withSession(async (session) => {
      const ref = await session.createVm(params);
      await session.powerOn(ref, signal);
      await session.powerOn(ref, signal);
      await session.configureVm({ vm: ref, spec: params.vm, jobId: 'power', signal });
      await session.configureVm({ vm: ref, spec: params.vm, jobId: 'power', signal });
      await session.powerOff(ref, signal);
      await session.powerOff(ref, signal);
      await session.destroy({ kind: 'vm', name: params.ownedName, token: ref }, signal);
      await session.powerOff(ref, signal);
      await expect(session.powerOn(ref, signal)).rejects.toMatchObject({ code: 'TARGET_VM_MISSING' });
    });
  });

  it('says that a VM is off instead of waiting for its boot', async () => {
    const params = await prepare('off', 'off-vm');
    await world.withSession(async (session) => {
      const vm = await session.createVm(params);
      const demand = { evidence: 'serial-marker', serialMarker: null, expectedAddresses: [] } as const;
      const watch = session.verifyBoot({
        ...demand,
        vm,
        timeoutMs: 60_000,
        onProgress: () => undefined,
        signal,
      });
      await expect(watch).rejects.toMatchObject({ code: 'TARGET_VM_STOPPED' });
    });
  });

  it('removes a VM that runs', async () => {
    if (!world.harness().starts) return;
    const params = await prepare('running', 'running-vm');
    const before = await world.harness().countVms();
    await world.withSession(async (session) => {
      const ref = await session.createVm(params);
      await session.powerOn(ref, signal);
      await session.destroy({ kind: 'vm', name: params.ownedName, token: ref }, signal);
    });
    expect(await world.harness().countVms()).toBe(before);
  });
}
