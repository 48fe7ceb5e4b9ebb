import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memoryFiles } from './testing/memoryFiles.ts';
import { unionFiles } from './unionFiles.ts';

const root = memoryFiles({
  'etc/os-release': '-> ../usr/lib/os-release',
  'etc/fstab': 'root',
  bin: '-> usr/bin',
  'boot/hidden': 'below the mount',
  'srv/kernel': '-> /boot/vmlinuz',
  'srv/loop': '-> loop',
  'srv/up': '-> ../../../../../etc/fstab',
  usr: '-> /elsewhere',
});
const usr = memoryFiles({ 'lib/os-release': 'ID=x', 'bin/sh': 'shell', 'lib/boot': '-> /boot' });
const boot = memoryFiles({ vmlinuz: 'kernel', 'grub/grub.cfg': 'menu', back: '-> ../etc/fstab' });
const files = unionFiles([
  { mountPoint: '/', files: root },
  { mountPoint: '/usr', files: usr },
  { mountPoint: '/boot', files: boot },
]);

async function text(path: string): Promise<string | null> {
  return (await files.read(path, 100))?.toString() ?? null;
}

describe('unionFiles', () => {
  it.each([
    ['/etc/fstab', 'root'],
    ['/boot/grub/grub.cfg', 'menu'],
    ['boot//vmlinuz', 'kernel'],
    ['/etc/os-release', 'ID=x'],
    ['/bin/sh', 'shell'],
    ['/srv/kernel', 'kernel'],
    ['/usr/lib/boot/vmlinuz', 'kernel'],
    ['/boot/back', 'root'],
    ['/boot/grub/../../etc/fstab', 'root'],
    ['/srv/up', 'root'],
    ['/boot/hidden', null],
    ['/bootx', null],
    ['/srv/loop', null],
    ['/nothing/at/all', null],
  ])('reads %s', async (path, expected) => {
    expect(await text(path)).toBe(expected);
  });

  it('lists and streams what is mounted, not what lies below it', async () => {
    expect((await files.list('/boot')).map(({ name }) => name).toSorted()).toEqual([
      'back',
      'grub',
      'vmlinuz',
    ]);
    const pieces: Buffer[] = [];
    for await (const piece of files.stream('/srv/kernel')) pieces.push(piece);
    expect(Buffer.concat(pieces).toString()).toBe('kernel');
  });

  it('tells where a link points, but follows those on the way to it', async () => {
    expect(await files.readLink?.('/srv/kernel')).toBe('/boot/vmlinuz');
    expect(await files.readLink?.('/usr/lib/boot')).toBe('/boot');
    expect(await files.readLink?.('/usr')).toBeNull();
    expect(await files.readLink?.('/')).toBeNull();
  });

  it('asks its readers for paths without links and dots alone, whatever the links say', async () => {
    const part = fc.constantFrom('a', 'b', 'c', '..', '.', 'boot', 'usr');
    const path = fc.array(part, { maxLength: 6 }).map((parts) => parts.join('/'));
    const links = fc.dictionary(fc.constantFrom('a', 'b', 'a/b', 'c/a'), path);
    await fc.assert(
      fc.asyncProperty(links, path, fc.boolean(), async (tree, wanted, absolute) => {
        const asked: string[] = [];
        const known = new Map(
          Object.entries(tree).map(([name, target]) => [`/${name}`, absolute ? `/${target}` : target]),
        );
        const spy = {
          ...memoryFiles({}),
          readLink: async (at: string) => known.get(at) ?? null,
          read: async (at: string) => {
            asked.push(at);
            return null;
          },
        };
        const mounts = ['/', '/boot', '/usr'].map((mountPoint) => ({ mountPoint, files: spy }));
        await unionFiles(mounts).read(wanted, 1);
        for (const at of asked) expect(at).toMatch(/^\/(?!.*(?:^|\/)\.\.?(?:\/|$))/);
      }),
    );
  });
});
