import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { guestOnDisks, type ContainerGuest } from './containerGuest.ts';
import { makeLvmGroup } from './lvmGroup.ts';
import { buildTinyGuest } from './tinyGuest.ts';

const mib = 1024 * 1024;
const rootBytes = 62 * mib;
const diskBytes = 40 * mib;
const stripe = 64 * 1024;

/** Builds a tiny guest whose ext4 root is a logical volume striped over two disks without partitions. Takes root and loop devices. */
export async function buildStripedGuest(): Promise<ContainerGuest> {
  const tiny = await buildTinyGuest({ fstab: '/dev/vg0/root / ext4 defaults 0 1\n' });
  const source = await open(tiny.diskPath, 'r');
  const root = Buffer.alloc(rootBytes);
  await source.read(root, 0, root.length, mib);
  await source.close();
  const names = ['striped-0.raw', 'striped-1.raw'];
  const areas = names.map((name) => ({
    path: join(tiny.folder, name),
    offsetBytes: 0,
    sizeBytes: diskBytes,
  }));
  for (const { path } of areas) await writeFile(path, Buffer.alloc(diskBytes));
  const lvcreate = 'lvcreate -i 2 -I 64K -L 62M -n root vg0'.split(' ');
  await makeLvmGroup({ folder: tiny.folder, group: 'vg0', areas, commands: [lvcreate] });
  const disks = await Promise.all(areas.map(({ path }) => open(path, 'r+')));
  for (let index = 0; index * stripe < root.length; index += 1) {
    const at = mib + Math.floor(index / 2) * stripe;
    await disks[index % 2]?.write(root, index * stripe, stripe, at);
  }
  await Promise.all(disks.map((disk) => disk.close()));
  return await guestOnDisks(tiny.folder, names, async () => await tiny[Symbol.asyncDispose]());
}
