import {
  isBlocked,
  windowsDevices,
  type Finding,
  type GuestFacts,
  type GuestNeeds,
  type GuestSourceFacts,
  type RestorePolicy,
  type WindowsControlSetFacts,
  type WindowsFacts,
  type WindowsNeeds,
} from '@ascend/domain';
import { describe, expect, it } from 'vitest';
import { diffInputs } from '../inputs.ts';
import { planRestore } from '../planRestore.ts';
import { sampleAgentWith, sampleGuest, sampleParams, withNeeds } from '../testing/sampleParams.ts';

const controlSet: WindowsControlSetFacts = {
  name: 'ControlSet001',
  services: [service('storahci', 3), { ...service('VMTools', 2), type: 16 }],
};

const windows: WindowsFacts = {
  productName: 'Windows Server 2019 Standard',
  edition: null,
  installationType: 'Server',
  ntVersion: '10.0',
  build: 17_763,
  arch: 'amd64',
  systemRoot: 'Windows',
  select: { current: 1, default: 1, lastKnownGood: 1 },
  controlSets: [controlSet],
  hives: [],
  agents: [],
  hibernation: 'none',
  fastStartup: false,
  volume: { dirty: false, logClosed: true, encrypted: false, dynamicDisk: false },
  interfaces: [
    {
      id: '{1}',
      name: 'Ethernet0',
      mac: null,
      dhcp: false,
      addresses: ['10.0.2.77/24'],
      gateways: [],
      dnsServers: [],
    },
  ],
  timeZone: null,
  computerName: null,
  devicePath: null,
  sanPolicy: 1,
  esp: { offsetBytes: 1, sizeBytes: 1, bootManager: true, fallback: false },
};

const needs: WindowsNeeds = {
  bootServices: [['storahci', 'msahci']],
  drivers: [windowsDevices.virtioBlock(true), windowsDevices.virtioNet(false)],
  disabledServices: ['VMTools'],
  sanPolicy: 1,
  agents: [
    {
      name: 'qemu-guest-agent',
      services: ['QEMU-GA'],
      packages: [{ arch: 'amd64', pattern: String.raw`qemu-ga-x86_64\.msi`, kind: 'msi' }],
    },
  ],
};

const drivers = { packages: 9, devices: ['PCI\\VEN_1AF4&DEV_1001', 'PCI\\VEN_1AF4&DEV_1041'], problem: null };

function service(name: string, start: number): WindowsControlSetFacts['services'][number] {
  return { name, start, type: 1, imagePath: null, group: null, startOverride: false, filePresent: true };
}

interface Asked {
  readonly sources?: GuestSourceFacts;
  readonly facts?: Partial<WindowsFacts>;
  readonly policy?: Partial<RestorePolicy>;
  readonly guest?: Partial<GuestFacts>;
  readonly needs?: Partial<GuestNeeds>;
}

function planOf(asked: Asked) {
  const guest: GuestFacts = {
    ...sampleGuest,
    kernels: [],
    family: 'windows',
    windows: { ...windows, ...asked.facts },
    ...asked.guest,
  };
  const capabilities = asked.sources === undefined ? {} : { guestSources: asked.sources };
  const params = withNeeds(sampleParams({ agents: [sampleAgentWith({}, capabilities)] }), {
    windows: needs,
    ...asked.needs,
  });
  const request = { ...params.request, policy: asked.policy ?? {} };
  return planRestore({ ...params, request, facts: { ...params.facts, guest } });
}

function told(findings: readonly Finding[], ...codes: readonly string[]): readonly string[] {
  return findings
    .filter(({ code }) => codes.includes(code))
    .map(({ severity, message }) => `${severity}: ${message}`);
}

