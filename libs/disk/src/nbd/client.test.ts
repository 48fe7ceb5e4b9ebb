import net from 'node:net';
import path from 'node:path';
import { expect, test } from 'vitest';
import { fileBlockdev } from '../blockdev.ts';
import type { Extent } from '../extent.ts';
import { serveNbd } from '../qemu/nbdServer.ts';
import { makeImage, withTempFolder } from '../testing/images.ts';
import { connectNbd } from './client.ts';

const mib = 1024 * 1024;

async function collect(extents: AsyncIterable<Extent>): Promise<string[]> {
  const all: string[] = [];
  for await (const { offsetBytes, lengthBytes, kind } of extents)
    all.push(`${kind} ${offsetBytes}+${lengthBytes}`);
  return all;
}

async function withDisk(
  run: (disk: {
    folder: string;
    serve: (writable: boolean, connections?: number) => ReturnType<typeof serveNbd>;
  }) => Promise<void>,
  sizeBytes = 16 * mib,
): Promise<void> {
  await withTempFolder(async (folder) => {
    const file = path.join(folder, 'disk.qcow2');
    await makeImage({
      path: file,
      format: 'qcow2',
      sizeBytes,
      writes: [
        { offsetBytes: mib, lengthBytes: 2 * mib, fill: 0xab },
        { offsetBytes: 4 * mib, lengthBytes: mib, fill: 'zero' },
      ],
    });
    await run({
      folder,
      serve: (writable, connections = 1) =>
        serveNbd({
          blockdev: fileBlockdev(file, 'qcow2', { readOnly: !writable }),
          writable,
          connections,
          workDir: folder,
        }),
    });
  });
}

test('reads land in the buffer of the caller and extents tell data, zeros and holes', async () => {
  await withDisk(async ({ serve }) => {
    const server = await serve(false);
    const client = await connectNbd(server);
    const target = Buffer.alloc(3 * mib, 1);
    await client.readInto(mib / 2, target);
    expect(target.subarray(0, mib / 2).every((byte) => byte === 0)).toBe(true);
    expect(target.subarray(mib / 2, mib / 2 + 2 * mib).every((byte) => byte === 0xab)).toBe(true);
    expect(await collect(client.extents(0, 16 * mib))).toEqual([
      `hole 0+${mib}`,
      `data ${mib}+${2 * mib}`,
      // A zero cluster without allocation counts as a hole, like the rest of the disk.
      `hole ${3 * mib}+${13 * mib}`,
    ]);
    expect(await collect(client.extents(2 * mib, 512))).toEqual([`data ${2 * mib}+512`]);
    expect(client.readOnly).toBe(true);
    await client.close();
    await server.close();
  });
});

test('extents of a disk beyond 4 GiB are asked for in windows and joined', async () => {
  await withDisk(
    async ({ serve }) => {
      const server = await serve(false);
      const client = await connectNbd(server);
      const all = await collect(client.extents(0, client.sizeBytes));
      expect(all).toHaveLength(3);
      await client.close();
      await server.close();
    },
    20 * 1024 * mib,
  );
});

test('what is written and zeroed is read back through a second client after a flush', async () => {
  await withDisk(async ({ serve }) => {
    const server = await serve(true, 2);
    const client = await connectNbd(server);
    await Promise.all([
      client.write(8 * mib, Buffer.alloc(mib, 7)),
      client.write(10 * mib, Buffer.alloc(512, 8)),
      client.writeZeros(mib, mib),
    ]);
    await client.flush();
    const other = await connectNbd(server);
    const read = Buffer.alloc(16 * mib);
    await other.readInto(0, read);
    expect([read[8 * mib], read[9 * mib - 1], read[10 * mib + 511], read[mib], read[2 * mib]]).toEqual([
      7, 7, 8, 0, 0xab,
    ]);
    await Promise.all([client.close(), other.close(), server.close()]);
  });
});

test('a write to a read-only export is an I/O error and the connection lives on', async () => {
  await withDisk(async ({ serve }) => {
    const server = await serve(false);
    const client = await connectNbd(server);
    await expect(client.write(0, Buffer.alloc(512))).rejects.toMatchObject({
      code: 'DISK_IO_FAILED',
      details: { errno: 'EINVAL' },
    });
    await client.readInto(0, Buffer.alloc(512));
    await expect(client.readInto(16 * mib, Buffer.alloc(1))).rejects.toMatchObject({
      code: 'DISK_RANGE_INVALID',
    });
    await client.close();
    await server.close();
  });
});

test('the end of the server rejects every pending and later request', async () => {
  await withDisk(async ({ serve }) => {
    const server = await serve(false);
    const client = await connectNbd(server);
    const reads = Array.from({ length: 64 }, () => client.readInto(0, Buffer.alloc(4 * mib)));
    process.kill(server.pid, 'SIGKILL');
    const results = await Promise.allSettled(reads);
    const codes = results.map((result) =>
      result.status === 'rejected' ? Reflect.get(result.reason, 'code') : 'ok',
    );
    expect(codes.filter((code) => code !== 'ok' && code !== 'DISK_NBD_DISCONNECTED')).toEqual([]);
    expect(codes.at(-1)).toBe('DISK_NBD_DISCONNECTED');
    await expect(client.flush()).rejects.toMatchObject({ code: 'DISK_NBD_DISCONNECTED' });
    await expect(collect(client.extents(0, mib))).rejects.toMatchObject({ code: 'DISK_NBD_DISCONNECTED' });
    await client.close();
    await server.close();
  });
});

