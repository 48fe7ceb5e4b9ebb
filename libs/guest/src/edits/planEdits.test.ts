import type { GuestFacts, GuestNeeds, KernelFacts, PlannedNic } from '@ascend/domain';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyTextEdit } from './applyTextEdit.ts';
import { editPlace, isTextEdit, type GuestEdit, type TextEdit } from './guestEdit.ts';
import { planEdits } from './planEdits.ts';

const kernel: KernelFacts = {
  version: '6.1.0-10',
  initramfsPath: '/boot/initrd.img-6.1.0-10',
  initramfsModules: ['ext4', 'vmw_pvscsi'],
  availableModules: ['ext4', 'libata', 'virtio_blk', 'virtio_net', 'virtio_pci', 'vmw_pvscsi'],
  builtinModules: ['libata'],
};

const guest: GuestFacts = {
  family: 'linux',
  distribution: 'debian',
  version: '12',
  arch: 'x86_64',
  hostname: 'pgtest1',
  root: { diskIndex: 0, offsetBytes: 1048576, sizeBytes: 1e9, fileSystem: 'ext4' },
  firmware: 'bios',
  initramfsTool: 'initramfs-tools',
  kernels: [kernel],
  nics: [{ name: 'ens192', mac: null, addresses: ['10.0.2.77/24'], configPath: 'etc/network/interfaces' }],
  deviceNames: [],
  boot: {
    configPaths: ['boot/grub/grub.cfg'],
    consoles: ['ttyS0'],
    grubDefaults: true,
    separateMounts: [],
    systemdVersion: 252,
    cloudInit: false,
  },
  remarks: [],
};

const needs: GuestNeeds = {
  linuxStorageModules: ['virtio-pci', 'virtio_blk', 'libata'],
  linuxNetworkModules: ['virtio_net'],
  linuxOptionalModules: ['nvme', 'vmw_pvscsi'],
  serialConsole: 'ttyS0',
  networkIdentity: 'pin-by-mac',
};

const nic: PlannedNic = {
  nicIndex: 0,
  mac: '00:50:56:AA:BB:01',
  model: 'virtio-net-pci',
  network: 'default',
  guestName: null,
  addresses: [],
  rule: 'keep-mac-and-address',
};

function plan(changes: Partial<GuestFacts> = {}, nics: readonly PlannedNic[] = [nic], with_ = needs) {
  return planEdits({ guest: { ...guest, ...changes }, needs: with_, nics });
}

/** The text that the edit of `path` makes of a file that is not there. */
function textOf(edits: readonly GuestEdit[], path: string): string | null {
  const edit = find(edits, path);
  return edit === undefined || !isTextEdit(edit) ? null : applyTextEdit(null, edit);
}

function find(edits: readonly GuestEdit[], path: string): GuestEdit | undefined {
  return edits.find((edit) => editPlace(edit) === path);
}

function codes(result: ReturnType<typeof plan>): readonly string[] {
  return result.findings.map((finding) => `${finding.severity} ${finding.code}`);
}

