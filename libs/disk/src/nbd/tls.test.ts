import { randomBytes } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import * as fc from 'fast-check';
import { Secret } from '@ascend/runtime';
import { expect, test } from 'vitest';
import { fileBlockdev } from '../blockdev.ts';
import { portOf } from '../qemu/listeningPort.ts';
import { serveNbd, serveNbdOnTcp, type NbdServer, type NbdTcpServer } from '../qemu/nbdServer.ts';
import { makeImage, withTempFolder } from '../testing/images.ts';
import { connectNbd, type NbdClient } from './client.ts';
import type { TlsPsk } from './startTls.ts';

const mib = 1024 * 1024;

function newKey(): TlsPsk {
  return { identity: 'session-1', key: new Secret(randomBytes(32).toString('hex')) };
}

async function withServers(
  run: (served: { unix: NbdServer; tcp: NbdTcpServer; tls: TlsPsk; folder: string }) => Promise<void>,
): Promise<void> {
  await withTempFolder(async (folder) => {
    // A comma in the folder's name must not end QEMU's option.
    const workDir = path.join(folder, 'a,b');
    const file = path.join(folder, 'disk.qcow2');
    await makeImage({
      path: file,
      format: 'qcow2',
      sizeBytes: 8 * mib,
      writes: [{ offsetBytes: mib, lengthBytes: 3 * mib, fill: 0x5a }],
    });
    const tls = newKey();
    const blockdev = fileBlockdev(file, 'qcow2', { readOnly: true });
    const params = { blockdev, writable: false, connections: 2, workDir, tls };
    const unix = await serveNbd(params);
    try {
      const tcp = await serveNbdOnTcp({ ...params, host: '127.0.0.1' });
      try {
        await run({ unix, tcp, tls, folder: workDir });
      } finally {
        await tcp.close();
      }
    } finally {
      await unix.close();
    }
    expect(await readdir(workDir)).toEqual([]);
  });
}

async function expectContent(client: NbdClient): Promise<void> {
  const target = Buffer.alloc(8 * mib, 1);
  await client.readInto(0, target);
  expect(
    target.equals(Buffer.concat([Buffer.alloc(mib), Buffer.alloc(3 * mib, 0x5a), Buffer.alloc(4 * mib)])),
  ).toBe(true);
  const kinds: string[] = [];
  for await (const { kind, lengthBytes } of client.extents(0, client.sizeBytes))
    kinds.push(`${kind} ${lengthBytes}`);
  expect(kinds).toEqual([`hole ${mib}`, `data ${3 * mib}`, `hole ${4 * mib}`]);
}

test('bytes and extents are the same under TLS, on a unix socket and on TCP', async () => {
  await withServers(async ({ unix, tcp, tls }) => {
    for (const endpoint of [{ socketPath: unix.socketPath }, { address: tcp.address }]) {
      const client = await connectNbd({ ...endpoint, exportName: unix.exportName, tls });
      await expectContent(client);
      await client.close();
      await expect(client.readInto(0, Buffer.alloc(1))).rejects.toMatchObject({
        code: 'DISK_NBD_DISCONNECTED',
      });
    }
  });
});

test('a client with another key, another name, or none is denied at once', async () => {
  await withServers(async ({ unix, tcp, tls }) => {
    const wrong = [{ ...tls, key: newKey().key }, { ...tls, identity: 'session-2' }, undefined];
    for (const endpoint of [{ socketPath: unix.socketPath }, { address: tcp.address }]) {
      for (const other of wrong) {
        const given = other === undefined ? {} : { tls: other };
        await expect(
          connectNbd({ ...endpoint, exportName: unix.exportName, ...given }),
        ).rejects.toMatchObject({ code: 'DISK_PEER_DENIED' });
      }
    }
  });
});

test('the key is in a file that only its owner can read, and in no argument', async () => {
  await withServers(async ({ unix, tls }) => {
    const folder = path.dirname(unix.socketPath);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect((await stat(path.join(folder, 'keys.psk'))).mode & 0o777).toBe(0o600);
    const commandLine = await readFile(`/proc/${unix.pid}/cmdline`, 'utf8');
    expect(commandLine).toContain('tls-creds-psk');
    expect(commandLine).not.toContain(tls.key.reveal());
  });
});

