import type { GuestFacts, WindowsFacts, WindowsNeeds, WindowsVolumeFacts } from '@ascend/domain';
import { describe, expect, test } from 'vitest';
import { planRestore } from '../planRestore.ts';
import { sampleGuest, sampleParams, withNeeds } from '../testing/sampleParams.ts';

const volume: WindowsVolumeFacts = { dirty: false, logClosed: true, encrypted: false, dynamicDisk: false };

const windows: WindowsFacts = {
  productName: 'Windows Server 2019 Standard',
  edition: 'ServerStandard',
  installationType: 'Server',
  ntVersion: '10.0',
  build: 17_763,
  arch: 'amd64',
  systemRoot: 'Windows',
  select: { current: 1, default: 1, lastKnownGood: 1 },
  controlSets: [],
  hives: [],
  agents: [],
  hibernation: 'none',
  fastStartup: false,
  volume,
  interfaces: [],
  timeZone: null,
  computerName: 'PGTEST1',
  devicePath: null,
  sanPolicy: null,
};

const windowsNeeds: WindowsNeeds = {
  bootServices: [],
  drivers: [],
  disabledServices: [],
  sanPolicy: null,
  agents: [],
};

function messages(facts: WindowsFacts | undefined, needs: WindowsNeeds | undefined): readonly string[] {
  const known = facts === undefined ? {} : { windows: facts };
  const guest: GuestFacts = { ...sampleGuest, kernels: [], family: 'windows', ...known };
  const params = withNeeds(sampleParams(), needs === undefined ? {} : { windows: needs });
  const { findings } = planRestore({ ...params, facts: { ...params.facts, guest } });
  return findings.filter(({ code }) => code === 'PLAN_GUEST_UNSUPPORTED').map(({ message }) => message);
}

describe('a Windows guest', () => {
  test('is prepared where nothing forbids it', () => {
    expect(messages(windows, windowsNeeds)).toEqual([]);
  });

  test.each([
    ['encrypted', { volume: { ...volume, encrypted: true } }, 'BitLocker'],
    ['on a dynamic disk', { volume: { ...volume, dynamicDisk: true } }, 'dynamic disk'],
    ['hibernated', { hibernation: 'hibernated' as const }, 'hibernated'],
    ['that waits for a check', { volume: { ...volume, dirty: true } }, 'in use'],
    ['whose log is open', { volume: { ...volume, logClosed: false } }, 'in use'],
  ])('%s is blocked with the reason', (_what, changed, reason) => {
    expect(messages({ ...windows, ...changed }, windowsNeeds)).toEqual([expect.stringContaining(reason)]);
  });

  test('of which nothing is known, or for whose hardware nothing is known, is blocked', () => {
    expect(messages(undefined, windowsNeeds)).toEqual([expect.stringContaining('not known')]);
    expect(messages(windows, undefined)).toEqual([expect.stringContaining('not known')]);
  });
});
