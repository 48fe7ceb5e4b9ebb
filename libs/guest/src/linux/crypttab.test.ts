import type { VolumeFacts } from '@ascend/domain';
import { expect, it } from 'vitest';
import { memoryFiles } from '../testing/memoryFiles.ts';
import { withCryptNames } from './crypttab.ts';
import { readDeviceNames } from './deviceNameFacts.ts';

const uuid = '6a7e0001-3b52-4d0e-9a55-0a5c3e6d0105';
const luks: VolumeFacts = {
  diskIndex: 0,
  partition: 3,
  offsetBytes: 0,
  sizeBytes: 1,
  content: 'luks',
  uuid,
  label: null,
};
const inside: VolumeFacts = { ...luks, partition: null, content: 'ext4', uuid: null, name: `luks-${uuid}` };

function names(volumes: readonly VolumeFacts[], text: string) {
  return withCryptNames(volumes, text).map(({ name }) => name);
}

it.each([
  ['its UUID', `UUID=${uuid.toUpperCase()}`],
  ['its UUID in quotes', `UUID="${uuid}"`],
  ['a link by UUID', `/dev/disk/by-uuid/${uuid}`],
  ['the name of the kernel', '/dev/vda3'],
])('takes the name of an opened volume from a crypttab that names it by %s', (_, device) => {
  const text = `# comment\n\nroot_crypt\t${device} none luks,discard\n`;
  expect(withCryptNames([luks, inside], text).map(({ name }) => name)).toEqual([undefined, 'root_crypt']);
});

it('leaves names alone where crypttab means another volume, or two could be meant', () => {
  expect(names([luks, inside], 'swap /dev/sda2 /dev/urandom swap\nhalf\n')).toEqual([undefined, inside.name]);
  const second: VolumeFacts = { ...luks, diskIndex: 1, uuid: uuid.replace('0105', '0106') };
  expect(names([luks, second, inside], 'root /dev/sda3 none')[2]).toBe(inside.name);
});

it('finds the UUID of the container, not of what is in it, for names in crypttab and on kernel command lines', async () => {
  const files = memoryFiles({
    'etc/fstab': '/dev/mapper/root / ext4 defaults 0 1\n',
    'etc/crypttab': 'root /dev/sda3 none luks\n',
    'boot/grub/grub.cfg': 'linux /vmlinuz cryptdevice=/dev/sda3:root root=/dev/mapper/root\n',
  });
  const found = await readDeviceNames(files, {
    volumes: [luks, { ...inside, uuid: 'inner' }],
    root: inside,
    bootConfigs: ['boot/grub/grub.cfg'],
  });
  expect(found).toEqual([
    { path: 'etc/crypttab', device: '/dev/sda3', uuid },
    { path: 'boot/grub/grub.cfg', device: '/dev/sda3', uuid },
  ]);
});
