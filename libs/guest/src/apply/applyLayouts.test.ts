import { createHash } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { writtenDisks } from '@ascend/domain';
import { runProcess, startProcess, systemClock } from '@ascend/runtime';
import { describe, expect, it } from 'vitest';
import { planEdits } from '../edits/planEdits.ts';
import { probeGuest } from '../probe/probeGuest.ts';
import { openRootFiles } from '../probe/rootFiles.ts';
import { buildLayoutGuest, type LayoutPart } from '../testing/layoutGuest.ts';
import { leftovers } from '../testing/leftovers.ts';
import { tinyNeeds, tinyNic } from '../testing/tinyPlan.ts';
import { verifyEdits } from '../verify/verifyEdits.ts';
import { applyEdits } from './applyEdits.ts';
import type { ExecutorKind } from './guestMount.ts';
import { descendants } from './processTree.ts';

const ext4 = { fileSystem: 'ext4', disk: 0, sizeMib: 32 } as const;

async function sha256(paths: readonly string[]): Promise<readonly string[]> {
  return await Promise.all(
    paths.map(async (path) =>
      createHash('sha256')
        .update(await readFile(path))
        .digest('hex'),
    ),
  );
}

async function readGuest(params: Parameters<typeof openRootFiles>[0], path: string): Promise<string> {
  await using root = await openRootFiles(params);
  return (await root.files.read(path, 100_000))?.toString('latin1') ?? '';
}

/** Probes, plans, edits and verifies; returns what a test asserts about. */
async function prepare(parts: readonly LayoutPart[], executor: ExecutorKind | 'auto') {
  await using layout = await buildLayoutGuest(parts);
  const before = await sha256(layout.diskPaths);
  const guest = await probeGuest({ ...layout.context, images: layout.images });
  const { edits, findings } = planEdits({ guest, needs: tinyNeeds, nics: [tinyNic] });
  const blocked = findings.filter(({ severity }) => severity === 'blocked');
  const images = await layout.withOverlays(writtenDisks(guest));
  const params = { ...layout.context, images, guest, edits, needs: tinyNeeds };
  await applyEdits({ ...params, executor, report: () => undefined });
  const verified = await verifyEdits(params);
  return {
    guest,
    blocked,
    failures: verified.findings.filter(({ severity }) => severity !== 'ok').map(({ message }) => message),
    diff: verified.diff.map(({ path, change }) => `${path}: ${change}`),
    grub: await readGuest(params, '/boot/grub/grub.cfg'),
    unchanged: JSON.stringify(before) === JSON.stringify(await sha256(layout.diskPaths)),
    left: await leftovers(layout.folder),
  };
}

const layouts: readonly (readonly [string, readonly LayoutPart[]])[] = [
  [
    'a /boot of its own',
    [
      { ...ext4, mountPoint: '/boot' },
      { ...ext4, mountPoint: '/' },
    ],
  ],
  [
    'root, /boot and /usr on partitions and logical volumes of two disks',
    [
      { ...ext4, mountPoint: '/boot' },
      { ...ext4, mountPoint: '/', logical: 'root', device: '/dev/mapper/vg0-root' },
      { ...ext4, mountPoint: '/usr', disk: 1, logical: 'usr', device: '/dev/vg0/usr' },
    ],
  ],
];

describe.runIf(process.getuid?.() === 0).each(['rootless', 'kernel'] as const)(
  'applyEdits on several volumes with the %s executor',
  (executor) => {
    it.each(layouts)('edits a guest with %s', async (_, parts) => {
      const result = await prepare(parts, executor);
      expect(result.blocked).toEqual([]);
      expect(result.failures).toEqual([]);
      expect(result.diff).toContain(
        'boot/initrd.img-6.1.0-1-amd64: 3 modules added: virtio_blk, virtio_net, virtio_pci',
      );
      expect(result.grub).toContain('console=ttyS0');
      expect(result.guest.mounts?.map(({ mountPoint }) => mountPoint)).toEqual(
        parts
          .map(({ mountPoint }) => mountPoint)
          .toSorted((left, right) => (left === '/' ? -1 : right === '/' ? 1 : right.localeCompare(left))),
      );
      expect(result.unchanged).toBe(true);
      expect(result.left).toEqual([]);
    });
  },
);

