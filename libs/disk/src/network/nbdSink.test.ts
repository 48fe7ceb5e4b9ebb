import path from 'node:path';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { fileBlockdev } from '../blockdev.ts';
import { serveNbd, type NbdServer } from '../qemu/nbdServer.ts';
import type { DiskSink } from '../sink.ts';
import { makeImage, withTempFolder, writeImage } from '../testing/images.ts';
import { declareSinkContract } from '../testing/sinkContract.ts';
import { openNbdSink } from './nbdSink.ts';

const mib = 1024 * 1024;

/** A device that held another disk before. */
async function usedDevice(file: string, sizeBytes: number): Promise<void> {
  await makeImage({ path: file, format: 'raw', sizeBytes });
  await writeImage(file, 'raw', [{ offsetBytes: 0, lengthBytes: sizeBytes, fill: 0x5a }]);
}

async function serve(folder: string, file: string, writable = true): Promise<NbdServer> {
  const blockdev = fileBlockdev(file, 'raw', { readOnly: !writable });
  return await serveNbd({ blockdev, writable, connections: 1, workDir: path.join(folder, 'work') });
}

describe('NBD sink', () => {
  const servers: NbdServer[] = [];
  // A device has no final name: whether it is complete is what the caller noted.
  const notes = new Map<string, 'begun' | 'finished'>();

  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.close()));
  });

  declareSinkContract({
    name: 'NBD',
    open: async (folder, { sizeBytes, resume }) => {
      const file = path.join(folder, 'device');
      await mkdir(path.join(folder, 'work'), { recursive: true });
      if ((await stat(file).catch(() => null)) === null)
        await makeImage({ path: file, format: 'raw', sizeBytes });
      await Promise.all(servers.splice(0).map((server) => server.close()));
      const server = await serve(folder, file);
      servers.push(server);
      const { sink } = await openNbdSink({
        connect: { socketPath: server.socketPath, exportName: server.exportName },
        sizeBytes,
        resume: resume && notes.has(folder),
      });
      notes.set(folder, 'begun');
      return {
        ...sink,
        finish: async () => {
          await sink.finish();
          notes.set(folder, 'finished');
        },
        abort: async () => {
          await sink.abort();
          notes.delete(folder);
        },
      } satisfies DiskSink;
    },
    read: async (folder) =>
      notes.get(folder) === 'finished' ? await readFile(path.join(folder, 'device')) : null,
  });

  test('old content of a device is gone, also where nobody wrote', async () => {
    await withTempFolder(async (folder) => {
      await mkdir(path.join(folder, 'work'));
      const file = path.join(folder, 'device');
      await usedDevice(file, 8 * mib);
      const server = await serve(folder, file);
      servers.push(server);
      const connect = { socketPath: server.socketPath, exportName: server.exportName };
      const { sink } = await openNbdSink({ connect, sizeBytes: 8 * mib });
      await sink.write(3 * mib, Buffer.alloc(mib, 1));
      await sink.writeZeros(5 * mib, mib);
      await sink.finish();
      await server.close();
      const expected = Buffer.alloc(8 * mib);
      expected.fill(1, 3 * mib, 4 * mib);
      expect((await readFile(file)).equals(expected)).toBe(true);
    });
  });

  test('a smaller or read-only export is refused, a larger one is left alone behind the disk', async () => {
    await withTempFolder(async (folder) => {
      await mkdir(path.join(folder, 'work'));
      const file = path.join(folder, 'device');
      await usedDevice(file, 2 * mib);
      const server = await serve(folder, file);
      servers.push(server);
      const connect = { socketPath: server.socketPath, exportName: server.exportName };
      await expect(openNbdSink({ connect, sizeBytes: 3 * mib })).rejects.toMatchObject({
        code: 'DISK_TARGET_TOO_SMALL',
      });
      const { sink } = await openNbdSink({ connect, sizeBytes: mib });
      await sink.write(0, Buffer.alloc(512, 1));
      await sink.finish();
      await server.close();
      const found = await readFile(file);
      expect(found.subarray(0, 512).every((byte) => byte === 1)).toBe(true);
      expect(found.subarray(512, mib).every((byte) => byte === 0)).toBe(true);
      expect(found.subarray(mib).every((byte) => byte === 0x5a)).toBe(true);
      const locked = await serve(folder, file, false);
      servers.push(locked);
      await expect(
        openNbdSink({
          connect: { socketPath: locked.socketPath, exportName: locked.exportName },
          sizeBytes: mib,
        }),
      ).rejects.toMatchObject({ code: 'DISK_OUTPUT_REJECTED' });
    });
  });

  test('a server that dies ends every call with a coded error, and closing still works', async () => {
    await withTempFolder(async (folder) => {
      await mkdir(path.join(folder, 'work'));
      const file = path.join(folder, 'device');
      await usedDevice(file, 2 * mib);
      const server = await serve(folder, file);
      const connect = { socketPath: server.socketPath, exportName: server.exportName };
      const { sink } = await openNbdSink({ connect, sizeBytes: 2 * mib });
      await server.close();
      await expect(sink.write(0, Buffer.alloc(mib))).rejects.toMatchObject({ code: 'DISK_NBD_DISCONNECTED' });
      await expect(sink.finish()).rejects.toMatchObject({ code: 'DISK_NBD_DISCONNECTED' });
      await sink.suspend();
      await sink.abort();
    });
  });
});
