import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findDeviceNames, parseDeviceName, replaceDeviceNames } from './deviceNames.ts';
import { parseFstab } from './fstab.ts';
import { addKernelArguments, consolesOf, sharedConsoles } from './kernelArguments.ts';
import { closureOf, factModules, parseModulesBuiltin, parseModulesDep } from './kernelModules.ts';
import { parseAssignments } from './osRelease.ts';

describe('parseAssignments', () => {
  it('removes quotes and skips everything else', () => {
    const text = '# comment\nID=debian\nNAME="A \\"B\\""\nexport X=\'y z\'\nnot an assignment\n=z\n';
    expect([...parseAssignments(text)]).toEqual([
      ['ID', 'debian'],
      ['NAME', 'A "B"'],
      ['X', 'y z'],
    ]);
  });
});

describe('parseFstab', () => {
  it('reads devices with escapes and skips comments and short lines', () => {
    const text = '# /dev/sda1 was\nUUID=1 / ext4 defaults 0 1\n/dev/sdb1\t/srv/my\\040data\text4\nbroken\n';
    expect(parseFstab(text)).toEqual([
      { device: 'UUID=1', mountPoint: '/', fileSystem: 'ext4', options: ['defaults'] },
      { device: '/dev/sdb1', mountPoint: '/srv/my data', fileSystem: 'ext4', options: [] },
    ]);
  });

  it('reads a file of a million lines to its bound', () => {
    expect(parseFstab('/dev/sda1 /mnt ext4\n'.repeat(1_000_000)).length).toBe(10_000);
  });
});

describe('device names', () => {
  it.each([
    ['/dev/sda1', { disk: 0, partition: 1 }],
    ['/dev/sdb', { disk: 1, partition: null }],
    ['/dev/vdz12', { disk: 25, partition: 12 }],
    ['/dev/sdaa3', { disk: 26, partition: 3 }],
    ['/dev/xvda2', { disk: 0, partition: 2 }],
    ['/dev/nvme1n1p2', { disk: 1, partition: 2 }],
    ['/dev/mapper/root', null],
    ['/dev/sr0', null],
  ])('%s is %j', (device, place) => {
    expect(parseDeviceName(device)).toEqual(place);
  });

  it('finds names as words only, and not in comments', () => {
    const text = [
      '/dev/sda1 / ext4',
      '# /dev/sda2 was here',
      'linux /vmlinuz root=/dev/hda1 resume="/dev/sda5"',
      '/dev/disk/by-uuid/x-sda1 /mnt',
      '/dev/disk/by-path/pci-0000:03:00.0-scsi-0:0:0:0-part2 /srv',
      '/dev/disk/by-id/dm-name-vg-root /mnt',
      '/dev/sda1x /mnt',
    ].join('\n');
    expect(findDeviceNames(text)).toEqual([
      { device: '/dev/sda1', line: 0 },
      { device: '/dev/hda1', line: 2 },
      { device: '/dev/sda5', line: 2 },
      { device: '/dev/disk/by-path/pci-0000:03:00.0-scsi-0:0:0:0-part2', line: 4 },
    ]);
  });

  it('replaces known names and leaves no trace of them, whatever stands around', () => {
    const line = fc.constantFrom(
      '/dev/sda1 / ext4',
      'root=/dev/sda1 ro',
      '"/dev/sda1"',
      'UUID=x /dev/sda10 y',
      '',
    );
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const text = lines.join('\n');
        const replaced = replaceDeviceNames(text, new Map([['/dev/sda1', 'UUID=u']]));
        expect(findDeviceNames(replaced).map((hit) => hit.device)).not.toContain('/dev/sda1');
        expect(replaced.split('UUID=u').length).toBe(text.split(/\/dev\/sda1(?!0)/).length);
        expect(replaceDeviceNames(replaced, new Map([['/dev/sda1', 'UUID=u']]))).toBe(replaced);
      }),
    );
  });
});

describe('kernel arguments', () => {
  const grub = [
    'set root=hd0',
    "menuentry 'Linux' {",
    '\tlinux\t/vmlinuz root=UUID=1 ro quiet',
    '\tinitrd /initrd',
    '\tlinux /vmlinuz root=UUID=1 console=ttyS0',
    '}',
  ].join('\n');

  it('adds what is missing to every kernel line and to nothing else', () => {
    const text = addKernelArguments(grub, ['console=tty0', 'console=ttyS0,115200n8']).split('\n');
    expect(text[2]).toBe('\tlinux\t/vmlinuz root=UUID=1 ro quiet console=tty0 console=ttyS0,115200n8');
    expect(text[4]).toBe('\tlinux /vmlinuz root=UUID=1 console=ttyS0 console=tty0');
    expect(text.filter((line, index) => index !== 2 && index !== 4)).toEqual(
      grub.split('\n').filter((line, index) => index !== 2 && index !== 4),
    );
  });

  it('changes nothing the second time', () => {
    const args = ['console=tty0', 'console=ttyS0,115200n8', 'net.ifnames=0'];
    const changed = addKernelArguments(grub, args);
    expect(addKernelArguments(changed, args)).toBe(changed);
  });

  it('knows the other boot loaders', () => {
    expect(addKernelArguments('options root=x\ninitrd y', ['a'])).toBe('options root=x a\ninitrd y');
    expect(addKernelArguments('LABEL l\n  APPEND root=x\n', ['a'])).toBe('LABEL l\n  APPEND root=x a\n');
  });

  it('counts a console only when all kernel lines have it', () => {
    expect(consolesOf('linux /v console=tty0 console=ttyS0,9600')).toEqual(['tty0', 'ttyS0']);
    expect(sharedConsoles([grub])).toEqual([]);
    expect(sharedConsoles(['linux /v console=ttyS0', 'append console=ttyS0,115200 console=tty0'])).toEqual([
      'ttyS0',
    ]);
  });
});

describe('kernel modules', () => {
  const dep = parseModulesDep(
    [
      'kernel/drivers/virtio/virtio.ko:',
      'kernel/drivers/virtio/virtio_ring.ko.xz: kernel/drivers/virtio/virtio.ko',
      'kernel/drivers/block/virtio-blk.ko: kernel/drivers/virtio/virtio_ring.ko.xz kernel/drivers/virtio/virtio.ko',
      'kernel/drivers/net/wireless/ath/ath9k.ko:',
      'kernel/sound/snd.ko:',
      'no module here',
      '',
    ].join('\n'),
  );
  const modules = {
    ...dep,
    builtin: parseModulesBuiltin('kernel/drivers/ata/libata.ko\nkernel/lib/crc.ko\n'),
  };

  it('lists only what a restore may need', () => {
    const { available, builtin } = factModules(modules);
    expect(available).toEqual(['crc', 'libata', 'virtio', 'virtio_blk', 'virtio_ring']);
    expect(builtin).toEqual(['crc', 'libata']);
  });

  it('puts dependencies first and ends on circles', () => {
    expect(closureOf(modules, ['virtio-blk', 'absent'])).toEqual(['virtio', 'virtio_ring', 'virtio_blk']);
    const circle = parseModulesDep('a/x.ko: a/y.ko\na/y.ko: a/x.ko\n');
    expect(closureOf({ ...circle, builtin: new Set() }, ['x'])).toEqual(['y', 'x']);
  });
});
