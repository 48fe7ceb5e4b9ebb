import { describe, expect, test } from 'vitest';
import { planRestore } from '../planRestore.ts';
import { point, target, limit, findingsOf, gib, testObstacles } from '../testing/obstacle.ts';
import {
  sampleDisk,
  sampleParams,
  withCapabilities,
  withPolicy,
  sampleSpec,
} from '../testing/sampleParams.ts';

const second = sampleParams().facts;
/** The root on disk 0, /boot on disk 1. */
const bootOnSecondDisk = {
  ...second,
  guest: {
    ...second.guest,
    volumes: [0, 1].map((diskIndex) => ({
      diskIndex,
      partition: 1,
      offsetBytes: 1024 ** 2,
      sizeBytes: gib,
      content: 'ext4',
      uuid: null,
      label: null,
    })),
    mounts: ['/', '/boot'].map((mountPoint, volume) => ({
      mountPoint,
      volume,
      fileSystem: 'ext4',
      options: [],
    })),
  },
};

describe('obstacles', () => {
  testObstacles([
    ['a backup that failed', point({ status: 'failed' }), 'PLAN_BACKUP_INCOMPLETE blocked backup', 'failed'],
    [
      'a differential',
      point({ backupType: 'differential' }),
      'PLAN_BACKUP_DIFFERENTIAL blocked backup',
      'backup-1',
    ],
    ['a backup without disks', point({ disks: [] }), 'PLAN_BACKUP_EMPTY blocked backup', 'no disks'],
    [
      'a gap in the disk indexes',
      point({ disks: [sampleDisk(0), sampleDisk(2)] }),
      'PLAN_DISK_GAP blocked disk:1',
      'index 1',
    ],
    [
      'disk indexes that begin at 1',
      point({ disks: [sampleDisk(1)] }),
      'PLAN_DISK_GAP blocked disk:0',
      'index 0',
    ],
    [
      'a repeated disk index',
      point({ disks: [sampleDisk(0), sampleDisk(0)] }),
      'PLAN_DISK_GAP blocked disk:1',
      'index 1',
    ],
    [
      'a disk that failed',
      point({ disks: [sampleDisk(0), { ...sampleDisk(1), status: 'failed' }] }),
      'PLAN_DISK_INCOMPLETE blocked disk:1',
      'status failed',
    ],
    [
      'an excluded disk that is not there',
      withPolicy({ excludeDisks: [7] }),
      'PLAN_DISK_UNKNOWN blocked disk:7',
      '2 disks',
    ],
    [
      'an excluded boot disk',
      withPolicy({ excludeDisks: [0] }),
      'PLAN_BOOT_DISK_EXCLUDED blocked disk:0',
      'boots',
    ],
    [
      'an excluded boot disk that only the boot order names',
      withPolicy(
        { excludeDisks: [1] },
        {
          vmSpec: {
            ...sampleSpec,
            disks: [
              { diskIndex: 1, sizeBytes: gib, bus: null, bootOrder: 1, vmwareDiskKey: null },
              { diskIndex: 0, sizeBytes: gib, bus: null, bootOrder: 2, vmwareDiskKey: null },
            ],
          },
        },
      ),
      'PLAN_BOOT_DISK_EXCLUDED blocked disk:1',
      'boots',
    ],
    [
      'an excluded disk that holds /boot alone',
      withPolicy({ excludeDisks: [1] }, { facts: bootOnSecondDisk }),
      'PLAN_BOOT_DISK_EXCLUDED blocked disk:1',
      'boots',
    ],
    [
      'a disk that analysis did not see',
      point({ disks: [0, 1, 2].map(sampleDisk) }),
      'PLAN_FACTS_MISSING blocked disk:2',
      'not analysed',
    ],
    [
      'facts of another backup',
      point({ backupId: 'backup-2' }),
      'PLAN_FACTS_MISSING blocked disk:0',
      'not analysed',
    ],
    [
      'a size the target cannot make',
      withCapabilities({ diskRoundingBytes: 3 * gib }),
      'PLAN_DISK_ROUNDED fixed disk:1',
      `from ${gib} to ${3 * gib}`,
    ],
    [
      'a disk beyond the limit',
      withCapabilities({ maxDiskBytes: limit(gib) }),
      'PLAN_DISK_TOO_LARGE blocked disk:0',
      '2.0 GiB',
    ],
    [
      'more disks than allowed',
      withCapabilities({ maxDisks: limit(1) }),
      'PLAN_DISKS_TOO_MANY blocked target',
      '2 disks',
    ],
    [
      'a storage that is not there',
      withPolicy({ storage: 'gold' }),
      'PLAN_STORAGE_UNKNOWN blocked target',
      'named gold',
    ],
    [
      'a target without storage',
      target({ storages: [] }),
      'PLAN_STORAGE_UNKNOWN blocked target',
      'has no storage',
    ],
    [
      'a full storage',
      target({ storages: [{ name: 'default', freeBytes: gib, totalBytes: gib }] }),
      'PLAN_STORAGE_FULL blocked target',
      '1.2 GiB',
    ],
    [
      'a storage that others reserve',
      sampleParams({ reservations: [{ jobId: 'job-9', storage: 'default', bytes: 99.5 * gib }] }),
      'PLAN_STORAGE_FULL blocked target',
      '0.5 GiB',
    ],
    [
      'a storage too small for fully written disks',
      target({ storages: [{ name: 'default', freeBytes: 2 * gib, totalBytes: 2 * gib }] }),
      'PLAN_STORAGE_OVERCOMMITTED warning target',
      '3.0 GiB',
    ],
  ]);
});

