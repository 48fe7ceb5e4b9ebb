import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createOverlay, openChain } from '@ascend/disk';
import { silentLogger, type Logger } from '@ascend/runtime';
import type { GuestDisk } from '../probe/openDisks.ts';

/** A tiny guest whose root takes an appliance. */
export interface ContainerGuest extends AsyncDisposable {
  readonly folder: string;
  /** The disks alone, as a restore point. */
  readonly images: readonly GuestDisk[];
  readonly context: { readonly workDir: string; readonly logger: Logger; readonly signal: AbortSignal };
  /** The disks with fresh overlays on those named. */
  withOverlays(disks: readonly number[]): Promise<readonly GuestDisk[]>;
  /** SHA-256 of every disk file. */
  sums(): Promise<readonly string[]>;
}

/** A guest on the named raw files of a folder, in their order. */
export async function guestOnDisks(
  folder: string,
  names: readonly string[],
  dispose: () => Promise<void>,
): Promise<ContainerGuest> {
  const images: GuestDisk[] = [];
  for (const [diskIndex, path] of names.entries()) {
    const chain = await openChain({ rootPath: folder, path, format: 'raw' });
    images.push({ diskIndex, image: { chain, overlays: [] } });
  }
  return {
    folder,
    images,
    context: { workDir: join(folder, 'work'), logger: silentLogger, signal: new AbortController().signal },
    withOverlays: async (disks) => {
      const overlaid: GuestDisk[] = [];
      for (const { diskIndex, image } of images) {
        const path = join(folder, `overlay-${diskIndex}.partial.qcow2`);
        if (disks.includes(diskIndex)) await createOverlay({ image, path });
        overlaid.push({ diskIndex, image: { ...image, overlays: disks.includes(diskIndex) ? [path] : [] } });
      }
      return overlaid;
    },
    sums: async () => {
      const files = await Promise.all(names.map((name) => readFile(join(folder, name))));
      return files.map((bytes) => createHash('sha256').update(bytes).digest('hex'));
    },
    [Symbol.asyncDispose]: dispose,
  };
}
