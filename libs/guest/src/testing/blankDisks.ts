import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createOverlay, openChain } from '@ascend/disk';
import { runProcess } from '@ascend/runtime';
import type { GuestDisk } from '../probe/openDisks.ts';

/** Empty disks of a guest in a temporary folder, each with an overlay on top. */
export interface BlankDisks extends AsyncDisposable {
  readonly folder: string;
  readonly workDir: string;
  /** Below a folder of the tests, so that several may share what is built once. */
  readonly cacheDir: string;
  readonly images: readonly GuestDisk[];
}

/** Makes `count` disks of `sizeBytes`. Disposing removes them. */
export async function makeBlankDisks(count: number, sizeBytes: number): Promise<BlankDisks> {
  const folder = await mkdtemp(join(tmpdir(), 'ascend-blank-'));
  const workDir = join(folder, 'work');
  await mkdir(workDir);
  const images: GuestDisk[] = [];
  for (let diskIndex = 0; diskIndex < count; diskIndex += 1) {
    const name = `disk-${diskIndex}.qcow2`;
    await runProcess({
      program: 'qemu-img',
      args: ['create', '-q', '-f', 'qcow2', join(folder, name), String(sizeBytes)],
    });
    const chain = await openChain({ rootPath: folder, path: name, format: 'qcow2' });
    const overlay = join(folder, `overlay-${diskIndex}.qcow2`);
    await createOverlay({ image: { chain, overlays: [] }, path: overlay });
    images.push({ diskIndex, image: { chain, overlays: [overlay] } });
  }
  return {
    folder,
    workDir,
    cacheDir: join(folder, 'cache'),
    images,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}
