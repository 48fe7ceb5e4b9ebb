import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { declareByteOutputContract } from '../testing/byteOutputContract.ts';
import { startHttpPeer, type HttpPeer } from '../testing/httpPeer.ts';
import { createObjectStore } from '../testing/objectStore.ts';
import { openS3Output, type OpenS3OutputParams } from './s3Output.ts';
import { s3Buffers, s3PartBytes } from './s3Parts.ts';

const mib = 1024 ** 2;
const gib = 1024 ** 3;
const tib = 1024 ** 4;

const targetOf = (endpoint: string, attempts = 5): OpenS3OutputParams['target'] => ({
  endpoint,
  region: 'here',
  forcePathStyle: true,
  attempts,
  credentials: async () => await Promise.resolve({ accessKeyId: 'id', secretAccessKey: 'geheim' }),
});

describe('the parts of an upload', () => {
  test.each([
    [null, null, 64 * mib],
    [0, null, 16 * mib],
    [10 * gib, null, 16 * mib],
    [156.25 * gib, null, 16 * mib],
    [156.25 * gib + 1, null, 17 * mib],
    [5 * tib, null, 525 * mib],
    [10 * gib, 5 * mib, 5 * mib],
    [null, 5 * gib, 5 * gib],
  ])('of %d bytes, wanted %d, have %d bytes', (expectedBytes, wantedBytes, found) => {
    expect(s3PartBytes({ expectedBytes, wantedBytes })).toBe(found);
  });

  test.each([
    [null, 5 * mib - 1],
    [null, 5 * gib + 1],
    [5 * tib, 16 * mib],
    [49 * tib, null],
  ])('of %d bytes, wanted %d, are refused', (expectedBytes, wantedBytes) => {
    expect(() => s3PartBytes({ expectedBytes, wantedBytes })).toThrow(/the most that an object can have/);
  });

  test('stay below the memory limit, but for the two that are needed', () => {
    expect(s3Buffers(16 * mib, 4, 256 * mib)).toBe(5);
    expect(s3Buffers(64 * mib, 8, 256 * mib)).toBe(4);
    expect(s3Buffers(525 * mib, 8, 256 * mib)).toBe(2);
  });
});

