import { isAppError } from '@ascend/errors';
import type { Clock } from '@ascend/runtime';
import type { Extent } from '../extent.ts';
import { connectNbd, type NbdClient } from '../nbd/client.ts';
import type { TlsPsk } from '../nbd/startTls.ts';
import type { DiskSource } from '../source/diskSource.ts';
import { decodeExportName } from './answers.ts';
import { createBackoff } from './backoff.ts';
import { breach } from './peerErrors.ts';
import type { PeerClient } from './peerClient.ts';
import { assertRange } from './streamSource.ts';
import type { LinkSupply } from './supply.ts';

/** How the disk is read over NBD. */
export interface NbdPeerParams {
  readonly client: PeerClient;
  readonly supply: LinkSupply;
  readonly tls: TlsPsk;
  readonly sizeBytes: number;
  readonly handshakeMs: number;
  readonly silenceMs: number;
  readonly giveUpAfterMs: number;
  readonly clock: Clock;
}

// What a cut looks like; a handshake that fails on a key that was good before is one too.
const cutCodes = new Set(['DISK_NBD_DISCONNECTED', 'DISK_NBD_TIMEOUT', 'DISK_PEER_UNREACHABLE']);
const lateCutCodes = new Set([...cutCodes, 'DISK_PEER_DENIED']);

async function connect(params: NbdPeerParams): Promise<NbdClient> {
  const { client, supply } = params;
  const exportName = decodeExportName(await client.call('POST', '/nbd'));
  const nbd = await connectNbd({
    dial: () => supply.openStream(client.signal, async () => void (await client.call('POST', '/stream'))),
    exportName,
    tls: params.tls,
    signal: client.signal,
    handshakeTimeoutMs: params.handshakeMs,
    silenceMs: params.silenceMs,
  });
  if (nbd.sizeBytes === params.sizeBytes) return nbd;
  await nbd.close();
  throw breach(`its block server tells ${nbd.sizeBytes} bytes, itself ${params.sizeBytes}`);
}

/** The connection that is in use; a cut one is replaced with jitter until `giveUpAfterMs` have passed without success. */
function createConnector(params: NbdPeerParams) {
  const { client, clock } = params;
  const backoff = createBackoff(clock);
  let current: Promise<NbdClient> | null = null;
  let failingSinceMs: number | null = null;
  let wasGood = false;
  const run = async <T>(step: (nbd: NbdClient) => Promise<T>): Promise<T> => {
    for (;;) {
      const used = (current ??= connect(params));
      try {
        const result = await step(await used);
        wasGood = true;
        failingSinceMs = null;
        backoff.reset();
        return result;
      } catch (cause) {
        const cut = isAppError(cause) && (wasGood ? lateCutCodes : cutCodes).has(cause.code);
        if (client.signal.aborted || !cut) throw client.toError(cause);
        if (current === used) {
          current = null;
          void used.then((nbd) => nbd.close()).catch(() => undefined);
        }
        failingSinceMs ??= clock.now();
        if (clock.now() - failingSinceMs >= params.giveUpAfterMs) throw client.toError(cause);
        await backoff.wait(client.signal).catch((reason: unknown) => {
          throw client.toError(reason);
        });
      }
    }
  };
  const close = async (): Promise<void> => {
    await current?.then((nbd) => nbd.close()).catch(() => undefined);
  };
  return { run, close };
}

/** The lent disk over NBD. @throws {AppError} as `connectNbd` and `PeerClient.request` */
export async function openNbdPeer(params: NbdPeerParams): Promise<DiskSource> {
  const connector = createConnector(params);
  const { sizeBytes, client } = params;
  await connector.run(async () => undefined);
  async function* extents(from: number, to: number): AsyncGenerator<Extent> {
    for (let at = from; at < to;) {
      // Opened anew after a cut, from where it stopped.
      const iterator = await connector.run(async (nbd) => {
        const opened = nbd.extents(at, to - at)[Symbol.asyncIterator]();
        return { opened, first: await opened.next() };
      });
      for (let step = iterator.first; step.done !== true;) {
        yield step.value;
        at = step.value.offsetBytes + step.value.lengthBytes;
        const next = await iterator.opened.next().catch((cause: unknown) => {
          if (isAppError(cause) && cutCodes.has(cause.code)) return null;
          throw client.toError(cause);
        });
        if (next === null) break;
        step = next;
      }
    }
  }
  return {
    sizeBytes,
    extents: (offset, length) => {
      assertRange(sizeBytes, offset, length);
      return extents(offset, offset + length);
    },
    readInto: async (offset, target) => {
      assertRange(sizeBytes, offset, target.length);
      await connector.run((nbd) => nbd.readInto(offset, target));
    },
    assertUnchanged: async () => {
      await client.call('POST', '/check');
    },
    close: connector.close,
  };
}