function chosen(reserved: readonly string[], names = ['c', 'b', 'a']): string | undefined {
  return planRestore({
    ...target({ storages: names.map((name) => ({ name, freeBytes: 100 * gib, totalBytes: 100 * gib })) }),
    reservations: reserved.map((storage) => ({ jobId: 'job-9', storage, bytes: gib })),
  }).disks[0]?.storage;
}

describe('choices', () => {
  test('the storage with most space that nobody reserved is taken, the first by name among equals', () => {
    expect(chosen([], ['a', 'b', 'c'])).toBe('a');
    expect(chosen([])).toBe('a');
    expect(chosen(['a'])).toBe('b');
    expect(chosen(['a', 'b'])).toBe('c');
  });

  test('the lower index boots when the specification gives two disks the same place in the boot order', () => {
    const disks = [1, 0].map((diskIndex) => ({
      diskIndex,
      sizeBytes: gib,
      bus: null,
      bootOrder: 1,
      vmwareDiskKey: null,
    }));
    const plan = planRestore(sampleParams({ vmSpec: { ...sampleSpec, disks } }));
    expect(plan.disks.map((disk) => disk.boot)).toEqual([true, false]);
  });

  test('a raw restore keeps bus and model that the platform offers', () => {
    const raw = planRestore(withPolicy({ prepareGuest: false }));
    expect([raw.disks[0]?.bus, raw.nics[0]?.model]).toEqual(['pvscsi', 'vmxnet3']);
    const foreign = planRestore(
      withCapabilities({ diskBuses: ['ahci'], nicModels: ['e1000e'] }, withPolicy({ prepareGuest: false })),
    );
    expect([foreign.disks[0]?.bus, foreign.nics[0]?.model]).toEqual(['ahci', 'e1000e']);
    const unknown = planRestore(withPolicy({ prepareGuest: false }, { vmSpec: null }));
    expect([unknown.disks[0]?.bus, unknown.nics[0]?.model]).toEqual(['virtio-blk', 'virtio-net-pci']);
  });

  test('a long inventory is cut in the evidence', () => {
    const storages = Array.from({ length: 12 }, (_, index) => ({
      name: `s${index}`,
      freeBytes: 1,
      totalBytes: 1,
    }));
    const found = findingsOf(target({ storages }, { storage: 'gold' })).find(
      (finding) => finding.code === 'PLAN_STORAGE_UNKNOWN',
    );
    expect(found?.evidence).toMatch(/and 2 more$/);
  });

  test('a layer list that is empty falls back to the recorded path', () => {
    const params = sampleParams();
    const disks = params.facts.disks.map((disk) => ({ ...disk, layers: [] }));
    const plan = planRestore({ ...params, facts: { ...params.facts, disks } });
    expect(plan.source.disks[0]?.relPath).toBe('/mnt/backups/ctx-1/disk-0/inc2.qcow2');
  });

  test('a platform without buses and models is named as having none', () => {
    const plan = planRestore(withCapabilities({ diskBuses: [], nicModels: [] }));
    expect([plan.disks[0]?.bus, plan.nics[0]?.model]).toEqual(['-', '-']);
  });
});
