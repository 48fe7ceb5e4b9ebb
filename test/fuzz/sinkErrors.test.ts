import type http from 'node:http';
import {
  copyDisk,
  createStreamOptimizedSink,
  createStreamSink,
  openHttpOutput,
  openHttpRangeSink,
  openNbdSink,
  openS3Output,
  serveNbd,
  fileBlockdev,
  type DiskSink,
  type HttpTimeouts,
} from '@ascend/disk';
import {
  createObjectStore,
  makeImage,
  startHttpPeer,
  withTempFolder,
  type ObjectStore,
} from '@ascend/disk/testing';
import { isAppError } from '@ascend/errors';
import * as fc from 'fast-check';
import path from 'node:path';
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { faulty, startFaultyLine, type Fault } from './faultyPeer.ts';
import { randomSource, sourceBytes, sourceContent } from './randomSource.ts';

const mib = 1024 * 1024;
const numRuns = Number(process.env['ASCEND_FUZZ_RUNS'] ?? 2);
const property = { numRuns, ...(process.env['ASCEND_FUZZ_RUNS'] === undefined ? { seed: 20_261_102 } : {}) };
// Only for servers that hang, so that this is noticed soon; all others get the usual time.
const shortTimeouts: HttpTimeouts = { connectMs: 5000, idleMs: 1500, replyMs: 1500 };
const headers = { authorization: 'Bearer geheim' };

/** Copies the disk and ends the sink as a caller would; the error when there was one. */
async function transfer(
  sink: DiskSink,
  signal: AbortSignal,
  onBytes: (done: number) => void = () => undefined,
): Promise<unknown> {
  try {
    await copyDisk({
      source: randomSource(),
      sink,
      targetSizeBytes: sourceBytes,
      workDir: '/nonexistent',
      signal,
      bandwidthBytesPerSecond: null,
      resumeFromBytes: 0,
      onProgress: ({ bytesDone }) => onBytes(bytesDone),
      onConfirmed: () => Promise.resolve(),
    });
    await sink.finish();
    return null;
  } catch (cause) {
    // A server that hangs or refuses cannot be told to forget what it got, and says so; what failed first is what counts.
    await sink.abort().catch((more: unknown) => expectCoded(more));
    return cause;
  }
}

function expectCoded(error: unknown): void {
  if (!isAppError(error)) throw error;
  expect(error.code).toMatch(/^DISK_|^OPERATION_CANCELLED$/);
}

interface Target {
  readonly name: string;
  /** The peer is a store that keeps what it got. */
  readonly isStored?: boolean;
  readonly open: (origin: string, signal: AbortSignal, timeouts: HttpTimeouts) => Promise<DiskSink>;
}

const httpOutput = (
  origin: string,
  signal: AbortSignal,
  timeouts: HttpTimeouts,
  lengthBytes: number | null,
) => openHttpOutput({ url: `${origin}/disk`, method: 'PUT', headers, lengthBytes, timeouts, signal });

const targets: readonly Target[] = [
  {
    name: 'one raw body',
    open: async (origin, signal, timeouts) =>
      await Promise.resolve(
        createStreamSink({
          output: httpOutput(origin, signal, timeouts, sourceBytes),
          sizeBytes: sourceBytes,
          mode: 'raw',
        }),
      ),
  },
  {
    name: 'a body of extents',
    open: async (origin, signal, timeouts) =>
      await Promise.resolve(
        createStreamSink({
          output: httpOutput(origin, signal, timeouts, null),
          sizeBytes: sourceBytes,
          mode: 'extents',
        }),
      ),
  },
  {
    name: 'a body in streamOptimized VMDK',
    open: async (origin, signal, timeouts) =>
      await Promise.resolve(
        createStreamOptimizedSink({
          output: httpOutput(origin, signal, timeouts, null),
          sizeBytes: sourceBytes,
        }),
      ),
  },
  {
    name: 'ranges',
    open: async (origin, signal, timeouts) =>
      (await openHttpRangeSink({ url: `${origin}/disk`, sizeBytes: sourceBytes, headers, timeouts, signal }))
        .sink,
  },
  {
    name: 'parts of an object',
    isStored: true,
    open: async (origin, signal, timeouts) =>
      createStreamSink({
        output: await openS3Output({
          target: {
            endpoint: origin,
            region: 'here',
            forcePathStyle: true,
            attempts: 1,
            timeouts,
            credentials: async () => await Promise.resolve({ accessKeyId: 'id', secretAccessKey: 'geheim' }),
          },
          bucket: 'disks',
          key: 'disk',
          expectedBytes: sourceBytes,
          partBytes: 5 * mib,
          signal,
        }),
        sizeBytes: sourceBytes,
        mode: 'raw',
      }),
  },
];

