import { open, readdir } from 'node:fs/promises';
import { runProcess } from '@ascend/runtime';
import { describe, expect, it } from 'vitest';
import { planEdits } from '../edits/planEdits.ts';
import { buildLayoutGuest, type LayoutGuest, type LayoutPart } from '../testing/layoutGuest.ts';
import { leftovers } from '../testing/leftovers.ts';
import { buildStripedGuest } from '../testing/stripedGuest.ts';
import { tinyNeeds } from '../testing/tinyPlan.ts';
import { probeGuest } from './probeGuest.ts';

const ext4 = { fileSystem: 'ext4', disk: 0, sizeMib: 32 } as const;
const xfsRoot: LayoutPart = { mountPoint: '/', fileSystem: 'xfs', disk: 0, sizeMib: 320 };

async function probe(layout: LayoutGuest) {
  return await probeGuest({ ...layout.context, images: layout.images });
}

/** Changes a file of an xfs by the kernel and cuts it off before its log is written back, as a backup of a running VM does. */
const cutOff = [
  'set -e',
  'mount -o loop,offset=1048576,sizelimit=335544320 "$1" "$2"',
  'echo fresh > "$2/etc/hostname"; mkdir "$2/etc/new"; sync -f "$2"',
  'mv "$2/etc/hostname" "$2/etc/hostname.new"; mv "$2/etc/hostname.new" "$2/etc/hostname"',
  'xfs_io -x -c "shutdown -f" "$2"',
  'umount "$2"',
].join('\n');

describe.runIf(process.getuid?.() === 0)('probeGuest on layouts', () => {
  it('replays the log of an xfs that was in use on an overlay of its own', async () => {
    await using layout = await buildLayoutGuest([xfsRoot]);
    const mountPoint = layout.context.workDir;
    const [disk = ''] = layout.diskPaths;
    const shell = ['sh', '-c', cutOff, 'sh', disk, mountPoint];
    await runProcess({ program: 'unshare', args: ['--mount', '--propagation', 'private', '--', ...shell] });
    const guest = await probe(layout);
    expect(guest.hostname).toBe('fresh');
    expect(guest.root?.fileSystem).toBe('xfs');
    expect(await leftovers(layout.folder)).toEqual([]);
    expect(await readdir(layout.context.workDir)).toEqual([]);
  });

  it('finds the other volumes where /boot cannot be read, and says why nothing is edited', async () => {
    await using layout = await buildLayoutGuest([
      { ...ext4, mountPoint: '/boot' },
      { ...ext4, mountPoint: '/', logical: 'root' },
    ]);
    const file = await open(layout.diskPaths[0]!, 'r+');
    await file.write(Buffer.alloc(8192, 0xff), 0, 8192, 1024 * 1024 + 4096);
    await file.close();
    const guest = await probe(layout);
    expect(guest.mounts?.map(({ mountPoint }) => mountPoint)).toEqual(['/']);
    const { edits, findings } = planEdits({ guest, needs: tinyNeeds, nics: [] });
    expect(edits).toEqual([]);
    expect(findings).toMatchObject([{ code: 'GUEST_LAYOUT_UNSUPPORTED', severity: 'blocked' }]);
    expect(findings[0]?.evidence).toMatch(/\/boot on disk 0 partition 1: /);
  });

  it('reads a guest of which a disk is missing, and names what lies on it', async () => {
    await using layout = await buildLayoutGuest([
      { ...ext4, mountPoint: '/', logical: 'root', device: '/dev/vg0/root' },
      { ...ext4, mountPoint: '/boot', disk: 1, logical: 'boot' },
    ]);
    const guest = await probeGuest({ ...layout.context, images: layout.images.slice(0, 1) });
    expect(guest.hostname).toBe('pgtest1');
    expect(guest.remarks).toContain(
      'vg0-boot: a physical volume of it is not on the disks, which needs the appliance',
    );
    const { findings } = planEdits({ guest, needs: tinyNeeds, nics: [] });
    expect(findings.map(({ severity }) => severity)).toEqual(['blocked']);
  });

  it('reads a striped root, and says that the appliance alone could edit it', async () => {
    await using striped = await buildStripedGuest();
    const guest = await probeGuest({ ...striped.context, images: striped.images });
    expect(guest.hostname).toBe('pgtest1');
    expect(guest.kernels).toHaveLength(1);
    const { edits, findings } = planEdits({ guest, needs: tinyNeeds, nics: [] });
    expect(edits).toEqual([]);
    expect(findings.map(({ evidence }) => evidence)).toEqual(['vg0-root: striped over 2 areas']);
  });
});
