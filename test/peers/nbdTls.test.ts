import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connectNbd, fileBlockdev, serveNbdOnTcp, type NbdTcpServer, type TlsPsk } from '@ascend/disk';
import { makeImage, qemuImg, withTempFolder } from '@ascend/disk/testing';
import { runProcess, Secret, startProcess } from '@ascend/runtime';
import { beforeAll, describe, expect, it } from 'vitest';
import { until } from '../system/ascendSystem.ts';

const mib = 1024 ** 2;
const sizeBytes = 64 * mib;
const writes = [
  { offsetBytes: 0, lengthBytes: mib, fill: 0x11 },
  { offsetBytes: 20 * mib, lengthBytes: 9 * mib, fill: 0x22 },
  { offsetBytes: sizeBytes - mib, lengthBytes: mib, fill: 0x44 },
];

function newKey(): TlsPsk {
  return { identity: 'peer', key: new Secret(randomBytes(32).toString('hex')) };
}

async function keyFileIn(folder: string, tls: TlsPsk): Promise<string> {
  const file = join(folder, 'client.psk');
  await writeFile(file, `${tls.identity}:${tls.key.reveal()}\n`, { mode: 0o600 });
  return file;
}

/** Serves a disk by the product itself on a free port, with TLS. */
async function withServed(
  run: (served: { folder: string; image: string; server: NbdTcpServer; tls: TlsPsk }) => Promise<void>,
): Promise<void> {
  await withTempFolder(async (folder) => {
    const image = join(folder, 'disk.qcow2');
    await makeImage({ path: image, format: 'qcow2', sizeBytes, writes });
    const tls = newKey();
    const blockdev = fileBlockdev(image, 'qcow2', { readOnly: true });
    const params = { blockdev, writable: false, connections: 4, workDir: folder, tls };
    const server = await serveNbdOnTcp({ ...params, host: '127.0.0.1' });
    try {
      await run({ folder, image, server, tls });
    } finally {
      await server.close();
    }
  });
}

function uriOf(server: NbdTcpServer, tls: TlsPsk, keyFile: string): string {
  const { host, port } = server.address;
  return `nbds://${tls.identity}@${host}:${port}/${server.exportName}?tls-psk-file=${keyFile}`;
}

describe('what the product serves with TLS-PSK', () => {
  it('is described by nbdinfo as encrypted', async () => {
    await withServed(async ({ folder, server, tls }) => {
      const uri = uriOf(server, tls, await keyFileIn(folder, tls));
      const { stdout } = await runProcess({ program: 'nbdinfo', args: ['--json', uri] });
      const facts: unknown = JSON.parse(stdout);
      expect(facts).toMatchObject({ TLS: true, exports: [{ 'export-size': sizeBytes, is_read_only: true }] });
    });
  });

  it('is copied by nbdcopy byte for byte', async () => {
    await withServed(async ({ folder, image, server, tls }) => {
      const copy = join(folder, 'copy.raw');
      const uri = uriOf(server, tls, await keyFileIn(folder, tls));
      await runProcess({ program: 'nbdcopy', args: [uri, copy] });
      expect(await qemuImg('compare', '-f', 'qcow2', '-F', 'raw', image, copy)).toContain('identical');
    });
  });

  it('is refused to libnbd with another key, and without TLS', async () => {
    await withServed(async ({ folder, server, tls }) => {
      const other = uriOf(server, tls, await keyFileIn(folder, newKey()));
      const { host, port } = server.address;
      for (const uri of [other, `nbd://${host}:${port}/${server.exportName}`]) {
        await expect(
          runProcess({ program: 'nbdinfo', args: [uri], timeoutMs: 20_000 }),
        ).rejects.toMatchObject({
          code: 'PROCESS_FAILED',
        });
      }
    });
  });
});

async function withNbdkit(
  flags: readonly string[],
  run: (kit: { socketPath: string; tls: TlsPsk }) => Promise<void>,
): Promise<void> {
  await withTempFolder(async (folder) => {
    const file = join(folder, 'disk.raw');
    await makeImage({ path: file, format: 'raw', sizeBytes, writes });
    const tls = newKey();
    const keyFile = await keyFileIn(folder, tls);
    const socketPath = join(folder, 'kit.sock');
    const kit = startProcess({
      program: 'nbdkit',
      args: [
        '--foreground',
        '--unix',
        socketPath,
        '--tls=require',
        `--tls-psk=${keyFile}`,
        ...flags,
        'file',
        `file=${file}`,
      ],
      dieWithParent: true,
    });
    try {
      await until('nbdkit answers', 10, async () => {
        await (await connectNbd({ socketPath, tls })).close();
        return true;
      });
      await run({ socketPath, tls });
    } finally {
      await kit.stop();
    }
  });
}

describe('our client on nbdkit with TLS-PSK', () => {
  it('reads the bytes and finds the extents', async () => {
    await withNbdkit(['--readonly'], async ({ socketPath, tls }) => {
      const client = await connectNbd({ socketPath, tls });
      const found = Buffer.alloc(12 * mib, 1);
      await client.readInto(19 * mib, found);
      const expected = Buffer.concat([Buffer.alloc(mib), Buffer.alloc(9 * mib, 0x22), Buffer.alloc(2 * mib)]);
      expect(found.equals(expected)).toBe(true);
      const data: number[] = [];
      for await (const extent of client.extents(0, client.sizeBytes)) {
        if (extent.kind === 'data') data.push(extent.offsetBytes / mib, extent.lengthBytes / mib);
      }
      expect(data).toEqual([0, 1, 20, 9, 63, 1]);
      await client.close();
    });
  });

  it('writes and reads back', async () => {
    await withNbdkit([], async ({ socketPath, tls }) => {
      const client = await connectNbd({ socketPath, tls });
      const bytes = randomBytes(3 * mib);
      await client.write(5 * mib + 512, bytes);
      await client.writeZeros(21 * mib, mib);
      await client.flush();
      const found = Buffer.alloc(bytes.length);
      await client.readInto(5 * mib + 512, found);
      expect(found.equals(bytes)).toBe(true);
      await client.readInto(21 * mib, found.subarray(0, mib));
      expect(found.subarray(0, mib).every((byte) => byte === 0)).toBe(true);
      await client.close();
    });
  });

  it('is denied with another key, and without one', async () => {
    await withNbdkit([], async ({ socketPath }) => {
      await expect(connectNbd({ socketPath, tls: newKey() })).rejects.toMatchObject({
        code: 'DISK_PEER_DENIED',
      });
      await expect(connectNbd({ socketPath })).rejects.toMatchObject({ code: 'DISK_PEER_DENIED' });
    });
  });
});

beforeAll(async () => {
  for (const program of ['nbdkit', 'nbdinfo', 'nbdcopy'])
    await runProcess({ program, args: ['--version'] }).catch((cause: unknown) => {
      throw new Error(`peers: ${program} is missing; deploy/setup.sh --peers installs it`, { cause });
    });
});
