import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { runAsGuestRoot } from '../guestTree.ts';
import { runInside } from './insideTree.ts';

const drivers =
  'bluetooth comedi edac firewire gpu hwmon iio infiniband isdn leds media memstick mfd mmc mtd nfc platform power soundwire staging thunderbolt usb';
const cards = 'broadcom cavium chelsio cisco emulex marvell netronome qlogic sfc';
const cardKinds = 'can hamradio usb wan wireless';
const fileSystems = 'afs ceph cifs f2fs gfs2 jfs nfs nfsd nilfs2 ocfs2 reiserfs';

/** Folders of modules that no virtual machine of any platform needs; they are two thirds of a kernel package. */
const leftOut = [
  'sound',
  'net/bluetooth',
  'net/mac80211',
  ...drivers.split(' ').map((name) => `drivers/${name}`),
  ...cards.split(' ').map((name) => `drivers/net/ethernet/${name}`),
  ...cardKinds.split(' ').map((name) => `drivers/net/${name}`),
  ...fileSystems.split(' ').map((name) => `fs/${name}`),
];

/** Takes such modules off every kernel in the tree and makes the lists of the rest anew. */
export async function trimModules(treeDir: string): Promise<void> {
  for (const release of await readdir(join(treeDir, 'usr/lib/modules'))) {
    const kernelDir = join(treeDir, 'usr/lib/modules', release, 'kernel');
    await runAsGuestRoot('rm', ['-rf', '--', ...leftOut.map((folder) => join(kernelDir, folder))]);
    await runInside({ treeDir, command: ['/usr/sbin/depmod', release] });
  }
}