test('a client without a place at the server gives up at its deadline', async () => {
  await withDisk(async ({ serve }) => {
    const server = await serve(false);
    const places = await Promise.all([connectNbd(server), connectNbd(server), connectNbd(server)]);
    await expect(connectNbd({ ...server, handshakeTimeoutMs: 300 })).rejects.toMatchObject({
      code: 'DISK_NBD_TIMEOUT',
    });
    await Promise.all(places.map((client) => client.close()));
    await server.close();
  });
});

test('an abort rejects pending requests', async () => {
  await withDisk(async ({ serve }) => {
    const server = await serve(false);
    const stop = new AbortController();
    const client = await connectNbd({ ...server, signal: stop.signal });
    const read = client.readInto(0, Buffer.alloc(16 * mib));
    stop.abort();
    await expect(read).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' });
    await client.close();
    await server.close();
  });
});

test('an unknown export and a missing socket are refused', async () => {
  await withDisk(async ({ folder, serve }) => {
    const server = await serve(false);
    await expect(connectNbd({ ...server, exportName: 'other' })).rejects.toMatchObject({
      code: 'DISK_NBD_PROTOCOL',
    });
    await server.close();
    await expect(connectNbd({ socketPath: path.join(folder, 'none') })).rejects.toMatchObject({
      code: 'DISK_NBD_DISCONNECTED',
    });
  });
});

const greeting = Buffer.from('4e42444d4147494349484156454f50540003', 'hex');
const info = Buffer.from('0003e889045565a9000000070000000300000000c', 'hex');

/** Answers each chunk that arrives with the next script entry; null ends the connection. */
async function withScript(
  script: readonly (Buffer | null)[],
  run: (socketPath: string) => Promise<void>,
): Promise<void> {
  await withTempFolder(async (folder) => {
    const socketPath = path.join(folder, 's');
    const server = net.createServer((socket) => {
      let next = 0;
      const answer = (): void => {
        const entry = script[next];
        next += 1;
        if (entry === null) socket.destroy();
        else if (entry !== undefined) socket.write(entry);
      };
      socket.on('error', () => undefined);
      socket.on('data', answer);
      answer();
    });
    await new Promise<void>((resolve) => server.listen(socketPath, resolve));
    try {
      await run(socketPath);
    } finally {
      server.close();
    }
  });
}

function optionReplyHead(type: number, length: number): Buffer {
  const bytes = Buffer.alloc(20);
  bytes.writeBigUInt64BE(0x3_e889_0455_65a9n, 0);
  bytes.writeUInt32BE(7, 8);
  bytes.writeUInt32BE(type, 12);
  bytes.writeUInt32BE(length, 16);
  return bytes;
}

function goReply(): Buffer {
  const size = Buffer.alloc(12);
  size.writeBigUInt64BE(BigInt(mib), 2);
  return Buffer.concat([optionReplyHead(3, 12), size, optionReplyHead(1, 0)]);
}

test.each([
  ['silence', [], 'DISK_NBD_TIMEOUT'],
  ['an end after the greeting', [greeting, null], 'DISK_NBD_DISCONNECTED'],
  [
    'the old greeting',
    [Buffer.from('4e42444d414749430000420281861253', 'hex'), Buffer.alloc(136)],
    'DISK_NBD_TIMEOUT',
  ],
  ['noise', [Buffer.alloc(64, 0x41)], 'DISK_NBD_PROTOCOL'],
  ['half an answer', [greeting, info], 'DISK_NBD_TIMEOUT'],
  [
    'an option answer of 4 GiB',
    [greeting, Buffer.from('0003e889045565a90000000700000003ffffffff', 'hex')],
    'DISK_NBD_PROTOCOL',
  ],
])('a server that greets with %s is refused', async (_, script, code) => {
  await withScript(script, async (socketPath) => {
    await expect(connectNbd({ socketPath, handshakeTimeoutMs: 300 })).rejects.toMatchObject({ code });
  });
});

test.each([
  ['an answer to no request', Buffer.from('67446698000000000000000000000063', 'hex'), 'DISK_NBD_PROTOCOL'],
  ['an answer with a wrong magic', Buffer.alloc(16, 0x42), 'DISK_NBD_PROTOCOL'],
  ['an end', null, 'DISK_NBD_DISCONNECTED'],
  ['an end amid the data', Buffer.from('67446698000000000000000000000001aabb', 'hex'), 'DISK_NBD_TIMEOUT'],
  ['silence', undefined, 'DISK_NBD_TIMEOUT'],
  ['an I/O error', Buffer.from('67446698000000050000000000000001', 'hex'), 'DISK_IO_FAILED'],
  ['a full disk', Buffer.from('674466980000001c0000000000000001', 'hex'), 'DISK_SPACE_EXHAUSTED'],
])('a read answered with %s is rejected', async (_, answer, code) => {
  const script = [greeting, goReply(), ...(answer === undefined ? [] : [answer])];
  await withScript(script, async (socketPath) => {
    const client = await connectNbd({ socketPath, silenceMs: 300 });
    await expect(client.readInto(0, Buffer.alloc(512))).rejects.toMatchObject({ code });
    await client.close();
  });
});