describe('planEdits for drivers', () => {
  it('adds what the kernel ships, leaves out built-ins and what no kernel has', () => {
    const { edits } = plan();
    expect(find(edits, 'boot/initrd.img-6.1.0-10')).toMatchObject({
      kind: 'rebuild-initramfs',
      tool: 'initramfs-tools',
      modules: ['virtio_pci', 'virtio_blk', 'virtio_net', 'vmw_pvscsi'],
    });
    expect(find(edits, 'etc/initramfs-tools/modules')).toMatchObject({
      lines: ['virtio_blk', 'virtio_net', 'virtio_pci', 'vmw_pvscsi'],
    });
  });

  it('makes text edits before any rebuild', () => {
    const kinds = plan({ kernels: [kernel, { ...kernel, version: '6.1.0-9' }] }).edits.map(
      (edit) => edit.kind,
    );
    expect(kinds.indexOf('rebuild-initramfs')).toBe(kinds.length - 2);
  });

  it('has nothing to do when every initramfs holds the drivers', () => {
    const complete = { ...kernel, initramfsModules: kernel.availableModules };
    expect(plan({ kernels: [complete] }, [])).toEqual({ edits: [], findings: [] });
  });

  it('blocks when the newest kernel lacks a driver and warns when an older one does', () => {
    const poor = { ...kernel, availableModules: ['ext4', 'virtio_pci', 'libata', 'virtio_net'] };
    expect(codes(plan({ kernels: [{ ...poor, version: '6.1.0-11' }, kernel] }))).toContain(
      'blocked GUEST_DRIVER_MISSING',
    );
    expect(codes(plan({ kernels: [{ ...poor, version: '6.1.0-9' }, kernel] }))).toContain(
      'warning GUEST_DRIVER_MISSING',
    );
    const finding = plan({ kernels: [poor] }).findings.find(({ code }) => code === 'GUEST_DRIVER_MISSING');
    expect(finding?.message).toBe('kernel 6.1.0-10 does not ship virtio_blk');
  });

  it('writes a dracut configuration for a dracut guest and none when there is no tool', () => {
    const { edits } = plan({ initramfsTool: 'dracut' });
    expect(textOf(edits, 'etc/dracut.conf.d/90-ascend.conf')).toContain(
      'add_drivers+=" virtio_blk virtio_net virtio_pci vmw_pvscsi "',
    );
    const bare = plan({ initramfsTool: 'none' }, []).edits;
    expect(bare.map((edit) => edit.kind)).toEqual(['rebuild-initramfs']);
  });
});

describe('planEdits for the network', () => {
  it('binds the only interface to the only card', () => {
    const text = textOf(plan().edits, 'etc/systemd/network/10-ascend-ens192.link');
    expect(text?.split('\n').slice(1)).toEqual([
      '[Match]',
      'MACAddress=00:50:56:aa:bb:01',
      'Type=ether',
      '',
      '[Link]',
      'Name=ens192',
      '',
    ]);
  });

  it('matches by driver when the MAC is unknown and there is one card', () => {
    const unknown = { ...nic, mac: null, rule: 'unknown-mac' as const };
    expect(textOf(plan({}, [unknown]).edits, 'etc/systemd/network/10-ascend-ens192.link')).toContain(
      'Driver=virtio_net\n',
    );
  });

  it('tells several cards apart by MAC, by address and by name', () => {
    const nics = [
      { name: 'ens1', mac: null, addresses: ['10.1.0.1/24'], configPath: 'a' },
      { name: 'ens2', mac: '00:50:56:aa:bb:02', addresses: [], configPath: 'a' },
      { name: 'ens3', mac: null, addresses: [], configPath: 'a' },
    ];
    const { edits, findings } = plan({ nics }, [
      { ...nic, addresses: ['10.1.0.1/16'] },
      { ...nic, nicIndex: 1, mac: '00:50:56:aa:bb:02' },
      { ...nic, nicIndex: 2, mac: '00:50:56:aa:bb:03', guestName: 'ens3' },
      { ...nic, nicIndex: 3, mac: '00:50:56:aa:bb:04' },
    ]);
    const links = edits.map(editPlace).filter((path) => path.endsWith('.link'));
    expect(links).toEqual([1, 2, 3].map((index) => `etc/systemd/network/10-ascend-ens${index}.link`));
    expect(findings.filter(({ code }) => code === 'GUEST_NIC_UNKNOWN').map(({ subject }) => subject)).toEqual(
      ['nic:3'],
    );
  });

  it('says so when several cards have no MAC, and when the guest configures nothing', () => {
    const unknown = { ...nic, mac: null, guestName: 'ens192' };
    const two = [unknown, { ...unknown, nicIndex: 1 }];
    expect(codes(plan({}, two)).filter((code) => code === 'warning GUEST_NIC_UNKNOWN').length).toBe(2);
    expect(codes(plan({ nics: [] }))).toContain('warning GUEST_NIC_UNKNOWN');
  });

  it('needs no name where the guest itself goes by MAC', () => {
    const byMac = { name: '', mac: '00:50:56:aa:bb:01', addresses: [], configPath: 'etc/netplan/x.yaml' };
    const result = plan({ nics: [byMac] });
    expect(result.edits.some((edit) => editPlace(edit).endsWith('.link'))).toBe(false);
    expect(codes(result)).not.toContain('warning GUEST_NIC_UNKNOWN');
  });

  it('keeps cloud-init from writing the network anew', () => {
    const boot = { ...guest.boot!, cloudInit: true };
    const { edits } = plan({ boot });
    expect(textOf(edits, 'etc/cloud/cloud.cfg.d/99-ascend-network.cfg')).toContain(
      'network: {config: disabled}',
    );
  });

  it('warns where the kernel itself gives the names', () => {
    const nics = ['eth0', 'eth1'].map((name) => ({ name, mac: null, addresses: [], configPath: 'x' }));
    expect(codes(plan({ nics }))).toContain('warning GUEST_NIC_UNKNOWN');
  });
});