describe('the plan of a Windows guest', () => {
  it('says what will be done to it when the agent has drivers and packages', () => {
    const { findings } = planOf({
      sources: { windowsDrivers: drivers, agentPackages: ['qemu-ga-x86_64.msi'] },
    });
    expect(isBlocked(findings)).toBe(false);
    expect(
      findings
        .filter(({ subject, severity }) => subject === 'guest' && severity === 'fixed')
        .map(({ code }) => code),
    ).toEqual([
      'GUEST_BOOT_DRIVER_DISABLED',
      'PLAN_DRIVER_INJECTED',
      'PLAN_DRIVER_INJECTED',
      'GUEST_SOURCE_TOOLS_PRESENT',
      'GUEST_NIC_NAME_UNSTABLE',
      'GUEST_EFI_FALLBACK_ABSENT',
      'GUEST_AGENT_PACKAGE_STAGED',
    ]);
  });

  it.each([
    ['an agent that tells of no drivers', undefined, 'no drivers are configured'],
    ['no drivers', { windowsDrivers: null, agentPackages: null }, 'no drivers are configured'],
    [
      'drivers for other devices',
      { windowsDrivers: { ...drivers, devices: ['PCI\\VEN_8086&DEV_100F'] }, agentPackages: null },
      'none of the 9 configured driver packages is for it',
    ],
    [
      'drivers that cannot be read',
      { windowsDrivers: { packages: 0, devices: [], problem: 'no image' }, agentPackages: null },
      'cannot be read: no image',
    ],
  ])('blocks with %s, and says what to configure where', (_what, sources, reason) => {
    const { findings } = planOf(sources === undefined ? {} : { sources });
    const missing = findings.filter(({ code }) => code === 'GUEST_DRIVER_PACKAGE_MISSING');
    expect(missing.map(({ severity }) => severity)).toEqual(['blocked', 'warning']);
    expect(missing[0]?.message).toContain(reason);
    expect(missing[0]?.action).toContain('Set ASCEND_AGENT_WINDOWS_DRIVERS on agent agent-a');
  });

  it('needs no drivers of the agent where the guest has them', () => {
    const services = [...controlSet.services, service('viostor', 3), service('netkvm', 3)];
    const { findings } = planOf({ facts: { controlSets: [{ ...controlSet, services }] } });
    expect(told(findings, 'GUEST_DRIVER_PACKAGE_MISSING', 'PLAN_DRIVER_INJECTED')).toEqual([]);
  });

  it('blocks where Windows has no driver of its own for the bus', () => {
    const windowsNeeds = { ...needs, bootServices: [['stornvme']] };
    const { findings } = planOf({
      sources: { windowsDrivers: drivers, agentPackages: null },
      needs: { windows: windowsNeeds },
    });
    expect(told(findings, 'GUEST_DRIVER_PACKAGE_MISSING')).toEqual([
      'blocked: Windows has no service and file for stornvme, which the target boots with',
    ]);
  });

  it('blocks where a hive is lost', () => {
    const lost = {
      name: 'SYSTEM',
      path: 'x',
      sizeBytes: 1,
      state: 'unrecoverable',
      driverDatabase: false,
    } as const;
    expect(told(planOf({ facts: { hives: [lost] } }).findings, 'PLAN_GUEST_UNSUPPORTED')[0]).toContain(
      'SYSTEM',
    );
  });

  it('lets a volume that was in use be edited only when that is allowed', () => {
    const facts = { volume: { ...windows.volume, dirty: true } };
    const sources = { windowsDrivers: drivers, agentPackages: null };
    const refused = planOf({ facts, sources }).findings;
    expect(refused.find(({ code }) => code === 'PLAN_GUEST_UNSUPPORTED')?.action).toContain('--accept-dirty');
    const allowed = planOf({ facts, sources, policy: { acceptDirty: true } }).findings;
    expect(isBlocked(allowed)).toBe(false);
    expect(told(allowed, 'GUEST_FILE_SYSTEM_DIRTY')).toEqual([
      'warning: the Windows volume was in use when it was backed up',
    ]);
  });

  it('does not take the word about dirty volumes where nothing is prepared', () => {
    const { findings } = planOf({ policy: { acceptDirty: true, prepareGuest: false } });
    expect(told(findings, 'PLAN_GUEST_RAW')[0]).toContain('dirty volumes');
  });

  it('becomes stale when the drivers of its agent change', () => {
    const before = planOf({ sources: { windowsDrivers: drivers, agentPackages: null } });
    const after = planOf({ sources: { windowsDrivers: { ...drivers, packages: 10 }, agentPackages: null } });
    expect(diffInputs(before, after).map(({ name }) => name)).toEqual(['source.guest-sources']);
  });
});

it('a driver that starts at boot but for an override is set to start', () => {
  const services = [{ ...service('storahci', 0), startOverride: true }];
  const { findings } = planOf({ facts: { controlSets: [{ name: 'ControlSet001', services }] } });
  expect(told(findings, 'GUEST_BOOT_DRIVER_DISABLED')).toEqual([
    'fixed: the driver storahci does not start at boot in every control set',
  ]);
});

