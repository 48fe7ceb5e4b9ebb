import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectNbd, fileBlockdev, serveNbd, type Extent, type NbdServer } from '@ascend/disk';
import { makeImage, qemuImg, sha256Of, withTempFolder, writeImage } from '@ascend/disk/testing';
import { runProcess, startProcess, type RunningProcess } from '@ascend/runtime';
import { z } from 'zod';
import { until } from '../system/ascendSystem.ts';

const mib = 1024 ** 2;
const sizeBytes = 6 * 1024 * mib;

/** Data at the ends, across the 4 GiB limit of one status request, and an explicit zero cluster. */
const writes = [
  { offsetBytes: 0, lengthBytes: mib, fill: 0x11 },
  { offsetBytes: 3 * mib, lengthBytes: mib, fill: 'zero' as const },
  { offsetBytes: 100 * mib, lengthBytes: 3 * mib, fill: 0x22 },
  { offsetBytes: 4096 * mib - mib, lengthBytes: 2 * mib, fill: 0x33 },
  { offsetBytes: sizeBytes - mib, lengthBytes: mib, fill: 0x44 },
];
const data = writes.filter((write) => write.fill !== 'zero');

interface Piece {
  readonly offset: number;
  readonly length: number;
  readonly isData: boolean;
}

function joined(pieces: readonly Piece[]): Piece[] {
  const all: Piece[] = [];
  for (const piece of pieces) {
    const last = all.at(-1);
    if (last?.isData === piece.isData) all[all.length - 1] = { ...last, length: last.length + piece.length };
    else all.push(piece);
  }
  return all;
}

const mapSchema = z.array(z.object({ offset: z.number(), length: z.number(), type: z.number() }));

/** What libnbd says about a disk; bit 1 of the type: reads as zeros. */
async function libnbdMap(uri: string): Promise<Piece[]> {
  const { stdout } = await runProcess({ program: 'nbdinfo', args: ['--map', '--json', uri] });
  const entries = mapSchema.parse(JSON.parse(stdout));
  return joined(entries.map(({ offset, length, type }) => ({ offset, length, isData: (type & 2) === 0 })));
}

async function ourMap(extents: AsyncIterable<Extent>): Promise<Piece[]> {
  const all: Piece[] = [];
  for await (const { offsetBytes, lengthBytes, kind } of extents)
    all.push({ offset: offsetBytes, length: lengthBytes, isData: kind === 'data' });
  return joined(all);
}

function dataOnly(pieces: readonly Piece[]): { offsetBytes: number; lengthBytes: number }[] {
  return pieces
    .filter((piece) => piece.isData)
    .map(({ offset, length }) => ({ offsetBytes: offset, lengthBytes: length }));
}

const expectedData = data.map(({ offsetBytes, lengthBytes }) => ({ offsetBytes, lengthBytes }));

function uriOf(socketPath: string, exportName: string): string {
  return `nbd+unix:///${exportName}?socket=${socketPath}`;
}

/** Serves a disk with all `writes` by the product itself. */
async function withServed(
  writable: boolean,
  run: (served: { folder: string; image: string; server: NbdServer; uri: string }) => Promise<void>,
): Promise<void> {
  await withTempFolder(async (folder) => {
    const image = join(folder, 'disk.qcow2');
    await makeImage({ path: image, format: 'qcow2', sizeBytes, writes });
    const blockdev = fileBlockdev(image, 'qcow2', { readOnly: !writable });
    // nbdcopy opens up to four connections where the server allows several.
    const server = await serveNbd({ blockdev, writable, connections: 4, workDir: folder });
    try {
      await run({ folder, image, server, uri: uriOf(server.socketPath, server.exportName) });
    } finally {
      await server.close();
    }
  });
}

describe('what the product serves', () => {
  it('is described by nbdinfo with its size, its name and as read-only', async () => {
    await withServed(false, async ({ uri, server }) => {
      const { stdout } = await runProcess({ program: 'nbdinfo', args: ['--json', uri] });
      const facts: unknown = JSON.parse(stdout);
      expect(facts).toMatchObject({
        exports: [{ 'export-name': server.exportName, 'export-size': sizeBytes, is_read_only: true }],
      });
      expect(stdout).toContain('base:allocation');
    });
  });

  it('has the same extents for nbdinfo as for our own client, beyond 4 GiB too', async () => {
    await withServed(false, async ({ uri, server }) => {
      const client = await connectNbd(server);
      const ours = await ourMap(client.extents(0, client.sizeBytes));
      await client.close();
      expect(ours).toEqual(await libnbdMap(uri));
      expect(dataOnly(ours)).toEqual(expectedData);
    });
  });

  it('is copied by nbdcopy byte for byte', async () => {
    await withServed(false, async ({ folder, uri, image }) => {
      const copy = join(folder, 'copy.raw');
      await runProcess({ program: 'nbdcopy', args: [uri, copy] });
      const compared = await qemuImg('compare', '-f', 'qcow2', '-F', 'raw', image, copy);
      expect(compared).toContain('identical');
    });
  });

  it('takes what nbdcopy writes', async () => {
    await withTempFolder(async (folder) => {
      const source = join(folder, 'source.raw');
      await makeImage({ path: source, format: 'raw', sizeBytes: 64 * mib, writes: data.slice(0, 1) });
      const image = join(folder, 'target.qcow2');
      await makeImage({ path: image, format: 'qcow2', sizeBytes: 64 * mib });
      const blockdev = fileBlockdev(image, 'qcow2', { readOnly: false });
      const server = await serveNbd({ blockdev, writable: true, connections: 4, workDir: folder });
      try {
        await runProcess({
          program: 'nbdcopy',
          args: ['--flush', source, uriOf(server.socketPath, server.exportName)],
        });
      } finally {
        await server.close();
      }
      expect(await qemuImg('compare', '-f', 'raw', '-F', 'qcow2', source, image)).toContain('identical');
    });
  });
});