describe.runIf(process.getuid?.() === 0)('applyEdits on file systems that the kernel mounts', () => {
  it.each<[string, readonly LayoutPart[], readonly string[]]>([
    [
      'xfs on LVM with a /boot of its own',
      [
        { ...ext4, mountPoint: '/boot' },
        {
          mountPoint: '/',
          fileSystem: 'xfs',
          disk: 0,
          sizeMib: 320,
          logical: 'root',
          device: '/dev/mapper/vg0-root',
        },
      ],
      [],
    ],
    [
      'a btrfs subvolume',
      [
        { ...ext4, mountPoint: '/boot' },
        { mountPoint: '/', fileSystem: 'btrfs', disk: 0, sizeMib: 160, subvolume: '@' },
      ],
      ['subvol=@'],
    ],
  ])('edits a guest on %s', async (_, parts, options) => {
    const result = await prepare(parts, 'auto');
    expect(result.guest.remarks).toEqual([]);
    expect(result.blocked).toEqual([]);
    expect(result.failures).toEqual([]);
    expect(result.guest.mounts?.[0]?.options).toEqual(options);
    expect(result.diff).toContain(
      'boot/initrd.img-6.1.0-1-amd64: 3 modules added: virtio_blk, virtio_net, virtio_pci',
    );
    expect(result.grub).toContain('console=ttyS0');
    expect(result.unchanged).toBe(true);
    expect(result.left).toEqual([]);
  });
});

describe.runIf(process.getuid?.() === 0)('applyEdits on several volumes', () => {
  const parts: readonly LayoutPart[] = [
    { ...ext4, mountPoint: '/' },
    { ...ext4, mountPoint: '/boot' },
  ];

  it.each(['/tmp', '/../../ascend', 'usr'])('mounts nothing where /boot is a link to %s', async (target) => {
    await using layout = await buildLayoutGuest(parts);
    const volume = `${layout.diskPaths[0]}?offset=1048576`;
    for (const command of ['rmdir /boot', `symlink /boot ${target}`]) {
      await runProcess({ program: 'debugfs', args: ['-w', '-R', command, volume] });
    }
    const guest = await probeGuest({ ...layout.context, images: layout.images });
    const { edits } = planEdits({ guest, needs: tinyNeeds, nics: [tinyNic] });
    const images = await layout.withOverlays([0]);
    const params = { ...layout.context, images, guest, edits, needs: tinyNeeds, report: () => undefined };
    await expect(applyEdits(params)).rejects.toMatchObject({ code: 'GUEST_LAYOUT_UNSUPPORTED' });
    expect(await leftovers(layout.folder)).toEqual([]);
  });

  it('refuses a disk that has no overlay', async () => {
    await using layout = await buildLayoutGuest(parts);
    const { images } = layout;
    const guest = await probeGuest({ ...layout.context, images });
    const { edits } = planEdits({ guest, needs: tinyNeeds, nics: [tinyNic] });
    const params = { ...layout.context, images, guest, edits, needs: tinyNeeds, report: () => undefined };
    await expect(applyEdits(params)).rejects.toMatchObject({ code: 'INTERNAL_BUG' });
    expect(await leftovers(layout.folder)).toEqual([]);
  });

  it.each(['rootless', 'kernel'] as const)(
    'leaves nothing behind when it is killed (%s)',
    async (executor) => {
      const script = new URL('../testing/applyForever.ts', import.meta.url).pathname;
      const lines: string[] = [];
      const onStdoutLine = (line: string): void => void lines.push(line);
      const args = [script, executor, 'separate-boot'];
      const child = startProcess({ program: process.execPath, args, onStdoutLine });
      while (!lines.includes('initramfs 6.1.0-1-amd64')) await systemClock.sleep(20);
      const below = await descendants(child.pid);
      expect(below.length).toBeGreaterThan(5);
      process.kill(child.pid, 'SIGKILL');
      await child.ended;
      const [folder = ''] = lines;
      expect(await leftovers(folder, below)).toEqual([]);
      await rm(folder, { recursive: true, force: true });
    },
  );
});
