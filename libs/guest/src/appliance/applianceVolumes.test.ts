import type { VolumeFacts } from '@ascend/domain';
import { describe, expect, it } from 'vitest';
import type { DiskLayout } from '../volumes/volumeFacts.ts';
import { addApplianceVolumes, findFileSystem } from './applianceVolumes.ts';
import type { ApplianceFileSystem, ApplianceLayout } from './inspectLayout.ts';

const luksUuid = '6a7e0001-3b52-4d0e-9a55-0a5c3e6d0105';

function system(device: string, uuid: string, type = 'ext4'): ApplianceFileSystem {
  return { device, type, label: null, uuid, sizeBytes: 7, subvolumes: [] };
}

function volume(changes: Partial<VolumeFacts>): VolumeFacts {
  const place = { diskIndex: 0, partition: null, offsetBytes: 0, sizeBytes: 1 };
  return { ...place, content: 'unknown', uuid: null, label: null, ...changes };
}

const seen: ApplianceLayout = {
  disks: [
    { diskIndex: 0, device: '/dev/sdb', sizeBytes: 1 },
    { diskIndex: 4, device: '/dev/sda', sizeBytes: 1 },
  ],
  fileSystems: [
    system('/dev/sdb1', 'boot'),
    system('/dev/vg-0/thin', 'thin'),
    system('/dev/md127', 'array'),
    system('/dev/mapper/luks0', 'inner', 'xfs'),
  ],
  logicalVolumes: [],
  arrays: [{ device: '/dev/md127', level: 'raid5', uuid: 'aaaabbbb:cccc:dddd', members: 3 }],
  luks: [{ device: '/dev/sda3', uuid: luksUuid, openedAs: '/dev/mapper/luks0' }],
};

const boot = volume({ partition: 1, content: 'ext4', uuid: 'BOOT' });
const thin = volume({ name: 'vg--0-thin', segments: [], requires: 'appliance' });
const array = volume({ name: 'md0', arrayUuid: 'aaaabbbb-cccc-dddd', segments: [], requires: 'appliance' });
const container = volume({ diskIndex: 4, partition: 3, content: 'luks', uuid: luksUuid });

const source = { sizeBytes: 1, read: async () => Buffer.alloc(0) };
const host: DiskLayout = {
  volumes: [boot, thin, array, container],
  tables: new Map(),
  sources: [source, null, null, source],
};

describe('volumes as an appliance sees them', () => {
  it('keep their place in the layout of the host and get contents where the host could only name them', () => {
    const { layout, devices } = addApplianceVolumes(host, seen);
    expect(layout.volumes.slice(0, 4)).toMatchObject([
      boot,
      { name: 'vg--0-thin', content: 'ext4', uuid: 'thin', sizeBytes: 7, requires: 'appliance' },
      { name: 'md0', content: 'ext4', uuid: 'array' },
      container,
    ]);
    expect([...devices]).toEqual([
      [0, '/dev/sdb1'],
      [1, '/dev/vg-0/thin'],
      [2, '/dev/md127'],
      [4, '/dev/mapper/luks0'],
    ]);
    expect(layout.sources).toHaveLength(5);
  });

  it('are added where they lie inside of encryption, on the disk of the container', () => {
    const { layout } = addApplianceVolumes(host, seen);
    expect(layout.volumes[4]).toMatchObject({
      diskIndex: 4,
      name: `luks-${luksUuid}`,
      content: 'xfs',
      uuid: 'inner',
      requires: 'appliance',
      requiresReason: 'inside of LUKS encryption',
    });
  });

  it('name a container that only the appliance sees', () => {
    const nested = { device: '/dev/vg-0/thin', uuid: 'nested-uuid', openedAs: null };
    const { layout, devices } = addApplianceVolumes(host, { ...seen, luks: [nested] });
    expect(layout.volumes.find(({ uuid }) => uuid === 'nested-uuid')).toMatchObject({ content: 'luks' });
    expect([...devices.keys()]).not.toContain(layout.volumes.length - 1);
  });

  it('are found again in another session by name, else by a UUID that one alone has, else not', () => {
    expect(findFileSystem({ ...thin, uuid: 'thin', content: 'ext4' }, seen)?.device).toBe('/dev/vg-0/thin');
    const renamed = volume({ name: 'md126p1', uuid: 'ARRAY', content: 'ext4' });
    expect(findFileSystem(renamed, seen)?.device).toBe('/dev/md127');
    expect(findFileSystem({ ...boot, uuid: 'other' }, seen)).toBeNull();
    const twice = { ...seen, fileSystems: [...seen.fileSystems, system('/dev/sdc1', 'array')] };
    expect(findFileSystem(renamed, twice)).toBeNull();
  });
});
