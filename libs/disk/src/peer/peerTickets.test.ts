import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as fc from 'fast-check';
import { Secret } from '@ascend/runtime';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeLentChain, openPeerPair, readWhole, type LentChain } from '../testing/peerPair.ts';
import { borrowDisk, openPeerSource } from './borrowDisk.ts';
import { encodeKnock } from './knock.ts';
import { lendDisk, sessionStreams } from './lendDisk.ts';
import { dialStream } from './link.ts';
import { createSession, decodeTicket, encodeTicket, knockKeyOf, type SessionTicket } from './ticket.ts';

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

function changed(change: (ticket: SessionTicket) => Partial<SessionTicket>): (ticket: Secret) => Secret {
  return (ticket) => {
    const plain = decodeTicket(ticket);
    return encodeTicket({ ...plain, ...change(plain) });
  };
}

const stranger = createSession({
  mode: 'auto',
  listener: 'reader',
  addresses: [{ host: '127.0.0.1', port: 1 }],
  links: 4,
  nowMs: Date.now(),
  expiresAtMs: Date.now() + 60_000,
}).ticket;

const forgeries = [
  { name: 'the key', forged: { key: stranger.key } },
  { name: 'the dialler', forged: { diallerCert: stranger.diallerCert, diallerKey: stranger.diallerKey } },
  { name: 'the listener', forged: { listenerCert: stranger.listenerCert } },
];
const forgedTickets = (['reader', 'writer'] as const).flatMap((listener) =>
  forgeries.map(({ name, forged }) => ({ listener, name, forged })),
);

describe('a ticket that is not right', () => {
  test.each(forgedTickets)(
    'is denied: $name is that of another session, the $listener listening',
    async ({ listener, forged }) => {
      await withDisk(async ({ image, workDir }) => {
        const attempt = async (): Promise<void> => {
          const pair = await openPeerPair({
            mode: 'auto',
            listener,
            image,
            workDir,
            onTicket: changed(() => forged),
          });
          try {
            await pair.borrowing.open();
          } finally {
            await pair.borrowing.close();
            await pair.loan.close();
          }
        };
        await expect(attempt()).rejects.toMatchObject({ code: 'DISK_PEER_DENIED' });
      });
    },
  );

  test('is for one borrower only, and over when the disk is given back', async () => {
    await withDisk(async ({ image, workDir }) => {
      const loan = await lendDisk({
        image,
        workDir,
        signal: never,
        at: { listen: { host: '127.0.0.1' }, mode: 'https' },
      });
      const params = { ticket: loan.ticket!, signal: never, giveUpAfterMs: 100 };
      const source = await openPeerSource(params);
      await expect(openPeerSource(params)).rejects.toMatchObject({ code: 'DISK_PEER_DENIED' });
      await source.readInto(0, Buffer.alloc(512));
      await source.close();
      expect(await loan.ended).toBe('returned');
      await expect(openPeerSource(params)).rejects.toMatchObject({ code: 'DISK_PEER_UNREACHABLE' });
    });
  });

  test('is for one lender only', async () => {
    await withDisk(async ({ image, workDir }) => {
      let again: Secret | undefined;
      const onTicket = (ticket: Secret): Secret => (again = ticket);
      const { loan, borrowing } = await openPeerPair({
        mode: 'https',
        listener: 'writer',
        image,
        workDir,
        onTicket,
      });
      await expect(lendDisk({ image, workDir, signal: never, at: { ticket: again! } })).rejects.toMatchObject(
        {
          code: 'DISK_PEER_DENIED',
        },
      );
      await (await borrowing.open()).readInto(0, Buffer.alloc(512));
      await borrowing.close();
      expect(await loan.ended).toBe('returned');
    });
  });

  test('has expired: the lender is gone and the borrower is told so', async () => {
    await withDisk(async ({ image, workDir }) => {
      const at = { listen: { host: '127.0.0.1' }, mode: 'nbd', ticketLifeMs: 20 } as const;
      const loan = await lendDisk({ image, workDir, signal: never, at });
      expect(await loan.ended).toBe('expired');
      await expect(
        openPeerSource({ ticket: loan.ticket!, signal: never, giveUpAfterMs: 50 }),
      ).rejects.toMatchObject({ code: 'DISK_PEER_DENIED', message: expect.stringContaining('expired') });
    });
  });

  test('has expired at a listening borrower: the lender is told', async () => {
    await withDisk(async ({ image, workDir }) => {
      const at = { listen: { host: '127.0.0.1' }, mode: 'nbd', ticketLifeMs: 20 } as const;
      const borrowing = await borrowDisk({ signal: never, at });
      await expect(borrowing.open()).rejects.toMatchObject({ code: 'DISK_PEER_ENDED' });
      await expect(
        lendDisk({ image, workDir, signal: never, at: { ticket: borrowing.ticket! } }),
      ).rejects.toMatchObject({ code: 'DISK_PEER_ENDED' });
      await borrowing.close();
    });
  });

  test('is for the other side or the other mode', async () => {
    await withDisk(async ({ image, workDir }) => {
      const { loan, borrowing } = await openPeerPair({ mode: 'https', listener: 'reader', image, workDir });
      const at = { ticket: loan.ticket! };
      await expect(lendDisk({ image, workDir, signal: never, at })).rejects.toMatchObject({
        code: 'DISK_PEER_DENIED',
      });
      await expect(borrowing.open('nbd')).rejects.toMatchObject({ code: 'DISK_PEER_DENIED' });
      await borrowing.close();
      await loan.close();
    });
  });
});

