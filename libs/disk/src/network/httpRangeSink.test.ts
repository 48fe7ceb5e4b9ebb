import type { RequestListener, ServerResponse } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startHttpPeer, withHttpPeer, type HttpPeer } from '../testing/httpPeer.ts';
import { createRangeStore } from '../testing/rangeStore.ts';
import { declareSinkContract } from '../testing/sinkContract.ts';
import { openHttpRangeSink, type HttpRangeSinkParams } from './httpRangeSink.ts';

const mib = 1024 * 1024;

describe('HTTP range sink', () => {
  const store = createRangeStore();
  let peer: HttpPeer;

  beforeAll(async () => {
    peer = await startHttpPeer(store.handler);
  });

  afterAll(async () => {
    await peer.close();
  });

  const paramsFor = (path: string, sizeBytes: number): HttpRangeSinkParams => ({
    url: `${peer.origin}${path}`,
    sizeBytes,
    canProbe: true,
    close: { method: 'POST', url: `${peer.origin}${path}?publish` },
    remove: { method: 'DELETE' },
  });

  for (const [name, fresh] of [
    ['on an object with old content', false],
    ['on a new object of zeros', true],
  ] as const) {
    declareSinkContract({
      name: `HTTP ranges ${name}`,
      open: async (folder, { sizeBytes, resume }) => {
        const create = { method: 'PUT', headers: { 'content-range': `bytes */${sizeBytes}` } } as const;
        const opened = await openHttpRangeSink({
          ...paramsFor(`${folder}/${String(fresh)}`, sizeBytes),
          resume,
          // What nobody names in two attempts keeps its old content, so only a new object is continued here.
          canProbe: fresh,
          ...(fresh ? { fresh, create } : {}),
        });
        return opened.sink;
      },
      read: async (folder) =>
        await Promise.resolve(store.published.get(`${folder}/${String(fresh)}`) ?? null),
    });
  }

  test('a fresh object is sent no zeros', async () => {
    const create = { method: 'PUT', headers: { 'content-range': `bytes */${64 * mib}` } } as const;
    const before = store.counts.get('PUT') ?? 0;
    const params = { ...paramsFor('/sparse', 64 * mib), fresh: true, create };
    const { sink, kept } = await openHttpRangeSink(params);
    expect(kept).toBe(false);
    await sink.writeZeros(0, 32 * mib);
    await sink.write(32 * mib, Buffer.alloc(mib, 1));
    await sink.writeZeros(33 * mib, 31 * mib);
    await sink.finish();
    expect((store.counts.get('PUT') ?? 0) - before).toBe(2);
  });

  test('only an object of the right length is continued', async () => {
    const first = await openHttpRangeSink(paramsFor('/again', mib));
    await first.sink.write(0, Buffer.alloc(mib, 1));
    await first.sink.suspend();
    const kept = async (path: string, sizeBytes: number, canProbe: boolean): Promise<boolean> => {
      const opened = await openHttpRangeSink({ ...paramsFor(path, sizeBytes), canProbe, resume: true });
      await opened.sink.suspend();
      return opened.kept;
    };
    expect(await kept('/again', mib, true)).toBe(true);
    expect(await kept('/again', 2 * mib, true)).toBe(false);
    expect(await kept('/again', mib, false)).toBe(false);
    expect(await kept('/never', mib, true)).toBe(false);
  });

  test('ranges go out on as many connections as allowed, and no more', async () => {
    const ranges = 30;
    const held = new Set<ServerResponse>();
    let most = 0;
    // Answers three together, so that fewer at once would never end.
    const handler: RequestListener = (request, response) => {
      request.resume();
      request.on('end', () => {
        held.add(response);
        most = Math.max(most, held.size);
        if (held.size < 3) return;
        for (const one of held) one.writeHead(200).end();
        held.clear();
      });
    };
    await withHttpPeer(handler, async ({ origin }) => {
      const params = { url: `${origin}/p`, sizeBytes: ranges * mib, connections: 3 };
      const { sink } = await openHttpRangeSink(params);
      const block = Buffer.alloc(mib, 1);
      await Promise.all(Array.from({ length: ranges }, (_, index) => sink.write(index * mib, block)));
      await sink.abort();
    });
    expect(most).toBe(3);
  });

  test('a refused range is a coded error, and flush waits for ranges on their way', async () => {
    await withHttpPeer(
      (request, response) => {
        request.resume();
        request.on('end', () => response.writeHead(403).end('no'));
      },
      async ({ origin }) => {
        const { sink } = await openHttpRangeSink({ url: `${origin}/p`, sizeBytes: mib });
        const write = sink.write(0, Buffer.alloc(mib));
        await expect(sink.flush()).rejects.toMatchObject({ code: 'DISK_OUTPUT_REFUSED' });
        await expect(write).rejects.toMatchObject({ details: { status: 403, answer: 'no' } });
        await sink.abort();
      },
    );
  });
});