describe('planEdits for the boot', () => {
  it('replaces device names that are known and warns about the others', () => {
    const deviceNames = [
      { path: 'etc/fstab', device: '/dev/sda1', uuid: 'u1' },
      { path: 'etc/fstab', device: '/dev/sdc1', uuid: null },
    ];
    const result = plan({ deviceNames });
    expect(find(result.edits, 'etc/fstab')).toMatchObject({ replacements: { '/dev/sda1': 'UUID=u1' } });
    expect(codes(result)).toEqual(
      expect.arrayContaining(['fixed GUEST_DEVICE_NAME_UNSTABLE', 'warning GUEST_DEVICE_NAME_UNRESOLVED']),
    );
  });

  it('adds the console where it is missing, and warns when there is nowhere to add it', () => {
    const silent = { ...guest.boot!, consoles: [] };
    const { edits } = plan({ boot: silent });
    expect(find(edits, 'boot/grub/grub.cfg')).toMatchObject({
      arguments: ['console=tty0', 'console=ttyS0,115200n8'],
    });
    expect(find(edits, 'etc/default/grub.d/90-ascend-console.cfg')).toBeDefined();
    expect(codes(plan({ boot: { ...silent, configPaths: [] } }))).toContain('warning GUEST_CONSOLE_ABSENT');
  });
});

describe('planEdits for guests that cannot be edited', () => {
  const obstacles: readonly (readonly [string, Partial<GuestFacts>, string])[] = [
    ['an unknown system', { family: 'unknown', root: null }, 'blocked GUEST_UNRECOGNISED'],
    ['a Windows system', { family: 'windows', root: null }, 'blocked GUEST_UNRECOGNISED'],
    ['an unreadable layout', { root: null }, 'blocked GUEST_LAYOUT_UNSUPPORTED'],
    [
      'a /boot of its own',
      { boot: { ...guest.boot!, separateMounts: ['/boot'] } },
      'blocked GUEST_LAYOUT_UNSUPPORTED',
    ],
    ['no kernel', { kernels: [] }, 'blocked GUEST_KERNEL_MISSING'],
  ];

  it.each(obstacles)('blocks %s and plans no edits', (_, changes, code) => {
    const result = plan(changes);
    expect(result.edits).toEqual([]);
    expect(codes(result)).toEqual([code]);
  });
});

describe('applyTextEdit', () => {
  const edits: readonly TextEdit[] = [
    { kind: 'write-file', path: 'a', content: 'x\n', mode: 0o644, reason: '' },
    { kind: 'add-lines', path: 'a', lines: ['one', 'two'], reason: '' },
    { kind: 'replace-device-names', path: 'a', replacements: { '/dev/sda1': 'UUID=1' }, reason: '' },
    { kind: 'add-kernel-arguments', path: 'a', arguments: ['console=ttyS0,115200n8'], reason: '' },
  ];

  it('is idempotent for any text', () => {
    const line = fc.constantFrom(
      'one',
      ' two ',
      '/dev/sda1 / ext4',
      'linux /v ro',
      'append x',
      '',
      '# c',
      'ü\u0000',
    );
    fc.assert(
      fc.property(fc.array(line), fc.constantFrom(...edits), (lines, edit) => {
        const once = applyTextEdit(lines.join('\n'), edit);
        expect(applyTextEdit(once, edit)).toBe(once);
      }),
    );
  });

  it('adds only the lines that are missing', () => {
    expect(applyTextEdit('two\nthree', edits[1]!)).toBe('two\nthree\none\n');
    expect(applyTextEdit(null, edits[1]!)).toBe('one\ntwo\n');
  });

  it('cannot change a file that is not there', () => {
    expect(applyTextEdit(null, edits[2]!)).toBeNull();
  });
});
