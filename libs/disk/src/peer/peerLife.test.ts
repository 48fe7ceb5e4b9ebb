import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Secret } from '@ascend/runtime';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openNbdSource } from '../source/nbdSource.ts';
import { makeLentChain, openPeerPair, peerWays, readWhole, type LentChain } from '../testing/peerPair.ts';
import { measurePeer } from './borrowDisk.ts';
import { lendDisk } from './lendDisk.ts';
import { choosePeerMode } from './measure.ts';
import { decodeTicket, encodeTicket } from './ticket.ts';

const never = new AbortController().signal;
const mib = 1024 * 1024;

let disk: LentChain;
beforeAll(async () => {
  disk = await makeLentChain(await mkdtemp(path.join(tmpdir(), 'ascend-disk-')));
});
afterAll(async () => {
  await rm(disk.folder, { recursive: true, force: true });
});

/** All tests share the disk; each must leave nothing that runs. */
async function withDisk(run: (disk: LentChain) => Promise<void>): Promise<void> {
  await run(disk);
  expect(await readdir(disk.workDir)).toEqual([]);
}

/** Stands between the two sides: passes connections on and cuts each of the first ones after so many bytes. */
async function withProxy(
  params: { readonly cuts: number[]; readonly onChunk?: (chunk: Buffer) => void },
  run: (onTicket: (ticket: Secret) => Secret) => Promise<void>,
): Promise<void> {
  const open = new Set<net.Socket>();
  let to = 0;
  const server = net.createServer((near) => {
    const far = net.connect(to, '127.0.0.1');
    let left = params.cuts.shift() ?? Number.POSITIVE_INFINITY;
    for (const socket of [near, far]) {
      open.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        near.destroy();
        far.destroy();
      });
      socket.on('data', (chunk) => {
        left -= chunk.length;
        if (socket === near) params.onChunk?.(chunk);
        if (left < 0) near.destroy();
        else (socket === near ? far : near).write(chunk);
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  try {
    await run((ticket) => {
      const plain = decodeTicket(ticket);
      to = plain.addresses[0]!.port;
      return encodeTicket({ ...plain, addresses: [{ host: '127.0.0.1', port }] });
    });
  } finally {
    for (const socket of open) socket.destroy();
    server.close();
  }
}

describe('cuts', () => {
  test.each(peerWays)(
    'of the connections do not end a transfer: $mode, the $listener listening',
    async (way) => {
      await withDisk(async ({ image, workDir }) => {
        const near = await openNbdSource({ image, workDir, signal: never });
        const expected = await readWhole(near);
        await near.close();
        const cuts = [6_000_000, 2_500_000, 900_000, 1_700_000, 70_000, 3_100_000, 12_000];
        await withProxy({ cuts }, async (onTicket) => {
          // Without compression there are more bytes to cut.
          const borrow = { compress: false, giveUpAfterMs: 20_000 };
          const { loan, borrowing } = await openPeerPair({ ...way, image, workDir, onTicket, borrow });
          const source = await borrowing.open();
          for (let pass = 0; pass < 3; pass += 1) {
            expect((await readWhole(source)).equals(expected)).toBe(true);
          }
          expect(cuts.length).toBeLessThan(5);
          await borrowing.close();
          expect(await loan.ended).toBe('returned');
        });
      });
    },
  );
});

describe('an end', () => {
  test.each(peerWays)(
    'without a sign of life comes by itself: $mode, the $listener listening',
    async (way) => {
      await withDisk(async ({ image, workDir }) => {
        const { loan, borrowing } = await openPeerPair({
          ...way,
          image,
          workDir,
          lend: { ttlMs: 300 },
          borrow: { giveUpAfterMs: 100, renewEveryMs: 3_600_000 },
        });
        const source = await borrowing.open();
        expect(await loan.ended).toBe('expired');
        expect(await readdir(workDir)).toEqual([]);
        await expect(readWhole(source)).rejects.toMatchObject({
          code: expect.stringMatching(/^DISK_(PEER_UNREACHABLE|NBD_DISCONNECTED)$/),
        });
        await borrowing.close();
      });
    },
  );

  test('does not come while the borrower renews: it does so by itself when nothing is read', async () => {
    await withDisk(async ({ image, workDir }) => {
      let renewals = 0;
      const renewed = Promise.withResolvers<null>();
      const onChunk = (chunk: Buffer): void => {
        // A sign of life is a small record; the session idles but for them.
        if (chunk.length < 1000 && isIdle) renewals += 1;
        if (renewals === 3) renewed.resolve(null);
      };
      let isIdle = false;
      await withProxy({ cuts: [], onChunk }, async (onTicket) => {
        const { loan, borrowing } = await openPeerPair({
          mode: 'https',
          listener: 'reader',
          image,
          workDir,
          onTicket,
          borrow: { renewEveryMs: 10 },
        });
        const source = await borrowing.open();
        isIdle = true;
        await renewed.promise;
        await source.readInto(0, Buffer.alloc(512));
        await borrowing.close();
        expect(await loan.ended).toBe('returned');
      });
    });
  });

  test.each(peerWays)('by the signal of either side is told: $mode, the $listener listening', async (way) => {
    await withDisk(async ({ image, workDir }) => {
      const stopWriter = new AbortController();
      const stopReader = new AbortController();
      const { loan, borrowing } = await openPeerPair({
        ...way,
        image,
        workDir,
        lend: { signal: stopReader.signal },
        borrow: { signal: stopWriter.signal },
      });
      const source = await borrowing.open();
      const pending = readWhole(source);
      stopWriter.abort();
      await expect(pending).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' });
      await expect(source.readInto(0, Buffer.alloc(1))).rejects.toMatchObject({
        code: 'OPERATION_CANCELLED',
      });
      stopReader.abort();
      expect(await loan.ended).toBe('cancelled');
      expect(await readdir(workDir)).toEqual([]);
      await borrowing.close();
    });
  });
});

test('the limiter of the lender is asked for every byte, and compression saves some', async () => {
  await withDisk(async ({ image, workDir }) => {
    const taken: number[] = [];
    for (const compress of [false, true]) {
      let bytes = 0;
      const limiter = {
        take: async (count: number) => {
          bytes += count;
        },
      };
      const pair = await openPeerPair({
        mode: 'https',
        listener: 'reader',
        image,
        workDir,
        lend: { limiter },
        borrow: { compress },
      });
      await readWhole(await pair.borrowing.open());
      await pair.borrowing.close();
      taken.push(bytes);
      await pair.loan.ended;
    }
    const [plain = 0, packed = 0] = taken;
    expect(plain).toBeGreaterThan(8 * mib);
    expect(plain).toBeLessThan(12 * mib);
    expect(packed).toBeGreaterThan(4 * mib - 300_000);
    expect(packed).toBeLessThan(5 * mib);
  });
});

test('over NBD the limiter is asked for what the bridge sends', async () => {
  await withDisk(async ({ image, workDir }) => {
    let bytes = 0;
    const limiter = {
      take: async (count: number) => {
        bytes += count;
      },
    };
    const { loan, borrowing } = await openPeerPair({
      mode: 'nbd',
      listener: 'reader',
      image,
      workDir,
      lend: { limiter },
    });
    await (await borrowing.open()).readInto(0, Buffer.alloc(2 * mib));
    await borrowing.close();
    await loan.ended;
    expect(bytes).toBeGreaterThan(2 * mib);
    expect(bytes).toBeLessThan(2.2 * mib);
  });
});

test('a measurement tells round trip, rate, TLS and the mode that follows from them', async () => {
  await withDisk(async ({ image, workDir }) => {
    const loan = await lendDisk({
      image,
      workDir,
      signal: never,
      at: { listen: { host: '127.0.0.1' }, mode: 'auto' },
    });
    const found = await measurePeer({ ticket: loan.ticket!, signal: never });
    expect(found.rttMs).toBeGreaterThan(0);
    expect(found.bytesPerSecond).toBeGreaterThan(1e6);
    expect(found).toMatchObject({
      tlsVersion: 'TLSv1.3',
      tlsCipher: 'TLS_AES_128_GCM_SHA256',
      mode: choosePeerMode(found),
    });
    expect(await loan.ended).toBe('returned');
  });
});

test('a session without a fixed mode reads by the measured one, and by either on request', async () => {
  await withDisk(async ({ image, workDir }) => {
    const { loan, borrowing } = await openPeerPair({ mode: 'auto', listener: 'writer', image, workDir });
    const contents = [];
    for (const mode of [undefined, 'nbd', 'https'] as const)
      contents.push(await readWhole(await borrowing.open(mode)));
    expect(contents[1]!.equals(contents[0]!)).toBe(true);
    expect(contents[2]!.equals(contents[0]!)).toBe(true);
    await borrowing.close();
    expect(await loan.ended).toBe('returned');
  });
});
