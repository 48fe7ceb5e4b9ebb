import { isBlocked, type WindowsFacts } from '@ascend/domain';
import { withTempFolder } from '@ascend/disk/testing';
import { describe, expect, test } from 'vitest';
import {
  memoryFiles,
  phonyMac,
  phonyNeeds,
  phonyPlannedNic,
  phonyPlanParams,
  phonyVersions,
  phonyWindows,
  writePhonyDrivers,
  type PhonyName,
} from '../../testing/phonyWindows/index.ts';
import type { PackageFolder } from '../../packages/packageFolder.ts';
import { readDriverFolder, type DriverFolder } from '../drivers/driverFolder.ts';
import { probeWindows } from '../probe/probeWindows.ts';
import type { WindowsPlanParams } from './planParams.ts';
import { planWindowsEdits } from './planWindowsEdits.ts';
import type { WindowsEdit } from './windowsEdit.ts';

const names = Object.keys(phonyVersions).filter((name): name is PhonyName => name in phonyVersions);

async function factsOf(
  name: PhonyName,
  options: Parameters<typeof phonyWindows>[1] = {},
): Promise<WindowsFacts> {
  const volume = { dirty: false, logClosed: true, encrypted: false, dynamicDisk: false };
  const services = ['VMTools', 'QEMU-GA', 'viostor'];
  const probed = await probeWindows({ files: memoryFiles(phonyWindows(name, options)), volume, services });
  if (probed === null) throw new Error('no Windows found');
  return probed.facts;
}

async function driverFolder(date?: string): Promise<DriverFolder> {
  return await withTempFolder(async (root) => {
    await writePhonyDrivers(root, date);
    return await readDriverFolder(root);
  });
}

function packagesOf(...relPaths: readonly string[]): PackageFolder {
  const files = relPaths.map((relPath) => ({ path: `/packages/${relPath}`, relPath, sizeBytes: 5 }));
  return { folder: '/packages', files };
}

async function planOf(name: PhonyName, change: Partial<WindowsPlanParams> = {}) {
  const base = { ...phonyPlanParams(phonyMac), drivers: await driverFolder() };
  return planWindowsEdits({ ...base, facts: await factsOf(name), ...change });
}

function registry(edits: readonly WindowsEdit[]): readonly string[] {
  return edits.flatMap((edit) => {
    if (edit.kind === 'set-registry-value')
      return [`${edit.hive}\\${edit.key}: ${edit.name}=${String(edit.value.data)}`];
    return edit.kind === 'delete-registry-key' ? [`-${edit.hive}\\${edit.key}`] : [];
  });
}

