import { AppError } from '@ascend/errors';
import type { Clock } from '@ascend/runtime';
import type { Extent } from '../extent.ts';
import type { DiskSource } from '../source/diskSource.ts';
import { decodeExtents } from './answers.ts';
import type { PeerClient } from './peerClient.ts';
import { createRangeFetcher } from './rangeFetcher.ts';

/** How the HTTPS stream is read. */
export interface StreamSourceParams {
  readonly client: PeerClient;
  readonly sizeBytes: number;
  /** Links of the session; one of them is left to short requests when there are several. */
  readonly links: number;
  readonly compress: boolean;
  readonly giveUpAfterMs: number;
  readonly clock: Clock;
}

/** @throws {AppError} DISK_RANGE_INVALID */
export function assertRange(sizeBytes: number, offsetBytes: number, lengthBytes: number): void {
  if (Number.isSafeInteger(offsetBytes) && offsetBytes >= 0 && offsetBytes + lengthBytes <= sizeBytes) return;
  throw new AppError({
    code: 'DISK_RANGE_INVALID',
    message: `read ${lengthBytes} bytes at ${offsetBytes}: the disk has ${sizeBytes} bytes`,
    details: { offsetBytes, lengthBytes, sizeBytes },
  });
}

async function* extentsOf(client: PeerClient, from: number, to: number): AsyncGenerator<Extent> {
  for (let at = from; at < to;) {
    const page = decodeExtents(await client.call('GET', `/extents?from=${at}&to=${to}`), at, to);
    for (const extent of page) {
      yield extent;
      at += extent.lengthBytes;
    }
  }
}

/** The lent disk, read by ranges over HTTPS. */
export function createStreamSource(params: StreamSourceParams): Omit<DiskSource, 'close'> {
  const { client, sizeBytes } = params;
  const fetcher = createRangeFetcher({ ...params, lanes: Math.max(1, params.links - 1) });
  return {
    sizeBytes,
    extents: (offset, length) => {
      assertRange(sizeBytes, offset, length);
      return extentsOf(client, offset, offset + length);
    },
    readInto: async (offset, target) => {
      assertRange(sizeBytes, offset, target.length);
      await fetcher.readInto(offset, target);
    },
    assertUnchanged: async () => {
      await client.call('POST', '/check');
    },
  };
}
