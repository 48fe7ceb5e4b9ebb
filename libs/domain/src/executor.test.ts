import { expect, it } from 'vitest';
import { applianceReasons, chooseExecutor, lockedVolumes, openedName } from './executor.ts';
import type { VolumeFacts } from './facts.ts';

const plain: VolumeFacts = {
  diskIndex: 0,
  partition: 1,
  offsetBytes: 0,
  sizeBytes: 1,
  content: 'ext4',
  uuid: null,
  label: null,
  requires: 'host',
};
const striped: VolumeFacts = {
  ...plain,
  partition: null,
  name: 'vg-root',
  requires: 'appliance',
  requiresReason: 'striped over 2 areas',
};
const mounts = [{ mountPoint: '/', volume: 0, fileSystem: 'ext4', options: [] }];

it('takes the host where the layout allows it, and says so', () => {
  expect(chooseExecutor({ volumes: [plain], mounts }, 'auto')).toEqual({
    kind: 'host',
    reason: 'every volume of the system lies in one piece on one disk',
  });
});

it('takes the appliance where a volume needs it, naming the volume and why', () => {
  expect(chooseExecutor({ volumes: [striped], mounts }, 'auto')).toEqual({
    kind: 'appliance',
    reason: '/ on vg-root: striped over 2 areas',
  });
});

it('obeys a policy whatever the layout, and still knows what the host cannot mount', () => {
  expect(chooseExecutor({ volumes: [plain], mounts }, 'appliance').kind).toBe('appliance');
  expect(chooseExecutor({ volumes: [striped], mounts }, 'host').kind).toBe('host');
  expect(applianceReasons({ volumes: [striped], mounts })).toEqual([
    { mountPoint: '/', volume: 'vg-root', reason: 'striped over 2 areas' },
  ]);
});

it('knows an encrypted volume as locked until its contents are among the volumes', () => {
  const luks: VolumeFacts = { ...plain, content: 'luks', uuid: 'AB-CD' };
  expect(lockedVolumes({ volumes: [plain, luks] })).toEqual(['ab-cd']);
  expect(lockedVolumes({ volumes: [luks, { ...plain, name: openedName('AB-CD') }] })).toEqual([]);
  expect(lockedVolumes({})).toEqual([]);
});