const faults: readonly (readonly [name: string, fault: Fault, code: string | null])[] = [
  ['refuses with 403', { kind: 'status', status: 403 }, 'DISK_OUTPUT_REFUSED'],
  ['is full (507)', { kind: 'status', status: 507 }, 'DISK_SPACE_EXHAUSTED'],
  ['cuts the connection', { kind: 'cut' }, 'DISK_OUTPUT_UNAVAILABLE'],
  ['never answers', { kind: 'silent' }, 'DISK_OUTPUT_TIMEOUT'],
  ['takes no more', { kind: 'stuck' }, 'DISK_OUTPUT_TIMEOUT'],
  ['is slow', { kind: 'slow' }, null],
];

/** The store behind all addresses: an object store for its calls, anything else is taken and forgotten. */
function wellPeer(store: ObjectStore): http.RequestListener {
  return (request, response) => {
    if ((request.url ?? '').startsWith('/disks/')) store.handler(request, response);
    else {
      request.on('data', () => undefined);
      request.on('end', () => response.writeHead(200).end());
    }
  };
}

/** The code of a failure, null for none. Whatever failed must say where, and no secret. */
function codeOf(error: unknown): string | null {
  if (error === null) return null;
  if (!isAppError(error)) throw error;
  if (error.code === 'OPERATION_CANCELLED') return error.code;
  expect(error.message).toMatch(/127\.0\.0\.1|s3:\/\/disks\/disk/);
  expect(JSON.stringify(error) + error.message).not.toContain('geheim');
  return error.code;
}

async function withPeer(
  handler: (store: ObjectStore) => http.RequestListener,
  run: (origin: string, store: ObjectStore) => Promise<void>,
): Promise<void> {
  const store = createObjectStore();
  const peer = await startHttpPeer(handler(store));
  try {
    await run(peer.origin, store);
  } finally {
    await peer.close();
  }
}

describe.each(targets)('a disk sent as $name', ({ open, isStored = false }) => {
  test.each(faults)('to a server that %s at some byte ends as it must', async (_, fault, code) => {
    await fc.assert(
      fc.asyncProperty(fc.nat(4 * mib), async (afterBytes) => {
        await withPeer(
          (store) => faulty(fault, afterBytes, wellPeer(store)),
          async (origin, store) => {
            const signal = AbortSignal.timeout(60_000);
            const timeouts = code === 'DISK_OUTPUT_TIMEOUT' ? shortTimeouts : {};
            const error = await open(origin, signal, timeouts).then(
              (sink) => transfer(sink, signal),
              (cause: unknown) => cause,
            );
            const objects = code === null && isStored ? 1 : 0;
            expect({ code: codeOf(error), objects: store.objects.size }).toEqual({ code, objects });
          },
        );
      }),
      property,
    );
  });

  test('to a server that is not there is a coded error', async () => {
    const gone = await startHttpPeer(() => undefined);
    await gone.close();
    const signal = AbortSignal.timeout(60_000);
    const error = await open(gone.origin, signal, {}).then(
      (sink) => transfer(sink, signal),
      (cause: unknown) => cause,
    );
    expect(codeOf(error)).toBe('DISK_OUTPUT_UNAVAILABLE');
  });

  test('can be cancelled at any point, also while the server hangs', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(11), fc.boolean(), async (stopAtMib, hangs) => {
        const fault: Fault = { kind: hangs ? 'stuck' : 'slow' };
        await withPeer(
          (store) => faulty(fault, stopAtMib * mib, wellPeer(store)),
          async (origin, store) => {
            const stop = new AbortController();
            const sink = await open(origin, stop.signal, hangs ? shortTimeouts : {});
            // What hangs is stopped from outside, what goes on when it has come far enough.
            const timer = hangs ? setTimeout(() => stop.abort(), 500) : undefined;
            const error = await transfer(sink, stop.signal, (done) => {
              if (!hangs && done >= stopAtMib * mib) stop.abort();
            });
            clearTimeout(timer);
            // A store that hangs cannot be told to forget the upload.
            const uploads = hangs ? 0 : store.uploads.size;
            const found = { code: codeOf(error), objects: store.objects.size, uploads };
            expect(found).toEqual({ code: 'OPERATION_CANCELLED', objects: 0, uploads: 0 });
          },
        );
      }),
      property,
    );
  });
});

