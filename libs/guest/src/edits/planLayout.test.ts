import type { GuestFacts, VolumeFacts } from '@ascend/domain';
import { describe, expect, it } from 'vitest';
import { applianceReasons, planLayout } from './planLayout.ts';

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
    expect(planLayout(guestWith([volume, volume], ['/', '/boot'], ['/boot']))).toEqual([]);
  });

  it('says which volume takes the appliance, and why', () => {
    const guest = guestWith([striped, volume], ['/', '/boot'], ['/boot']);
    expect(applianceReasons(guest)).toEqual([
      { mountPoint: '/', volume: 'vg0-root', reason: 'striped over 2 areas' },
    ]);
    expect(planLayout(guest)).toMatchObject([
      { code: 'GUEST_LAYOUT_UNSUPPORTED', severity: 'blocked', evidence: 'vg0-root: striped over 2 areas' },
    ]);
  });

  it('blocks where a part of the tree was not found', () => {
    const [finding] = planLayout(guestWith([volume], ['/'], ['/boot']));
    expect(finding).toMatchObject({ severity: 'blocked', evidence: 'etc/fstab; a remark' });
    expect(finding?.message).toMatch(/^\/boot is a file system of its own/);
  });

  it('blocks facts of older versions that name mounts but no volumes', () => {
    const { mounts: _, ...older } = guestWith([volume], ['/'], ['/usr']);
    expect(planLayout(older)).toHaveLength(1);
  });
});