describe('S3 output', () => {
  const store = createObjectStore();
  let peer: HttpPeer;

  beforeAll(async () => {
    peer = await startHttpPeer(store.handler);
  });

  afterAll(async () => {
    await peer.close();
  });

  beforeEach(() => {
    store.calls.length = 0;
    store.failing = null;
  });

  const open = async (key: string, more: Partial<OpenS3OutputParams> = {}) =>
    await openS3Output({
      target: targetOf(peer.origin),
      bucket: 'disks',
      key,
      expectedBytes: null,
      partBytes: 5 * mib,
      ...more,
    });

  declareByteOutputContract({
    name: 'S3',
    open: (folder) => open(folder.slice(1)),
    read: async (folder) => await Promise.resolve(store.objects.get(`/disks${folder}`) ?? null),
    hasLeftovers: async () => await Promise.resolve(store.uploads.size > 0),
  });

  test('a short object is one request, a long one an upload with parts on their way at once', async () => {
    const short = await open('short');
    await short.write(Buffer.alloc(5 * mib, 1));
    await short.finish();
    expect(store.calls).toEqual(['Put', 'Head']);
    const long = await open('long', { concurrency: 2 });
    store.partsTogether = 2;
    for (let part = 0; part < 7; part += 1) await long.write(Buffer.alloc(5 * mib, part));
    await long.write(Buffer.alloc(3, 9));
    await long.finish();
    store.partsTogether = 1;
    const found = store.objects.get('/disks/long');
    expect(found?.length).toBe(35 * mib + 3);
    expect([0, 5, 10, 15, 20, 25, 30, 35].map((at) => found?.[at * mib])).toEqual([0, 1, 2, 3, 4, 5, 6, 9]);
    expect(store.calls.slice(2)).toContain('UploadPart 8');
    expect(store.atOnce()).toBe(2);
    expect(store.uploads.size).toBe(0);
  });

  test('a failed request is repeated by the library, and the object is whole', async () => {
    store.failing = { call: 'UploadPart 1', status: 503, times: 1 };
    const output = await open('repeated');
    await output.write(Buffer.alloc(7 * mib, 3));
    await output.finish();
    expect(store.calls.filter((call) => call === 'UploadPart 1')).toHaveLength(2);
    expect(store.objects.get('/disks/repeated')?.equals(Buffer.alloc(7 * mib, 3))).toBe(true);
  });

  test.each([
    ['Create', 403, 'DISK_OUTPUT_REFUSED'],
    ['UploadPart', 400, 'DISK_OUTPUT_REJECTED'],
    ['UploadPart', 507, 'DISK_SPACE_EXHAUSTED'],
    ['Complete', 500, 'DISK_OUTPUT_UNAVAILABLE'],
  ])(
    'a failing %s with status %d is %s, without a secret, and leaves no upload',
    async (call, status, code) => {
      store.failing = { call, status, times: 100 };
      const target = targetOf(peer.origin, 1);
      const output = await open('failing', { target });
      const failure = await (async () => {
        await output.write(Buffer.alloc(11 * mib, 1));
        await output.finish();
      })().catch((cause: unknown) => cause);
      expect(failure).toMatchObject({ code });
      expect(JSON.stringify(failure) + String(failure)).not.toContain('geheim');
      await expect(output.finish()).rejects.toMatchObject({ code });
      await output.abort();
      expect(store.uploads.size).toBe(0);
      expect(store.objects.has('/disks/failing')).toBe(false);
    },
  );

  test('a length that is not what was sent is an error, and asking again does not write again', async () => {
    const output = await open('short-changed');
    await output.write(Buffer.alloc(100, 1));
    store.failing = { call: 'Head', status: 403, times: 1 };
    await expect(output.finish()).rejects.toMatchObject({ code: 'DISK_OUTPUT_REFUSED' });
    store.objects.set('/disks/short-changed', Buffer.alloc(99));
    await expect(output.finish()).rejects.toMatchObject({
      code: 'DISK_OUTPUT_MISMATCH',
      details: { sentBytes: 100, foundBytes: 99 },
    });
    expect(store.calls.filter((call) => call === 'Put')).toHaveLength(1);
  });

  test('a cancelled transfer ends with its code and leaves no upload', async () => {
    const stop = new AbortController();
    const output = await open('cancelled', { signal: stop.signal });
    await output.write(Buffer.alloc(11 * mib, 1));
    stop.abort();
    await expect(output.finish()).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' });
    await output.abort();
    expect(store.uploads.size).toBe(0);
  });

  test('what was aborted cannot be finished', async () => {
    const output = await open('aborted');
    await output.write(Buffer.alloc(10, 1));
    await output.abort();
    await expect(output.finish()).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' });
    expect(store.calls).toEqual([]);
  });

  test('a store that cuts the connection is not taken for one that is silent', async () => {
    const cutting = await startHttpPeer((request) => request.socket.destroy());
    const output = await open('cut', { target: targetOf(cutting.origin, 1) });
    await output.write(Buffer.alloc(1));
    await expect(output.finish()).rejects.toMatchObject({ code: 'DISK_OUTPUT_UNAVAILABLE' });
    await output.abort();
    await cutting.close();
  });

  test('a store that is not there is a coded error', async () => {
    const gone = await startHttpPeer(store.handler);
    await gone.close();
    const target = targetOf(gone.origin, 1);
    const output = await open('nowhere', { target });
    await output.write(Buffer.alloc(1));
    await expect(output.finish()).rejects.toMatchObject({ code: 'DISK_OUTPUT_UNAVAILABLE' });
    await output.abort();
  });
});