it('a Windows without control sets, of no known architecture and without an agent to prepare it still gets its findings', () => {
  const guest: GuestFacts = {
    ...sampleGuest,
    arch: null,
    kernels: [],
    family: 'windows',
    windows: { ...windows, controlSets: [] },
  };
  const base = withNeeds(sampleParams({ agents: [] }), { windows: needs });
  const { findings } = planRestore({ ...base, facts: { ...base.facts, guest } });
  expect(told(findings, 'GUEST_DRIVER_PACKAGE_MISSING', 'GUEST_EFI_FALLBACK_ABSENT')).toEqual([
    'blocked: Windows has no service and file for storahci or msahci, which the target boots with',
    expect.stringContaining('no drivers are configured'),
    expect.stringContaining('no drivers are configured'),
    'fixed: the EFI system partition has no fallback boot program',
  ]);
});

describe('the target’s agent', () => {
  it('is not missed where it is optional', () => {
    const agents = needs.agents.map((agent) => ({ ...agent, optional: true }));
    const { findings } = planOf({ needs: { windows: { ...needs, agents } } });
    expect(told(findings, 'GUEST_AGENT_PACKAGE_MISSING')).toEqual([]);
  });

  it('is a warning with the file that would be needed where the agent has none', () => {
    const { findings } = planOf({ sources: { windowsDrivers: drivers, agentPackages: ['other.msi'] } });
    const missing = findings.find(({ code }) => code === 'GUEST_AGENT_PACKAGE_MISSING');
    expect(missing).toMatchObject({
      severity: 'warning',
      evidence: 'file that would be needed: qemu-ga-x86_64.msi',
    });
    expect(missing?.action).toContain('ASCEND_AGENT_PACKAGES');
  });

  it.each([
    ['debian', ['debian-12/qemu-guest-agent_7.2_amd64.deb'], 'GUEST_AGENT_PACKAGE_STAGED', 'fixed'],
    ['rocky', ['debian-12/qemu-guest-agent_7.2_amd64.deb'], 'GUEST_AGENT_PACKAGE_MISSING', 'warning'],
    ['alpine', ['debian-12/qemu-guest-agent_7.2_amd64.deb'], 'GUEST_AGENT_PACKAGE_MISSING', 'warning'],
  ])('of a Linux guest (%s) with %j is %s', (distribution, agentPackages, code, severity) => {
    const packages = { deb: String.raw`qemu-guest-agent_.*\.deb`, rpm: String.raw`qemu-guest-agent-.*\.rpm` };
    const agents = { enable: [], disable: [], install: [{ id: 'qemu-guest-agent', packages }] };
    const linux = {
      init: 'systemd',
      agents: [],
      selinux: 'absent',
      cloudInit: null,
      networkFiles: [],
      persistentNames: [],
      dhcpClient: true,
      blockedModules: [],
      deviceCaches: [],
      systemDiskSwaps: [],
      rcLocal: null,
    } as const;
    const base = withNeeds(
      sampleParams({
        agents: [sampleAgentWith({}, { guestSources: { windowsDrivers: null, agentPackages } })],
      }),
      { agents },
    );
    const guest: GuestFacts = { ...sampleGuest, distribution, linux };
    const { findings } = planRestore({ ...base, facts: { ...base.facts, guest } });
    expect(
      findings.filter((one) => one.code.startsWith('GUEST_AGENT')).map((one) => [one.code, one.severity]),
    ).toEqual([[code, severity]]);
  });
});

it('of two agents that are equal otherwise, the one with drivers is chosen for a Windows guest', () => {
  const base = withNeeds(sampleParams(), { windows: needs });
  const agents = [
    sampleAgentWith({ agentId: 'agent-a' }),
    sampleAgentWith(
      { agentId: 'agent-b' },
      { guestSources: { windowsDrivers: drivers, agentPackages: null } },
    ),
  ];
  const guest: GuestFacts = { ...sampleGuest, kernels: [], family: 'windows', windows };
  const plan = planRestore({ ...base, agents, facts: { ...base.facts, guest } });
  expect(plan.source.agentId).toBe('agent-b');
  expect(planRestore({ ...base, agents }).source.agentId).toBe('agent-a');
});
