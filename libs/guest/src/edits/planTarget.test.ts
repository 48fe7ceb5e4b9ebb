import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  codes,
  nic,
  planTarget as plan,
  short,
  targetGuest as guest,
  textOf,
} from '../testing/targetPlan.ts';
import { applyTextEdit } from './applyTextEdit.ts';
import type { TextEdit } from './guestEdit.ts';

const agent = (
  id: string,
  state: 'enabled' | 'disabled' | 'masked' | 'static',
  kind = 'systemd' as const,
) => ({
  id,
  services: [
    {
      name: `${id}.service`,
      path: `usr/lib/systemd/system/${id}.service`,
      kind,
      state,
      wantedBy: ['multi-user.target'],
    },
  ],
});

it('leaves a guest alone that has nothing to change', () => {
  expect(plan({})).toEqual({ edits: [], findings: [] });
});

describe('agents', () => {
  const agents = { enable: ['own'], disable: ['foreign'] };

  it('switches foreign ones off and the target’s own one on, and no other', () => {
    const installed = [agent('foreign', 'enabled'), agent('own', 'disabled'), agent('other', 'enabled')];
    const result = plan({ linux: { agents: installed }, needs: { agents } });
    expect(result.edits).toMatchObject([
      { kind: 'make-link', path: 'etc/systemd/system/foreign.service', target: '/dev/null' },
      {
        kind: 'make-link',
        path: 'etc/systemd/system/multi-user.target.wants/own.service',
        target: '/usr/lib/systemd/system/own.service',
      },
    ]);
    expect(codes(result)).toEqual(['fixed GUEST_AGENT_FOREIGN', 'fixed GUEST_AGENT_OFF']);
  });

  it('takes the mask off the own one, and changes nothing that is right already', () => {
    const masked = plan({ linux: { agents: [agent('own', 'masked')] }, needs: { agents } });
    expect(short(masked.edits)[0]).toBe('set-aside etc/systemd/system/own.service');
    const right = [agent('foreign', 'masked'), agent('own', 'enabled')];
    expect(plan({ linux: { agents: right }, needs: { agents } }).edits).toEqual([]);
  });

  it('sets a unit of the administrator aside before it masks its name, and init scripts on old systems', () => {
    const local = { ...agent('foreign', 'enabled') };
    const service = { ...local.services[0]!, path: 'etc/systemd/system/foreign.service' };
    const changes = { linux: { agents: [{ ...local, services: [service] }] }, needs: { agents } };
    expect(short(plan(changes).edits)).toEqual([
      'set-aside etc/systemd/system/foreign.service',
      'make-link etc/systemd/system/foreign.service',
    ]);
    const script = { ...service, name: 'foreign', path: 'etc/init.d/foreign', kind: 'sysv' as const };
    const old = { init: 'sysv' as const, agents: [{ ...local, services: [script] }] };
    expect(short(plan({ linux: old, needs: { agents } }).edits)).toEqual(['set-aside etc/init.d/foreign']);
  });
});

describe('cloud-init', () => {
  const boot = { ...guest.boot!, cloudInit: true };
  const cloudInit = { disabled: false, datasources: ['VMware', 'None'], networkDisabled: false };

  it('keeps network, host name and keys, and adds the data sources of the target', () => {
    const result = plan({
      guest: { boot },
      linux: { cloudInit },
      needs: { cloudInitDatasources: ['Ec2', 'None'] },
    });
    expect(short(result.edits)).toEqual([
      'write-file etc/cloud/cloud.cfg.d/99-ascend-network.cfg',
      'write-file etc/cloud/cloud.cfg.d/zz-ascend.cfg',
    ]);
    const text = textOf(result.edits, 'etc/cloud/cloud.cfg.d/zz-ascend.cfg');
    expect(text).toContain('ssh_deletekeys: false\ndatasource_list: [Ec2, VMware, None]\n');
  });

  it('pins nothing that was not pinned, and leaves a cloud-init alone that is off', () => {
    const open = { ...cloudInit, datasources: null, networkDisabled: true };
    const { edits } = plan({
      guest: { boot },
      linux: { cloudInit: open },
      needs: { cloudInitDatasources: ['Ec2'] },
    });
    expect(short(edits)).toEqual(['write-file etc/cloud/cloud.cfg.d/zz-ascend.cfg']);
    expect(textOf(edits, 'etc/cloud/cloud.cfg.d/zz-ascend.cfg')).not.toContain('datasource_list');
    expect(plan({ guest: { boot }, linux: { cloudInit: { ...cloudInit, disabled: true } } }).edits).toEqual(
      [],
    );
  });
});