test('a holder with more connections than agreed loses its oldest ones', async () => {
  await withDisk(async ({ image, workDir }) => {
    const { loan, borrowing } = await openPeerPair({ mode: 'nbd', listener: 'reader', image, workDir });
    const ticket = decodeTicket(loan.ticket!);
    const dial = { ticket, holder: 'ab'.repeat(16), timeoutMs: 10_000 };
    const first = await dialStream(dial);
    const closed = once(first.resume(), 'close');
    for (let index = 0; index < sessionStreams; index += 1) (await dialStream(dial)).resume();
    await closed;
    await expect(borrowing.open()).rejects.toMatchObject({ code: 'DISK_PEER_DENIED' });
    await borrowing.close();
    await loan.close();
  });
});

/** Connects, sends, and waits until the other side has hung up. */
async function hungUp(port: number, bytes: Uint8Array): Promise<void> {
  const socket = net.connect(port, '127.0.0.1');
  const closed = once(socket, 'close');
  socket.on('error', () => undefined);
  socket.resume();
  socket.write(bytes);
  await closed;
}

describe('strangers', () => {
  test('who are silent, make noise or repeat a knock are dropped, and the session goes on', async () => {
    await withDisk(async ({ image, workDir }) => {
      const { loan, borrowing } = await openPeerPair({
        mode: 'https',
        listener: 'reader',
        image,
        workDir,
        lend: { handshakeMs: 100 },
      });
      const ticket = decodeTicket(loan.ticket!);
      const { port } = ticket.addresses[0]!;
      await hungUp(port, Buffer.alloc(0));
      await hungUp(port, Buffer.from([0x16, 3, 1]));
      await hungUp(port, encodeKnock(knockKeyOf(stranger), 'stream', 'ab'.repeat(16)));
      await hungUp(port, encodeKnock(knockKeyOf(ticket), 'stream', 'ab'.repeat(16)).subarray(0, 79));
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), (bytes) => hungUp(port, bytes)),
        { numRuns: 15 },
      );
      expect((await readWhole(await borrowing.open())).length).toBe(image.chain.virtualSizeBytes);
      await borrowing.close();
      expect(await loan.ended).toBe('returned');
    });
  });

  test('in a crowd cannot keep the borrower out', async () => {
    await withDisk(async ({ image, workDir }) => {
      const { loan, borrowing } = await openPeerPair({ mode: 'nbd', listener: 'reader', image, workDir });
      const { port } = decodeTicket(loan.ticket!).addresses[0]!;
      const crowd = Array.from({ length: 80 }, () =>
        net.connect(port, '127.0.0.1').on('error', () => undefined),
      );
      await Promise.all(crowd.map((socket) => once(socket, 'connect')));
      const source = await borrowing.open();
      await source.readInto(0, Buffer.alloc(mib));
      await borrowing.close();
      expect(await loan.ended).toBe('returned');
      for (const socket of crowd) socket.destroy();
    });
  });
});

test('a port that is taken, and a place where nobody listens, are told with their code', async () => {
  await withDisk(async ({ image, workDir }) => {
    const { loan, borrowing } = await openPeerPair({
      mode: 'https',
      listener: 'reader',
      image,
      workDir,
      borrow: { giveUpAfterMs: 100 },
    });
    const { port } = decodeTicket(loan.ticket!).addresses[0]!;
    const at = { listen: { host: '127.0.0.1', port }, mode: 'https' } as const;
    await expect(lendDisk({ image, workDir, signal: never, at })).rejects.toMatchObject({
      code: 'DISK_PEER_UNREACHABLE',
    });
    await expect(borrowDisk({ signal: never, at })).rejects.toMatchObject({ code: 'DISK_PEER_UNREACHABLE' });
    await loan.close();
    await expect(borrowing.open()).rejects.toMatchObject({ code: 'DISK_PEER_UNREACHABLE' });
    await borrowing.close();
    await expect(
      lendDisk({ image, workDir, signal: never, at: { ticket: new Secret('noise') } }),
    ).rejects.toMatchObject({
      code: 'DISK_PEER_PROTOCOL',
    });
  });
});