describe('planning a Windows guest', () => {
  test.each(names)(
    '%s: boot drivers in every control set, overrides gone, source tools off, disks online',
    async (name) => {
      const { edits, findings } = await planOf(name);
      expect(isBlocked(findings)).toBe(false);
      const lines = registry(edits);
      const ahci = phonyVersions[name].driverDatabase.length > 0 ? 'storahci' : 'msahci';
      for (const set of ['ControlSet001', 'ControlSet002']) {
        const services = `SYSTEM\\${set}\\Services`;
        expect(lines).toContain(`${services}\\${ahci}: Start=0`);
        expect(lines).toContain(`${services}\\viostor: Start=0`);
        expect(lines).toContain(`${services}\\viostor: ImagePath=System32\\drivers\\viostor.sys`);
        expect(lines).toContain(`${services}\\viostor\\Parameters\\PnpInterface: 5=1`);
        expect(lines).toContain(`${services}\\VMTools: Start=4`);
        expect(lines).toContain(`${services}\\partmgr\\Parameters: SanPolicy=1`);
        expect(lines).toContain(`${services}\\AscendFirstBoot: Start=2`);
        expect(lines.includes(`-${services}\\storahci\\StartOverride`)).toBe(ahci === 'storahci');
        // It starts at boot already.
        expect(lines).not.toContain(`${services}\\atapi: Start=0`);
      }
      expect(edits.every((edit) => edit.reason.length > 10)).toBe(true);
    },
  );

  test.each(names)('%s: hardware is mapped to its driver where this version looks for it', async (name) => {
    const lines = registry((await planOf(name)).edits);
    const hives = phonyVersions[name].driverDatabase;
    for (const hive of ['SYSTEM', 'DRIVERS'] as const) {
      const mapped = lines.includes(
        `${hive}\\DriverDatabase\\DeviceIds\\PCI\\VEN_1AF4&DEV_1001: viostor.inf=02ff0000`,
      );
      expect(mapped).toBe(hives.some((each) => each === hive));
    }
    const critical =
      'SYSTEM\\ControlSet002\\Control\\CriticalDeviceDatabase\\PCI#VEN_1AF4&DEV_1042: Service=viostor';
    expect(lines.includes(critical)).toBe(hives.length === 0);
    expect(lines).toContain(
      'SOFTWARE\\Microsoft\\Windows\\CurrentVersion: DevicePath=%SystemRoot%\\inf;%SystemRoot%\\Drivers\\Ascend\\viostor;%SystemRoot%\\Drivers\\Ascend\\netkvm',
    );
  });

  test('the version value of a package is as Windows writes it', async () => {
    // A value that Windows itself had written for a driver of 2021-12-02, version 100.90.104.21500, on amd64.
    const drivers = await driverFolder('12/02/2021');
    const { edits } = await planOf('2k25', { drivers });
    const version = edits.find((edit) => edit.kind === 'set-registry-value' && edit.name === 'Version');
    expect(version).toMatchObject({
      value: {
        data: '00ff0900000000007be9364d25e3ce11bfc108002be1031800c0978c0fe7d701fc5368005a0064000000000000000000',
      },
    });
  });

  test('files of the chosen packages are staged, the boot driver in place', async () => {
    const { edits } = await planOf('2k19');
    const staged = edits.flatMap((edit) => (edit.kind === 'stage-file' ? [edit.path] : []));
    expect(staged).toStrictEqual([
      'Windows/System32/drivers/viostor.sys',
      ...['viostor.inf', 'viostor.cat', 'viostor.sys'].map(
        (file) => `Windows/Drivers/Ascend/viostor/${file}`,
      ),
      ...['netkvm.inf', 'netkvm.cat', 'netkvm.sys'].map((file) => `Windows/Drivers/Ascend/netkvm/${file}`),
    ]);
  });

  test('first boot installs drivers and gives the address to the card with the MAC, with bounded tries', async () => {
    const { edits, findings } = await planOf('2k25', {
      packages: packagesOf('qemu-ga-x86_64.msi', 'qemu-ga-i386.msi'),
    });
    const file = (name: string): string => {
      const edit = edits.find((each) => each.kind === 'write-file' && each.path === `Windows/Ascend/${name}`);
      return edit?.kind === 'write-file' ? edit.content : '';
    };
    expect(file('firstboot.cmd')).toContain(
      'call :driver "%SystemRoot%\\Drivers\\Ascend\\viostor\\viostor.inf"',
    );
    expect(file('firstboot.cmd')).toContain('msiexec.exe /i "%SystemRoot%\\Ascend\\qemu-ga-x86_64.msi"');
    expect(file('firstboot.cmd')).toContain('if %boots% gtr 3 goto giveup');
    expect(file('firstboot.cmd')).toContain('sc.exe delete AscendFirstBoot');
    expect(file('network.ps1')).toContain(`$_.MACAddress -eq '${phonyMac.toUpperCase()}'`);
    expect(file('network.ps1')).toContain('set address name=$index static 10.0.2.77 255.255.255.0 10.0.2.2');
    expect(file('network.ps1')).toContain('add address name=$index 10.0.2.78 255.255.255.0');
    expect(file('network.ps1')).toContain('set dnsservers name=$index static 10.0.2.3 primary');
    expect(file('firstboot.cmd').replaceAll('\r\n', '')).not.toContain('\n');
    expect(findings.map((each) => each.code)).toContain('GUEST_NIC_NAME_UNSTABLE');
  });

  test('an address is left alone where the platform owns it, and asked about where its card is not known', async () => {
    const owned = await planOf('2k19', { networkIdentity: 'platform-dhcp' });
    expect(owned.edits.some((edit) => edit.kind === 'write-file' && edit.path.endsWith('network.ps1'))).toBe(
      false,
    );
    const nics = [
      phonyPlannedNic('52:54:00:00:00:01'),
      { ...phonyPlannedNic('52:54:00:00:00:02'), nicIndex: 1 },
    ];
    const unknown = await planOf('2k19', { nics });
    expect(unknown.findings.find((each) => each.code === 'GUEST_NIC_UNKNOWN')?.severity).toBe('warning');
  });

  test('a driver or agent that is installed is not installed again', async () => {
    const services = 'ControlSet001\\Services';
    const own = { Start: { type: 'REG_DWORD', data: 3 }, Type: { type: 'REG_DWORD', data: 1 } } as const;
    const facts = await factsOf('2k19', {
      system: {
        [`${services}\\viostor`]: own,
        [`${services}\\QEMU-GA`]: { Start: { type: 'REG_DWORD', data: 4 } },
      },
      files: { '/Windows/System32/drivers/viostor.sys': Buffer.from('x') },
    });
    const { edits } = await planOf('2k19', { facts });
    expect(edits.some((edit) => edit.kind === 'stage-file' && edit.path.includes('viostor'))).toBe(false);
    expect(registry(edits)).toContain(`SYSTEM\\${services}\\viostor: Start=0`);
    expect(registry(edits)).toContain(`SYSTEM\\${services}\\QEMU-GA: Start=2`);
  });

  test('a guest that needs nothing gets no edits', async () => {
    const needs = {
      ...phonyNeeds,
      bootServices: [['atapi']],
      drivers: [],
      disabledServices: [],
      sanPolicy: null,
      agents: [],
    };
    const { edits, findings } = await planOf('2k25', { needs, networkIdentity: 'platform-dhcp' });
    expect([edits, findings]).toStrictEqual([[], []]);
  });

  test.each([
    [{ bootManager: true, fallback: false }, 1],
    [{ bootManager: true, fallback: true }, 0],
    [{ bootManager: false, fallback: false }, 0],
    [null, 0],
  ])('with the boot loaders %j there are %i fallback copies', async (esp, count) => {
    const copies = (await planOf('2k19', { esp })).edits.filter((edit) => edit.kind === 'copy-efi-file');
    expect(copies).toHaveLength(count);
    expect(copies.every((edit) => edit.to === 'EFI/BOOT/BOOTX64.EFI')).toBe(true);
  });
});