describe('kernel arguments and consoles', () => {
  it.each([
    ['initramfs-tools', []],
    [
      'dracut',
      ['add-kernel-arguments boot/grub/grub.cfg', 'write-file etc/default/grub.d/90-ascend-arguments.cfg'],
    ],
  ] as const)('asks %s for a delay only where that is the longest wait', (initramfsTool, expected) => {
    const { edits } = plan({ guest: { initramfsTool }, needs: { kernelArguments: ['rootdelay=300'] } });
    expect(short(edits)).toEqual(expected);
  });

  it('adds what lacks, takes off what hinders, and keeps it for later kernels', () => {
    const wanted = {
      kernelArguments: ['panic=30', 'quiet'],
      unwantedKernelArguments: ['crashkernel=auto', 'rhgb'],
    };
    const result = plan({ needs: wanted });
    expect(textOf(result.edits, 'boot/grub/grub.cfg', '\tlinux /v ro quiet crashkernel=auto\n')).toBe(
      '\tlinux /v ro quiet panic=30\n',
    );
    const dropIn = textOf(result.edits, 'etc/default/grub.d/90-ascend-arguments.cfg');
    expect(dropIn).toContain('(crashkernel=auto)');
    expect(dropIn).toContain('GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX panic=30"');
    const upstream = { ...guest.boot!, grubDropIns: false };
    expect(short(plan({ guest: { boot: upstream }, needs: wanted }).edits)).toContain(
      'add-lines etc/default/grub',
    );
    const none = { ...guest.boot!, configPaths: [] };
    expect(codes(plan({ guest: { boot: none }, needs: wanted }))).toEqual([
      'warning GUEST_KERNEL_ARGUMENTS_UNFIT',
    ]);
  });

  it('makes GRUB speak on the serial port as well', () => {
    const boot = { ...guest.boot!, consoles: [] };
    const text = textOf(plan({ guest: { boot } }).edits, 'boot/grub/grub.cfg', 'linux /v ro\n');
    expect(text).toMatch(/^linux \/v ro console=tty0 console=ttyS0,115200n8\nif serial --unit=0 .*; fi\n$/);
  });
});

