import { runProcess } from '@ascend/runtime';
import { copyInto, makeSparse } from './fileSystems.ts';
import { withLoopDevice } from './loopDevice.ts';
import { volumeNames } from './matrixGuest.ts';

const mib = 1024 ** 2;

/** LVM's own tools without device-mapper, on one device alone; nothing of this machine's LVM is read or written. */
async function lvm(device: string, command: string, ...args: readonly string[]): Promise<string> {
  const config = [
    `devices { use_devicesfile=0 filter=["a|^${device}$|","r|.*|"] }`,
    'activation { udev_sync=0 udev_rules=0 }',
    'backup { backup=0 archive=0 }',
  ].join(' ');
  const offline = ['--driverloaded', 'n', '--nolocking', '--config', config];
  const { stdout } = await runProcess({ program: 'lvm', args: [command, ...offline, ...args] });
  return stdout;
}

/** Offset of a volume on its device, in bytes. */
function volumeOffset(segments: string, volume: string): number {
  for (const line of segments.split('\n')) {
    const [name, firstExtent, startBytes, extentBytes] = line.trim().split(',');
    if (name === volume) return Number(startBytes) + Number(firstExtent) * Number(extentBytes);
  }
  throw new Error(`no volume ${volume} in: ${segments}`);
}

/** Makes a physical volume in a file: a group with a swap and a root volume, the root filled from an image of that size. */
export async function makeVolumeGroup(params: {
  readonly path: string;
  readonly sizeBytes: number;
  readonly rootImage: { readonly path: string; readonly sizeBytes: number };
  readonly swapImage: { readonly path: string; readonly sizeBytes: number };
}): Promise<void> {
  const { path, rootImage, swapImage } = params;
  const { group, root, swap } = volumeNames;
  await makeSparse(path, params.sizeBytes);
  const segments = await withLoopDevice(path, async (device) => {
    await lvm(device, 'pvcreate', '-ff', '--yes', device);
    await lvm(device, 'vgcreate', group, device);
    // Swap first: the root does not begin where a reader might guess.
    for (const [name, image] of [[swap, swapImage] as const, [root, rootImage] as const]) {
      const size = ['-L', `${image.sizeBytes / mib}m`, '-n', name];
      await lvm(device, 'lvcreate', '-an', '-Zn', '-Wn', '--yes', ...size, group);
    }
    const fields = 'lv_name,pvseg_start,pe_start,vg_extent_size';
    const plain = ['--units', 'b', '--nosuffix', '--noheadings', '--separator', ','];
    return lvm(device, 'pvs', '--segments', '-o', fields, ...plain);
  });
  await copyInto(swapImage.path, path, volumeOffset(segments, swap));
  await copyInto(rootImage.path, path, volumeOffset(segments, root));
}
