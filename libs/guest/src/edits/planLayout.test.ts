import { lockedVolumes, type GuestFacts, type VolumeFacts } from '@ascend/domain';
import { describe, expect, it } from 'vitest';
import { planExecutor, planKeys, planLayout } from './planLayout.ts';

const volume: VolumeFacts = {
  diskIndex: 0,
  partition: 1,
  offsetBytes: 1,
  sizeBytes: 1,
  content: 'ext4',
  uuid: null,
  label: null,
  requires: 'host',
  requiresReason: null,
};
const striped: VolumeFacts = {
  ...volume,
  partition: null,
  name: 'vg0-root',
  requires: 'appliance',
  requiresReason: 'striped over 2 areas',
};

function guestWith(
  volumes: readonly VolumeFacts[],
  points: readonly string[],
  separateMounts: readonly string[],
): GuestFacts {
  return {
    family: 'linux',
    distribution: null,
    version: null,
    arch: null,
    hostname: null,
    root: { diskIndex: 0, offsetBytes: 1, sizeBytes: 1, fileSystem: 'ext4' },
    firmware: 'bios',
    initramfsTool: 'none',
    kernels: [],
    nics: [],
    volumes,
    mounts: points.map((mountPoint, index) => ({
      mountPoint,
      volume: index,
      fileSystem: 'ext4',
      options: [],
    })),
    boot: {
      configPaths: [],
      consoles: [],
      grubDefaults: false,
      separateMounts,
      systemdVersion: null,
      cloudInit: false,
    },
    remarks: ['a remark'],
  };
}

describe('planLayout', () => {
  it('has nothing against volumes that the host can mount', () => {
    expect(planLayout(guestWith([volume, volume], ['/', '/boot'], ['/boot']), 'host')).toEqual([]);
  });

  it('says which volume takes the appliance, and why', () => {
    const guest = guestWith([striped, volume], ['/', '/boot'], ['/boot']);
    expect(planLayout(guest, 'host')).toMatchObject([
      { code: 'GUEST_LAYOUT_UNSUPPORTED', severity: 'blocked', evidence: 'vg0-root: striped over 2 areas' },
    ]);
    expect(planLayout(guest, 'auto')).toEqual([]);
    expect(planExecutor(guest, 'auto')).toMatchObject({
      severity: 'ok',
      message: 'the guest is prepared by the appliance',
      evidence: '/ on vg0-root: striped over 2 areas',
    });
  });

  it('blocks a guest that needs the appliance where none works, and lets the others pass', () => {
    const broken = { applianceProblem: 'none is set up' };
    const guest = { ...guestWith([striped], ['/'], []), ...broken };
    expect(planLayout(guest, 'auto')).toMatchObject([
      {
        code: 'GUEST_EXECUTOR_UNAVAILABLE',
        severity: 'blocked',
        message: 'the guest needs the appliance, which does not work here: none is set up',
      },
    ]);
    expect(planLayout({ ...guestWith([volume], ['/'], []), ...broken }, 'auto')).toEqual([]);
  });

  it('names every encrypted volume without a key, and where its key belongs', () => {
    const luks: VolumeFacts = { ...volume, content: 'luks', uuid: '6A7E-01' };
    const guest = guestWith([luks], [], []);
    expect(lockedVolumes(guest)).toEqual(['6a7e-01']);
    expect(planKeys(guest)).toMatchObject([
      {
        code: 'GUEST_ENCRYPTED',
        severity: 'blocked',
        message: 'a volume of the guest is encrypted (LUKS 6a7e-01), and no key has opened it',
        action: expect.stringContaining('6a7e-01.key in the key folder'),
      },
    ]);
    expect(planKeys(guestWith([luks, { ...volume, name: 'luks-6a7e-01' }], [], []))).toEqual([]);
  });

  it('blocks where a part of the tree was not found', () => {
    const [finding] = planLayout(guestWith([volume], ['/'], ['/boot']), 'host');
    expect(finding).toMatchObject({ severity: 'blocked', evidence: 'etc/fstab; a remark' });
    expect(finding?.message).toMatch(/^\/boot is a file system of its own/);
  });

  it('blocks facts of older versions that name mounts but no volumes', () => {
    const { mounts: _, ...older } = guestWith([volume], ['/'], ['/usr']);
    expect(planLayout(older, 'host')).toHaveLength(1);
  });
});
