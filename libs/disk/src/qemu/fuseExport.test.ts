import { existsSync } from 'node:fs';
import { open, readdir, readFile, readlink, stat } from 'node:fs/promises';
import path from 'node:path';
import { isAppError } from '@ascend/errors';
import { systemClock } from '@ascend/runtime';
import { expect, test } from 'vitest';
import { fileBlockdev, imageBlockdev, type DiskImage } from '../blockdev.ts';
import { openChain } from '../chain/chain.ts';
import { createOverlay, sealOverlay } from '../overlay.ts';
import { makeImage, sha256Of, withTempFolder } from '../testing/images.ts';
import { exportFuse, removeStaleMounts } from './fuseExport.ts';

const mib = 1024 * 1024;

async function makeDisk(folder: string): Promise<DiskImage> {
  const full = path.join(folder, 'full.qcow2');
  await makeImage({
    path: full,
    format: 'qcow2',
    sizeBytes: 8 * mib,
    writes: [{ offsetBytes: mib, lengthBytes: mib, fill: 0x5a }],
  });
  return { chain: await openChain({ rootPath: folder, path: 'full.qcow2', format: 'qcow2' }), overlays: [] };
}

function mountsOf(folder: string, table: string): string[] {
  return table.split('\n').filter((line) => line.includes(folder));
}

test('a change through the export lands in the overlay and the backup keeps its bytes', async () => {
  await withTempFolder(async (folder) => {
    const image = await makeDisk(folder);
    const before = await sha256Of(path.join(folder, 'full.qcow2'));
    const partialPath = path.join(folder, 'disk-0.partial.qcow2');
    const finalPath = path.join(folder, 'disk-0.qcow2');
    await createOverlay({ image, path: partialPath });
    const overlaid = { ...image, overlays: [partialPath] };
    const exported = await exportFuse({
      blockdev: imageBlockdev(overlaid, { readOnly: false }),
      writable: true,
      workDir: folder,
    });
    expect(exported.sizeBytes).toBe(8 * mib);
    const handle = await open(exported.filePath, 'r+');
    await handle.write(Buffer.from('changed'), 0, 7, mib + 100);
    await handle.close();
    await expect(sealOverlay({ partialPath, finalPath })).rejects.toMatchObject({ code: 'DISK_SOURCE_BUSY' });
    await exported.close();
    await exported.close();
    expect(mountsOf(folder, await readFile('/proc/self/mountinfo', 'utf8'))).toEqual([]);
    expect(existsSync(path.dirname(exported.filePath))).toBe(false);
    await sealOverlay({ partialPath, finalPath });
    expect((await stat(finalPath)).mode & 0o777).toBe(0o444);
    const part = await exportFuse({
      blockdev: imageBlockdev({ ...image, overlays: [finalPath] }),
      writable: false,
      workDir: folder,
      offsetBytes: mib,
      sizeBytes: 512,
    });
    const bytes = await readFile(part.filePath);
    await part.close();
    expect(bytes.length).toBe(512);
    expect(bytes.toString('latin1', 98, 109)).toBe('ZZchangedZZ');
    expect(await sha256Of(path.join(folder, 'full.qcow2'))).toBe(before);
  });
});

test('an image that cannot be opened ends in a coded error and leaves no mount and no folder', async () => {
  await withTempFolder(async (folder) => {
    const blockdev = fileBlockdev(path.join(folder, 'absent.qcow2'), 'qcow2');
    const error: unknown = await exportFuse({
      blockdev,
      writable: false,
      workDir: path.join(folder, 'work'),
    }).catch((cause: unknown) => cause);
    expect(isAppError(error) && error.code).toBe('DISK_FILE_MISSING');
    expect(mountsOf(folder, await readFile('/proc/self/mountinfo', 'utf8'))).toEqual([]);
  });
});

test('an abort takes the export down', async () => {
  await withTempFolder(async (folder) => {
    const image = await makeDisk(folder);
    const stop = new AbortController();
    const exported = await exportFuse({
      blockdev: imageBlockdev(image),
      writable: false,
      workDir: folder,
      signal: stop.signal,
    });
    stop.abort();
    await exported.close();
    expect(mountsOf(folder, await readFile('/proc/self/mountinfo', 'utf8'))).toEqual([]);
  });
});

test('close takes down the mount point that a killed server left', async () => {
  await withTempFolder(async (folder) => {
    const image = await makeDisk(folder);
    const exported = await exportFuse({ blockdev: imageBlockdev(image), writable: false, workDir: folder });
    process.kill(exported.pid, 'SIGKILL');
    await exported.close();
    expect(mountsOf(folder, await readFile('/proc/self/mountinfo', 'utf8'))).toEqual([]);
  });
});

test('stale mount points below a folder with a blank in its name are taken down', async () => {
  await withTempFolder(async (folder) => {
    const image = await makeDisk(folder);
    const workDir = path.join(folder, 'a b');
    const exported = await exportFuse({ blockdev: imageBlockdev(image), writable: false, workDir });
    process.kill(exported.pid, 'SIGKILL');
    const gone = async (): Promise<boolean> =>
      await stat(exported.filePath).then(
        () => false,
        () => true,
      );
    while (!(await gone())) await systemClock.sleep(10);
    await removeStaleMounts(workDir);
    await removeStaleMounts(workDir);
    expect(mountsOf(folder, await readFile('/proc/self/mountinfo', 'utf8'))).toEqual([]);
    await exported.close();
  });
});

test('every file of the backup is opened read-only by the server, the overlay alone for writing', async () => {
  await withTempFolder(async (folder) => {
    const image = await makeDisk(folder);
    const overlay = path.join(folder, 'top.partial.qcow2');
    await createOverlay({ image, path: overlay });
    const blockdev = imageBlockdev({ ...image, overlays: [overlay] }, { readOnly: false });
    const exported = await exportFuse({ blockdev, writable: true, workDir: folder });
    const modes = new Map<string, number>();
    for (const fd of await readdir(`/proc/${exported.pid}/fd`)) {
      const target = await readlink(`/proc/${exported.pid}/fd/${fd}`).catch(() => '');
      const info = await readFile(`/proc/${exported.pid}/fdinfo/${fd}`, 'utf8').catch(() => '');
      if (target.endsWith('.qcow2')) {
        modes.set(path.basename(target), Number.parseInt(/^flags:\s+(\d+)$/m.exec(info)?.[1] ?? '3', 8) & 3);
      }
    }
    await exported.close();
    expect(Object.fromEntries(modes)).toEqual({ 'full.qcow2': 0, 'top.partial.qcow2': 2 });
  });
});
