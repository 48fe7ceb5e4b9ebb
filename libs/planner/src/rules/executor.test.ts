import type { ExecutorPolicy, GuestFacts, VolumeFacts } from '@ascend/domain';
import { describe, expect, test } from 'vitest';
import { planRestore } from '../planRestore.ts';
import { sampleGuest, sampleParams } from '../testing/sampleParams.ts';

const uuid = '6a7e0001-3b52-4d0e-9a55-0a5c3e6d0105';
const luks: VolumeFacts = {
  diskIndex: 1,
  partition: 1,
  offsetBytes: 0,
  sizeBytes: 1,
  content: 'luks',
  uuid,
  label: null,
};
const inside: VolumeFacts = {
  ...luks,
  partition: null,
  content: 'ext4',
  uuid: null,
  name: `luks-${uuid}`,
  segments: [],
  requires: 'appliance',
  requiresReason: 'inside of LUKS encryption',
};
const mounts = [{ mountPoint: '/', volume: 1, fileSystem: 'ext4', options: [] }];
const opened: GuestFacts = { ...sampleGuest, volumes: [luks, inside], mounts };

function plan(guest: GuestFacts, executor?: ExecutorPolicy, libguestfsVersion: string | null = '1.48.6') {
  const params = sampleParams();
  const policy = { ...params.request.policy, ...(executor === undefined ? {} : { executor }) };
  const agents = params.agents.map((agent) => ({
    ...agent,
    capabilities: { ...agent.capabilities, libguestfsVersion },
  }));
  return planRestore({
    ...params,
    agents,
    request: { ...params.request, policy },
    facts: { ...params.facts, guest },
  });
}

function told(...args: Parameters<typeof plan>): readonly string[] {
  const codes = /^GUEST_(?:EXECUTOR|ENCRYPTED|LAYOUT)/;
  const { findings } = plan(...args);
  return findings.filter(({ code }) => codes.test(code)).map(({ code, severity }) => `${severity} ${code}`);
}

describe('the executor of a guest', () => {
  test('is no matter where the host can mount all of it', () => {
    expect(told(sampleGuest)).toEqual([]);
    expect(told(sampleGuest, 'host')).toEqual([]);
  });

  test('is the appliance where the layout needs it, and every disk of the container gets an overlay', () => {
    const { findings, steps } = plan(opened);
    expect(findings.find(({ code }) => code === 'GUEST_EXECUTOR_CHOSEN')).toMatchObject({
      severity: 'ok',
      message: 'the guest is prepared by the appliance',
      evidence: `/ on luks-${uuid}: inside of LUKS encryption`,
    });
    const prepare = steps.find(({ kind }) => kind === 'prepare-guest');
    expect(prepare?.resources.map(({ resourceKey }) => resourceKey)).toEqual(['overlay:0', 'overlay:1']);
  });

  test('is the appliance where the policy asks for it, whatever the layout', () => {
    expect(told(sampleGuest, 'appliance')).toEqual(['ok GUEST_EXECUTOR_CHOSEN']);
  });

  test('blocks where the agent has none, or where it did not work', () => {
    expect(told(opened, 'auto', null)).toEqual(['blocked GUEST_EXECUTOR_UNAVAILABLE']);
    expect(told({ ...opened, applianceProblem: 'no kernel' })).toEqual([
      'blocked GUEST_EXECUTOR_UNAVAILABLE',
    ]);
  });

  test('is for somebody else to tell where no agent is known', () => {
    const params = sampleParams();
    const { findings } = planRestore({ ...params, agents: [], facts: { ...params.facts, guest: opened } });
    expect(findings.map(({ code }) => code)).toContain('GUEST_EXECUTOR_CHOSEN');
  });

  test('blocks where the policy forbids what the layout needs', () => {
    expect(told(opened, 'host')).toEqual(['blocked GUEST_LAYOUT_UNSUPPORTED']);
  });

  test('is the host for Windows, so that asking for the appliance blocks', () => {
    const windows: GuestFacts = { ...sampleGuest, family: 'windows' };
    expect(told(windows)).toEqual([]);
    expect(told(windows, 'appliance')).toEqual(['blocked GUEST_EXECUTOR_UNAVAILABLE']);
  });

  test('does not matter for a guest that is not prepared', () => {
    const params = sampleParams();
    const request = { ...params.request, policy: { prepareGuest: false } };
    const { findings } = planRestore({ ...params, request, facts: { ...params.facts, guest: opened } });
    expect(findings.map(({ code }) => code)).not.toContain('GUEST_EXECUTOR_CHOSEN');
  });

  test('cannot look into encryption without a key: the finding names the volume and the place of the key', () => {
    const { findings } = plan({ ...sampleGuest, root: null, volumes: [luks] });
    expect(findings.find(({ code }) => code === 'GUEST_ENCRYPTED')).toMatchObject({
      severity: 'blocked',
      message: `a volume of the guest is encrypted (LUKS ${uuid}), and no key has opened it`,
      action: expect.stringContaining(`${uuid}.key`),
    });
  });
});