describe('refusing a Windows guest', () => {
  const volume = { dirty: false, logClosed: true, encrypted: false, dynamicDisk: false };
  const refusals: readonly (readonly [string, string, Partial<WindowsFacts>])[] = [
    ['BitLocker', 'GUEST_ENCRYPTED', { volume: { ...volume, encrypted: true } }],
    ['hibernation', 'GUEST_HIBERNATED', { hibernation: 'hibernated' }],
    ['the dirty flag', 'GUEST_FILE_SYSTEM_DIRTY', { volume: { ...volume, dirty: true } }],
    ['an open log', 'GUEST_FILE_SYSTEM_DIRTY', { volume: { ...volume, logClosed: false } }],
    ['a dynamic disk', 'GUEST_LAYOUT_UNSUPPORTED', { volume: { ...volume, dynamicDisk: true } }],
    ['an unknown version', 'GUEST_UNRECOGNISED', { ntVersion: null }],
    ['Windows Vista', 'GUEST_UNRECOGNISED', { ntVersion: '6.0', build: 6002 }],
    ['an unknown architecture', 'GUEST_UNRECOGNISED', { arch: null }],
    ['no control set', 'GUEST_UNRECOGNISED', { controlSets: [] }],
  ];
  test.each(refusals)('%s is refused and nothing is planned', async (_title, code, change) => {
    const facts = { ...(await factsOf('2k19')), ...change };
    const { edits, findings } = await planOf('2k19', { facts });
    expect(edits).toStrictEqual([]);
    expect(findings.filter((each) => each.severity === 'blocked').map((each) => each.code)).toStrictEqual([
      code,
    ]);
  });

  test('a hive whose changes are lost is refused, one whose logs hold them is not', async () => {
    const facts = await factsOf('2k19');
    const withState = (state: 'recovered' | 'unrecoverable'): WindowsFacts => ({
      ...facts,
      hives: facts.hives.map((hive) => (hive.name === 'SYSTEM' ? Object.assign({}, hive, { state }) : hive)),
    });
    const lost = await planOf('2k19', { facts: withState('unrecoverable') });
    expect(lost.findings.map((each) => [each.code, each.severity])).toStrictEqual([
      ['GUEST_HIVE_DIRTY', 'blocked'],
    ]);
    const kept = await planOf('2k19', { facts: withState('recovered') });
    expect(kept.findings.find((each) => each.code === 'GUEST_HIVE_DIRTY')?.severity).toBe('fixed');
    expect(kept.edits.length).toBeGreaterThan(10);
  });

  test('a volume that was in use is edited when the operator allows it, an encrypted one with its key', async () => {
    const used = { ...(await factsOf('2k19')), volume: { ...volume, logClosed: false, encrypted: true } };
    const { edits, findings } = await planOf('2k19', {
      facts: used,
      acceptDirtyFileSystem: true,
      unlocked: true,
    });
    expect(isBlocked(findings)).toBe(false);
    expect(edits.length).toBeGreaterThan(10);
  });

  test.each([
    ['no driver folder', { drivers: null }],
    ['a driver folder without this version', { drivers: { infs: [], remarks: [] } }],
  ])(
    '%s: no driver for what the guest boots from blocks, for the network it warns',
    async (_title, change) => {
      const { edits, findings } = await planOf('2k19', change);
      const missing = findings.filter((each) => each.code === 'GUEST_DRIVER_PACKAGE_MISSING');
      expect(missing.map((each) => each.severity)).toStrictEqual(['blocked', 'warning']);
      expect(edits).toStrictEqual([]);
    },
  );

  test('a Windows without any driver for the target bus is refused', async () => {
    const needs = { ...phonyNeeds, bootServices: [['stornvme']] };
    const { findings } = await planOf('w7', { needs });
    expect(findings.filter((each) => each.severity === 'blocked').map((each) => each.message)).toStrictEqual([
      'Windows has no service and file for stornvme, which the target boots with',
    ]);
  });

  test.each([
    ['no folder', null, 'no folder of packages is configured'],
    [
      'a folder without the file',
      packagesOf('qemu-ga-i386.msi', 'setup.exe'),
      'has no package for this guest',
    ],
  ])('%s for the agent: a warning that names the file, nothing staged', async (_title, packages, reason) => {
    const { edits, findings } = await planOf('2k19', { packages });
    const found = findings.filter((each) => each.code === 'GUEST_AGENT_PACKAGE_MISSING');
    expect(found.map(({ severity }) => severity)).toStrictEqual(['warning']);
    expect(found[0]?.message).toContain(reason);
    expect(found[0]?.evidence).toContain('qemu-ga-x86_64');
    expect(edits.some((edit) => edit.kind === 'stage-file' && edit.source.startsWith('/packages'))).toBe(
      false,
    );
  });

  test.each([
    [
      'exe',
      ['/S', '/v"/qn REBOOT=R"'],
      'start "" /wait "%SystemRoot%\\Ascend\\tools-2.exe" /S /v"/qn REBOOT=R"',
    ],
    ['cab', [], 'dism.exe /online /add-package /packagepath:"%SystemRoot%\\Ascend\\tools-2.exe" /norestart'],
    ['msi', [], 'msiexec.exe /i "%SystemRoot%\\Ascend\\tools-2.exe" /qn /norestart'],
  ] as const)('a package of kind %s is installed silently, the newest one', async (kind, words, line) => {
    const way = { arch: null, pattern: String.raw`tools-\d+\.exe`, kind, arguments: words };
    const agents = [{ name: 'tools', services: [], packages: [way] }];
    const packages = packagesOf('tools-1.exe', 'tools-2.exe', 'old/tools-0.exe');
    const { edits } = await planOf('2k19', { packages, needs: { ...phonyNeeds, agents } });
    const script = edits.find((edit) => edit.kind === 'write-file' && edit.path.endsWith('firstboot.cmd'));
    expect(script).toMatchObject({ content: expect.stringContaining(line) });
    expect(edits).toContainEqual(
      expect.objectContaining({
        kind: 'stage-file',
        source: '/packages/tools-2.exe',
        path: 'Windows/Ascend/tools-2.exe',
      }),
    );
  });

  test.each([
    ['of an age that needs it', 7601, { belowBuild: 9200 }, 1],
    ['too new for it', 9200, { belowBuild: 9200 }, 0],
    ['too old for it', 7601, { fromBuild: 9200, belowBuild: 9600 }, 0],
    ['for which it is optional', 9600, { optional: true }, 0],
  ])('a Windows %s misses %j', async (_title, build, limits, count) => {
    const agents = [
      { name: 'x', services: [], packages: [{ arch: null, pattern: 'x', kind: 'msi' as const }], ...limits },
    ];
    const facts = { ...(await factsOf('2k19')), build };
    const { findings } = await planOf('2k19', { facts, needs: { ...phonyNeeds, agents } });
    expect(findings.filter((each) => each.code === 'GUEST_AGENT_PACKAGE_MISSING')).toHaveLength(count);
  });

  test('a package whose name a script cannot hold is named and left out', async () => {
    const way = { arch: null, pattern: '.*', kind: 'msi' } as const;
    const needs = { ...phonyNeeds, agents: [{ name: 'x', services: [], packages: [way] }] };
    const { edits, findings } = await planOf('2k19', { needs, packages: packagesOf('a & b%.msi') });
    expect(findings.find((each) => each.code === 'GUEST_AGENT_PACKAGE_MISSING')?.evidence).toBe(
      '"a & b%.msi"',
    );
    expect(edits.some((edit) => edit.kind === 'stage-file' && edit.path.includes('Ascend/a'))).toBe(false);
  });
});