describe('our client on nbdkit', () => {
  let running: RunningProcess | undefined;

  afterAll(async () => {
    await running?.stop();
  });

  async function withNbdkit(
    run: (kit: { folder: string; file: string; socketPath: string }) => Promise<void>,
    flags: readonly string[] = [],
    bytes = sizeBytes,
  ): Promise<void> {
    await withTempFolder(async (folder) => {
      const file = join(folder, 'disk.raw');
      await makeImage({ path: file, format: 'raw', sizeBytes: bytes });
      await writeImage(
        file,
        'raw',
        data.filter((write) => write.offsetBytes + write.lengthBytes <= bytes),
      );
      const socketPath = join(folder, 'kit.sock');
      running = startProcess({
        program: 'nbdkit',
        args: ['--foreground', '--unix', socketPath, ...flags, 'file', `file=${file}`],
        dieWithParent: true,
      });
      await until('nbdkit answers', 10, async () => {
        await (await connectNbd({ socketPath })).close();
        return true;
      });
      try {
        await run({ folder, file, socketPath });
      } finally {
        await running.stop();
      }
    });
  }

  it('finds the same extents as libnbd, and the data where it was written', async () => {
    await withNbdkit(async ({ socketPath }) => {
      const client = await connectNbd({ socketPath });
      const ours = await ourMap(client.extents(0, client.sizeBytes));
      expect(client.sizeBytes).toBe(sizeBytes);
      await client.close();
      expect(ours).toEqual(await libnbdMap(uriOf(socketPath, '')));
      expect(dataOnly(ours)).toEqual(expectedData);
    });
  });

  it('reads the bytes of the file, at odd places too', async () => {
    await withNbdkit(
      async ({ file, socketPath }) => {
        const whole = await readFile(file);
        const client = await connectNbd({ socketPath });
        const places = [0, mib - 513, 3 * mib - 1, 100 * mib - 7, 104 * mib];
        for (const offset of places) {
          const found = Buffer.alloc(3 * mib + 13);
          await client.readInto(offset, found);
          expect(found.equals(whole.subarray(offset, offset + found.length))).toBe(true);
        }
        await client.close();
      },
      ['--readonly'],
      128 * mib,
    );
  });

  it('writes, zeroes and flushes so that the file holds it', async () => {
    await withNbdkit(
      async ({ folder, file, socketPath }) => {
        const client = await connectNbd({ socketPath });
        expect(client.readOnly).toBe(false);
        await client.write(7 * mib, Buffer.alloc(2 * mib, 0x55));
        await client.writeZeros(0, mib / 2);
        await client.flush();
        await client.close();
        const expected = join(folder, 'expected.raw');
        await makeImage({
          path: expected,
          format: 'raw',
          sizeBytes: 128 * mib,
          writes: [
            ...data.slice(0, 2),
            { offsetBytes: 7 * mib, lengthBytes: 2 * mib, fill: 0x55 },
            { offsetBytes: 0, lengthBytes: mib / 2, fill: 'zero' },
          ],
        });
        expect(await sha256Of(file)).toBe(await sha256Of(expected));
      },
      [],
      128 * mib,
    );
  });

  it('works on a server without block status, where all counts as data', async () => {
    await withNbdkit(
      async ({ socketPath }) => {
        const client = await connectNbd({ socketPath });
        const ours = await ourMap(client.extents(0, client.sizeBytes));
        await client.close();
        expect(ours).toEqual([{ offset: 0, length: 128 * mib, isData: true }]);
      },
      ['--filter=noextents'],
      128 * mib,
    );
  });
});

beforeAll(async () => {
  for (const program of ['nbdkit', 'nbdinfo', 'nbdcopy'])
    await runProcess({ program, args: ['--version'] }).catch((cause: unknown) => {
      throw new Error(`peers: ${program} is missing; deploy/setup.sh --peers installs it`, { cause });
    });
});