describe('the system', () => {
  it('blocks a firmware that the target does not have', () => {
    expect(codes(plan({ needs: { firmware: ['uefi'] } }))).toEqual(['blocked GUEST_FIRMWARE_UNSUPPORTED']);
    expect(plan({ guest: { firmware: 'unknown' }, needs: { firmware: ['uefi'] } }).findings).toEqual([]);
  });

  it('makes comments of lines that keep needed modules from loading, and of no others', () => {
    const path = 'etc/modprobe.d/hardening.conf';
    const blockedModules = [
      { path, module: 'udf', line: 'install udf /bin/true' },
      { path, module: 'cramfs', line: 'install cramfs /bin/true' },
    ];
    const { edits } = plan({ linux: { blockedModules }, needs: { linuxUnblockedModules: ['udf'] } });
    expect(textOf(edits, path, ' install udf /bin/true\ninstall cramfs /bin/true\n')).toBe(
      ' # Taken out by Ascend: install udf /bin/true\ninstall cramfs /bin/true\n',
    );
  });

  it('sets stale caches aside and warns of swap where the target advises against it', () => {
    const changes = { deviceCaches: ['etc/lvm/devices/system.devices'], systemDiskSwaps: ['/swap.img'] };
    const result = plan({ linux: changes, needs: { swap: 'warn-on-system-disk' } });
    expect(short(result.edits)).toEqual(['set-aside etc/lvm/devices/system.devices']);
    expect(codes(result)).toEqual(['fixed GUEST_DEVICE_CACHE_STALE', 'warning GUEST_SWAP_ON_SYSTEM_DISK']);
  });

  it.each([
    ['enforcing', true],
    ['permissive', true],
    ['disabled', false],
    ['absent', false],
  ] as const)(
    'asks for new labels with SELinux %s: %s, and only when something is written',
    (selinux, asked) => {
      const written = plan({ nics: [nic], linux: { selinux } });
      expect(short(written.edits).includes('write-file .autorelabel')).toBe(asked);
      expect(plan({ linux: { selinux } }).edits).toEqual([]);
      expect(plan({ nics: [nic], linux: { selinux }, needs: { selinuxRelabel: false } }).edits).toHaveLength(
        1,
      );
    },
  );

  it('puts the operator’s script into a service, into rc.local on old systems, or says that it cannot', () => {
    const firstBootScript = '#!/bin/sh\necho hello\n';
    const modern = plan({ firstBootScript });
    expect(short(modern.edits)).toEqual([
      'make-link etc/systemd/system/multi-user.target.wants/ascend-first-boot.service',
      'write-file etc/ascend/first-boot/script',
      'write-file etc/ascend/first-boot/run',
      'write-file etc/systemd/system/ascend-first-boot.service',
    ]);
    const old = plan({ firstBootScript, linux: { init: 'sysv', rcLocal: 'etc/rc.d/rc.local' } }).edits;
    expect(textOf(old, 'etc/rc.d/rc.local', '#!/bin/sh\nexit 0\n')).toBe(
      '#!/bin/sh\n/etc/ascend/first-boot/run &\nexit 0\n',
    );
    const none = plan({ firstBootScript, linux: { init: 'sysv' } }).edits;
    expect(textOf(none, 'etc/rc.local')).toContain('/etc/ascend/first-boot/run &\n');
    const closed = plan({ firstBootScript, needs: { firstBootSlot: false } });
    expect([closed.edits, codes(closed)]).toEqual([[], ['warning GUEST_FIRST_BOOT_SCRIPT']]);
  });
});

describe('new text edits', () => {
  const edits: readonly TextEdit[] = [
    { kind: 'add-lines', path: 'a', lines: ['x &'], place: 'after-shebang', reason: '' },
    { kind: 'remove-kernel-arguments', path: 'a', arguments: ['quiet', 'crashkernel'], reason: '' },
    { kind: 'remove-kernel-arguments', path: 'etc/kernel/cmdline', arguments: ['quiet'], reason: '' },
    { kind: 'add-kernel-arguments', path: 'etc/kernel/cmdline', arguments: ['a=1'], reason: '' },
    { kind: 'replace-lines', path: 'a', replacements: { 'blacklist x': '# blacklist x' }, reason: '' },
    { kind: 'replace-addresses', path: 'a', replacements: { '10.0.0.5': '10.9.0.5' }, reason: '' },
  ];

  it('are idempotent for any text', () => {
    const line = fc.constantFrom(
      '#!/bin/sh',
      ' blacklist x ',
      'address 10.0.0.5/24',
      'linux /v ro quiet quiet crashkernel=auto crashkernel',
      'kernel /v ro root=LABEL=/ quiet',
      'root=UUID=1 quiet',
      '',
    );
    fc.assert(
      fc.property(fc.array(line), fc.constantFrom(...edits), (lines, edit) => {
        const once = applyTextEdit(lines.join('\n'), edit);
        expect(applyTextEdit(once, edit)).toBe(once);
      }),
    );
  });

  it.each([
    ['linux /v ro quiet crashkernel=256M', 'linux /v ro'],
    ['kernel /v ro root=LABEL=/ quiet', 'kernel /v ro root=LABEL=/'],
    ['kernel /boot/v', 'kernel /boot/v'],
    ['quiet', 'quiet'],
  ])('take arguments off %j', (before, after) => {
    expect(applyTextEdit(before, edits[1]!)).toBe(after);
  });
});
