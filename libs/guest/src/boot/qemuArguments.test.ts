import { expect, test } from 'vitest';
import { type MachineBus, type MachineDisk, type MachineSpec, machineBuses } from './machineSpec.ts';
import { qemuArguments } from './qemuArguments.ts';

function disk(bus: MachineBus, index = 0): MachineDisk {
  const blockdev = {
    driver: 'qcow2',
    backing: null,
    file: { driver: 'file', filename: `/d/${index}.qcow2` },
  };
  return { blockdev, bus, bootIndex: index === 0 ? 0 : null, serial: `serial-number-that-is-long-${index}` };
}

function spec(change: Partial<MachineSpec>): MachineSpec {
  return {
    name: 'vm1',
    cpuCount: 2,
    memoryBytes: 512 * 1024 ** 2,
    firmware: 'bios',
    acceleration: 'tcg',
    disks: [disk('virtio-blk')],
    nics: [{ mac: '00:50:56:aa:bb:01', model: 'virtio-net-pci', addresses: ['10.0.2.77/24'] }],
    stateDir: '/state/vm1',
    ...change,
  };
}

function devices(args: readonly string[]): Record<string, unknown>[] {
  return args
    .filter((_, at) => args[at - 1] === '-device')
    .map((text): Record<string, unknown> => JSON.parse(text));
}

test.each(machineBuses)('two disks on %s become two drives in order, the first bootable', (bus) => {
  const drives = devices(qemuArguments(spec({ disks: [disk(bus, 0), disk(bus, 1)] }), null)).filter(
    (one) => 'drive' in one,
  );
  expect(drives.map((one) => [one['drive'], one['bootindex']])).toEqual([
    ['disk0', 0],
    ['disk1', undefined],
  ]);
  expect(drives.every((one) => String(one['serial']).length === 20)).toBe(true);
});

test('a controller that is full gets a second one beside it', () => {
  const disks = Array.from({ length: 8 }, (_, index) => disk('ahci', index));
  const all = devices(qemuArguments(spec({ disks }), null));
  expect(all.filter((one) => one['driver'] === 'ich9-ahci').map((one) => one['id'])).toEqual([
    'ahci0',
    'ahci1',
  ]);
  expect(all.findLast((one) => one['driver'] === 'ide-hd')?.['bus']).toBe('ahci1.1');
});

test.each<[string, Partial<MachineSpec>]>([
  ['five disks on the parallel bus', { disks: Array.from({ length: 5 }, (_, index) => disk('ide', index)) }],
  ['a MAC that is none', { nics: [{ mac: 'nonsense', model: 'e1000e', addresses: [] }] }],
  [
    'a model that hides an option',
    { nics: [{ mac: '00:50:56:aa:bb:01', model: 'e1000e,x=y', addresses: [] }] },
  ],
  [
    'a slot number where no such port exists',
    {
      disks: [disk('ide')],
      nics: [{ mac: '00:50:56:aa:bb:01', model: 'e1000', addresses: [], slotNumber: 3 }],
    },
  ],
])('%s is refused before anything runs', (_, change) => {
  expect(() => qemuArguments(spec(change), null)).toThrow(
    expect.objectContaining({ code: 'GUEST_MACHINE_SPEC_INVALID' }),
  );
});

test('a hostile name or address stays one value of one option', () => {
  const args = qemuArguments(
    spec({
      name: 'x,debug-threads=on -S',
      nics: [{ mac: '00:50:56:aa:bb:01', model: 'e1000e', addresses: ['10.0.2.1/24,hostfwd=tcp::22-:22'] }],
    }),
    null,
  );
  expect(args).toContain('guest=x,,debug-threads=on -S');
  expect(args.join(' ')).not.toContain('hostfwd');
});

test('the network of a machine leads nowhere and has room for the expected address', () => {
  const args = qemuArguments(spec({}), null);
  const netdev = args[args.indexOf('-netdev') + 1] ?? '';
  expect(netdev).toMatch(/^user,id=net0,restrict=on,/);
  expect(netdev).toContain('net=10.0.2.0/24');
});

test('UEFI adds the shared code read-only and the own variables writable', () => {
  const firmware = { codePath: '/f/code.fd', varsPath: '/state/vm1/vars.fd' };
  const args = qemuArguments(spec({ firmware: 'uefi' }), firmware).join(' ');
  expect(args).toContain('pflash0=firmware-code,pflash1=firmware-vars');
  expect(args).toContain('"node-name":"firmware-code","read-only":true');
  expect(args).toContain('"node-name":"firmware-vars","read-only":false');
});

test('only a machine bound to its starter runs without becoming a daemon, and may start no process', () => {
  const bound = qemuArguments(spec({ lifetime: 'starter' }), null);
  expect(bound).not.toContain('-daemonize');
  expect(bound[bound.indexOf('-sandbox') + 1]).toContain('spawn=deny');
  expect(qemuArguments(spec({}), null)).toContain('-daemonize');
});
