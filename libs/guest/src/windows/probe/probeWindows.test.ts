import { describe, expect, test } from 'vitest';
import {
  memoryFiles,
  phonyAgents,
  phonyMac,
  phonyNic,
  phonyProgram,
  phonyVersions,
  phonyWindows,
  type PhonyName,
} from '../../testing/phonyWindows/index.ts';
import { probeWindows } from './probeWindows.ts';

const volume = { dirty: false, logClosed: true, encrypted: false, dynamicDisk: false };
const names = Object.keys(phonyVersions).filter((name): name is PhonyName => name in phonyVersions);

async function factsOf(name: PhonyName, options: Parameters<typeof phonyWindows>[1] = {}) {
  const probed = await probeWindows({
    files: memoryFiles(phonyWindows(name, options)),
    volume,
    services: ['partmgr'],
    agents: phonyAgents,
  });
  if (probed === null) throw new Error('no Windows found');
  return probed.facts;
}

describe('probing a Windows', () => {
  test.each(names)('tells version, architecture, control sets, drivers and addresses of %s', async (name) => {
    const facts = await factsOf(name);
    const { productName, ntVersion, build, inbox, driverDatabase } = phonyVersions[name];
    expect(facts).toMatchObject({ productName, ntVersion, build, arch: 'amd64', systemRoot: 'Windows' });
    expect(facts.select).toStrictEqual({ current: 1, default: 1, lastKnownGood: 2 });
    expect(facts.controlSets.map((set) => set.name)).toStrictEqual(['ControlSet001', 'ControlSet002']);
    const found = facts.controlSets[1]?.services.filter((service) => service.group === 'SCSI miniport') ?? [];
    expect(Object.fromEntries(found.map((service) => [service.name, service.start]))).toStrictEqual(inbox);
    expect(found.every((service) => service.filePresent)).toBe(true);
    expect(
      facts.controlSets[0]?.services.find((each) => each.name === 'storahci')?.startOverride ?? true,
    ).toBe(true);
    expect(facts.hives.filter((hive) => hive.driverDatabase).map((hive) => hive.name)).toStrictEqual([
      ...driverDatabase,
    ]);
    expect(facts.agents).toStrictEqual(['vmware-tools']);
    expect(facts).toMatchObject({
      timeZone: 'W. Europe Standard Time',
      computerName: 'PHONY',
      sanPolicy: null,
    });
    expect(facts.interfaces).toStrictEqual([
      {
        id: phonyNic,
        name: 'Ethernet0',
        mac: build >= 10_240 ? phonyMac : null,
        dhcp: false,
        addresses: ['10.0.2.77/24', '10.0.2.78/24'],
        gateways: ['10.0.2.2'],
        dnsServers: ['10.0.2.3', '10.0.2.4'],
      },
    ]);
  });

  test.each([
    ['hibr', 'hibernated'],
    ['HIBR', 'hibernated'],
    ['RSTR', 'hibernated'],
    ['wake', 'resumed'],
    ['\0\0\0\0', 'none'],
  ])('a hibernation file that starts with %j means %s', async (signature, state) => {
    const file = Buffer.alloc(8192);
    file.write(signature, 0, 'latin1');
    const facts = await factsOf('2k19', { files: { '/hiberfil.sys': file } });
    expect(facts.hibernation).toBe(state);
  });

  test('hostile addresses and masks are left out, names are kept as data', async () => {
    const key = `ControlSet001\\Services\\Tcpip\\Parameters\\Interfaces\\${phonyNic}`;
    const facts = await factsOf('2k25', {
      system: {
        [key]: {
          EnableDHCP: { type: 'REG_DWORD', data: 0 },
          IPAddress: {
            type: 'REG_MULTI_SZ',
            data: ['10.0.0.1" & calc', '10.0.0.2', '10.0.0.3', '999.1.1.1'],
          },
          SubnetMask: {
            type: 'REG_MULTI_SZ',
            data: ['255.0.0.0', '255.0.255.0', '255.255.0.0', '255.0.0.0'],
          },
          DefaultGateway: { type: 'REG_MULTI_SZ', data: ['; reboot'] },
          NameServer: { type: 'REG_SZ', data: '$(calc),1.1.1.1' },
        },
      },
    });
    expect(facts.interfaces[0]).toMatchObject({
      addresses: ['10.0.0.3/16'],
      gateways: [],
      dnsServers: ['1.1.1.1'],
    });
  });

  test('names of another case are found, a program for another processor is told', async () => {
    const tree = new Map(
      [...phonyWindows('2k19')].map(([path, bytes]) => [
        path.replace('/Windows/System32', '/WINDOWS/system32'),
        bytes,
      ]),
    );
    tree.set('/WINDOWS/system32/cmd.exe', phonyProgram(0xaa64));
    const probed = await probeWindows({ files: memoryFiles(tree), volume });
    expect(probed?.facts).toMatchObject({ systemRoot: 'WINDOWS', arch: 'arm64', build: 17_763 });
  });

  test('a volume without Windows is no Windows', async () => {
    expect(
      await probeWindows({ files: memoryFiles(new Map([['/etc/fstab', Buffer.alloc(1)]])), volume }),
    ).toBeNull();
  });
});