test('a body of another length than announced is refused at either end', async () => {
  await withPeer(wellPeer, async (origin) => {
    for (const lengthBytes of [sourceBytes - 512, sourceBytes + 512]) {
      const signal = AbortSignal.timeout(60_000);
      const output = httpOutput(origin, signal, {}, lengthBytes);
      const error = await transfer(createStreamSink({ output, sizeBytes: sourceBytes, mode: 'raw' }), signal);
      expect(codeOf(error)).toBe('DISK_RANGE_INVALID');
    }
  });
});

describe('a disk written to a block server', () => {
  test.each([
    ['is cut', 'cut', 'DISK_NBD_DISCONNECTED'],
    ['falls silent', 'silent', 'DISK_NBD_TIMEOUT'],
  ] as const)('whose connection %s at some byte is a coded error', async (_, fault, code) => {
    await fc.assert(
      fc.asyncProperty(fc.nat(8 * mib), async (afterBytes) => {
        await withTempFolder(async (folder) => {
          const file = path.join(folder, 'device');
          await makeImage({ path: file, format: 'raw', sizeBytes: sourceBytes });
          const server = await serveNbd({
            blockdev: fileBlockdev(file, 'raw', { readOnly: false }),
            writable: true,
            connections: 1,
            workDir: folder,
          });
          const line = await startFaultyLine(server.socketPath, fault, afterBytes);
          try {
            const signal = AbortSignal.timeout(60_000);
            const address = { host: '127.0.0.1', port: line.port };
            const connect = {
              address,
              exportName: server.exportName,
              handshakeTimeoutMs: 1500,
              silenceMs: 1500,
            };
            const error = await openNbdSink({ connect: { ...connect, signal }, sizeBytes: sourceBytes }).then(
              ({ sink }) => transfer(sink, signal),
              (cause: unknown) => cause,
            );
            expect(error).toMatchObject({ code });
          } finally {
            await line.close();
            await server.close();
          }
        });
      }),
      property,
    );
  });

  test('whose device is too small is refused before a byte is written', async () => {
    await withTempFolder(async (folder) => {
      const file = path.join(folder, 'device');
      await makeImage({ path: file, format: 'raw', sizeBytes: sourceBytes - mib });
      const blockdev = fileBlockdev(file, 'raw', { readOnly: false });
      const server = await serveNbd({ blockdev, writable: true, connections: 1, workDir: folder });
      const connect = { socketPath: server.socketPath, exportName: server.exportName };
      await expect(openNbdSink({ connect, sizeBytes: sourceBytes })).rejects.toMatchObject({
        code: 'DISK_TARGET_TOO_SMALL',
      });
      await server.close();
      expect((await readFile(file)).equals(Buffer.alloc(sourceBytes - mib))).toBe(true);
      expect(sourceContent.length).toBe(sourceBytes);
    });
  });
});