test('a server without TLS is refused by a client that has a key', async () => {
  await withTempFolder(async (folder) => {
    const file = path.join(folder, 'disk.raw');
    await makeImage({ path: file, format: 'raw', sizeBytes: mib });
    const blockdev = fileBlockdev(file, 'raw', { readOnly: true });
    const server = await serveNbd({ blockdev, writable: false, connections: 1, workDir: folder });
    await expect(connectNbd({ ...server, tls: newKey() })).rejects.toMatchObject({
      code: 'DISK_PEER_DENIED',
    });
    await server.close();
  });
});

test('an address of another machine cannot be listened on, and nothing is left', async () => {
  await withTempFolder(async (folder) => {
    const file = path.join(folder, 'disk.raw');
    await makeImage({ path: file, format: 'raw', sizeBytes: mib });
    const workDir = path.join(folder, 'work');
    const blockdev = fileBlockdev(file, 'raw', { readOnly: true });
    await expect(
      serveNbdOnTcp({ blockdev, writable: false, connections: 1, workDir, tls: newKey(), host: '192.0.2.1' }),
    ).rejects.toMatchObject({ code: 'DISK_SERVER_FAILED' });
    expect(await readdir(workDir)).toEqual([]);
  });
});

const greeting = Buffer.from('4e42444d4147494349484156454f50540003', 'hex');
const accepted = Buffer.from('0003e889045565a9000000050000000100000000', 'hex');
const refused = Buffer.from('0003e889045565a9000000058000000100000000', 'hex');

/** Answers each chunk that arrives with the next entry of the script, null by ending the connection. */
async function withScript<T>(
  script: readonly (Buffer | null)[],
  run: (address: { host: string; port: number }) => Promise<T>,
): Promise<T> {
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
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  try {
    return await run({ host: '127.0.0.1', port });
  } finally {
    server.close();
  }
}

test.each([
  ['says nothing', [], 'DISK_NBD_TIMEOUT'],
  ['greets with noise', [Buffer.alloc(64, 0x41)], 'DISK_NBD_PROTOCOL'],
  ['hangs up after its greeting', [greeting, null], 'DISK_NBD_DISCONNECTED'],
  ['refuses TLS', [greeting, refused], 'DISK_PEER_DENIED'],
  ['is silent when TLS should start', [greeting, accepted], 'DISK_NBD_TIMEOUT'],
  ['hangs up when TLS should start', [greeting, accepted, null], 'DISK_PEER_DENIED'],
  ['answers TLS with noise', [greeting, accepted, Buffer.alloc(400, 0x17)], 'DISK_PEER_DENIED'],
  ['speaks before TLS has started', [greeting, Buffer.concat([accepted, accepted])], 'DISK_NBD_PROTOCOL'],
])('a server that %s is given up', async (_, script, code) => {
  await withScript(script, async (address) => {
    await expect(connectNbd({ address, tls: newKey(), handshakeTimeoutMs: 300 })).rejects.toMatchObject({
      code,
    });
  });
});

test('no noise in place of a server does more than a coded error', async () => {
  const part = fc.oneof(
    fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
    fc.constantFrom(greeting, accepted, refused, null),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(part, { maxLength: 4 }), async (script) => {
      const found = await withScript(script, (address) =>
        connectNbd({ address, tls: newKey(), handshakeTimeoutMs: 50 }).catch((cause: unknown) => cause),
      );
      expect(Reflect.get(Object(found), 'code')).toMatch(/^DISK_(NBD|PEER)_/);
    }),
    { numRuns: 30 },
  );
});

test('a cancelled caller is not kept by a silent server', async () => {
  await withScript([greeting], async (address) => {
    const stop = new AbortController();
    const pending = connectNbd({ address, tls: newKey(), signal: stop.signal });
    stop.abort();
    await expect(pending).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' });
  });
});

test('the port of a listening socket is found by its inode', () => {
  const table = [
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
    '   0: 0100007F:9E4F 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 136548 1 0 100 0 0 10 0',
    '   1: 0100007F:8FE9 0100007F:9E4F 01 00000000:00000000 00:00000000 00000000     0        0 147425 1 0 100 0 0 10 0',
  ].join('\n');
  expect(portOf(table, new Set(['136548']))).toBe(0x9e4f);
  expect(portOf(table, new Set(['147425']))).toBeNull();
  expect(portOf('', new Set())).toBeNull();
});
