import { expect, it } from 'vitest';
import type { Finding } from '@ascend/domain';
import type { TargetCheckParams } from '../connector.ts';
import type { SuiteWorld } from './suiteWorld.ts';
import { sampleVm } from './samples.ts';

const signal = new AbortController().signal;

function blockedCodes(findings: readonly Finding[]): string[] {
  return findings.filter((finding) => finding.severity === 'blocked').map((finding) => finding.code);
}

/** Connections, inventory and the pre-flight check. */
export function describeChecks(world: SuiteWorld): void {
  const wish = (name: string, change: Partial<TargetCheckParams> = {}): TargetCheckParams => ({
    vm: sampleVm({ name, disks: [world.disk()], nics: [world.nic()] }),
    disks: [world.disk()],
    nics: [world.nic()],
    ownNames: [],
    signal,
    ...change,
  });
  const check = (params: TargetCheckParams): Promise<readonly Finding[]> =>
    world.withSession((session) => session.check(params));

  const found = async (change: Partial<TargetCheckParams>) =>
    blockedCodes(await check(wish('unknown', change)));

  it('refuses connections of another form without any call', () => {
    const { connector, invalidConnections } = world.harness();
    expect(invalidConnections.length).toBeGreaterThan(0);
    for (const connection of invalidConnections) {
      expect(() => connector.parseConnection(connection)).toThrow(
        expect.objectContaining({ code: 'TARGET_CONNECTION_INVALID' }),
      );
    }
  });

  it('lists the storage, the network and the names that are taken', async () => {
    await world.harness().putForeignVm('somebody-elses');
    const facts = await world.withSession((session) => session.inventory(signal));
    const storage = facts.storages.find((entry) => entry.name === world.harness().storage);
    expect(storage?.freeBytes).toBeGreaterThan(0);
    expect(storage?.totalBytes).toBeGreaterThanOrEqual(storage?.freeBytes ?? 0);
    expect(facts.networks.map((network) => network.name)).toContain(world.harness().network);
    expect(facts.vmNames).toContain('somebody-elses');
    expect(facts.cpuCount).toBeGreaterThan(0);
    expect(facts.memoryBytes).toBeGreaterThan(0);
  });

  it('has nothing against a VM that fits, and creates nothing by checking', async () => {
    const before = await world.harness().countVms();
    expect(blockedCodes(await check(wish('fits')))).toEqual([]);
    expect(await world.harness().countVms()).toBe(before);
  });

  it('finds a disk that is too large', async () => {
    const limit = world.harness().connector.capabilities.maxDiskBytes.value;
    const disk = { ...world.disk(limit + 512), bytesToMove: 512 };
    expect(blockedCodes(await check(wish('large', { disks: [disk] })))).toEqual(['TARGET_DISK_TOO_LARGE']);
  });

  it('finds an unknown network, storage, bus and card', async () => {
    expect(await found({ nics: [{ ...world.nic(), network: 'nowhere' }] })).toEqual([
      'TARGET_NETWORK_UNKNOWN',
    ]);
    expect(await found({ disks: [{ ...world.disk(), storage: 'nowhere' }] })).toEqual([
      'TARGET_STORAGE_UNKNOWN',
    ]);
    expect(await found({ disks: [{ ...world.disk(), bus: 'floppy' }] })).toEqual([
      'TARGET_HARDWARE_UNSUPPORTED',
    ]);
    expect(await found({ nics: [{ ...world.nic(), model: 'modem' }] })).toEqual([
      'TARGET_HARDWARE_UNSUPPORTED',
    ]);
  });

  it('finds a storage without enough space, counting all disks that go there', async () => {
    const facts = await world.withSession((session) => session.inventory(signal));
    const free = facts.storages.find((entry) => entry.name === world.harness().storage)?.freeBytes ?? 0;
    // 70 % each: either one fits, both do not. A margin for what others write meanwhile.
    const sizeBytes = Math.floor((free * 0.7) / 512) * 512;
    const disks = [world.disk(sizeBytes), { ...world.disk(sizeBytes), diskIndex: 1, boot: false }];
    expect(blockedCodes(await check(wish('roomy', { disks: disks.slice(0, 1) })))).toEqual([]);
    expect(blockedCodes(await check(wish('full', { disks })))).toEqual(['TARGET_STORAGE_FULL']);
  });

  it('finds a name that is taken or not allowed, but not our own', async () => {
    const { connector } = world.harness();
    expect(blockedCodes(await check(wish('somebody-elses')))).toEqual(['TARGET_NAME_TAKEN']);
    const long = 'n'.repeat(connector.capabilities.maxNameLength + 1);
    expect(blockedCodes(await check(wish(long)))).toEqual(['TARGET_NAME_ILLEGAL']);
    const ref = await world.makeDisk('check-job', 'ascend-check-job-disk');
    const params = world.vmParams('check-job', 'ours-already', ref);
    await world.withSession((session) => session.createVm(params));
    expect(blockedCodes(await check(wish('ours-already')))).toEqual(['TARGET_NAME_TAKEN']);
    expect(blockedCodes(await check(wish('ours-already', { ownNames: [params.ownedName] })))).toEqual([]);
  });
}
