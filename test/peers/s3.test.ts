import { X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createStreamSink, openS3Output, type OpenS3OutputParams, type S3Target } from '@ascend/disk';
import { declareByteOutputContract, makeCertificate } from '@ascend/disk/testing';
import { startProcess, type RunningProcess } from '@ascend/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../system/ascendSystem.ts';
import { freePort } from './freePort.ts';
import { buildGoPrograms, objectStore } from './goPrograms.ts';

const mib = 1024 ** 2;
const bucket = 'disks';

const keys = (secretAccessKey: string): S3Target['credentials'] => {
  return async () => await Promise.resolve({ accessKeyId: 'tester', secretAccessKey });
};

interface Store {
  readonly target: S3Target;
  /** Folder whose files are the objects of the bucket. */
  readonly objects: string;
  readonly stop: () => Promise<void>;
}

async function startStore(program: string, root: string, secure: boolean): Promise<Store> {
  const objects = join(root, 'data', bucket);
  const metadata = join(root, 'meta');
  await mkdir(objects, { recursive: true });
  await mkdir(metadata);
  const { cert, key } = await makeCertificate(root, 'store');
  const [certFile, keyFile] = [join(root, 'store.pem'), join(root, 'store.key')];
  await writeFile(certFile, cert);
  await writeFile(keyFile, key);
  const port = await freePort();
  const tls = secure ? ['--cert', certFile, '--key', keyFile] : [];
  const running: RunningProcess = startProcess({
    program,
    args: [
      '--quiet',
      '--port',
      `127.0.0.1:${port}`,
      ...tls,
      'posix',
      '--sidecar',
      metadata,
      join(root, 'data'),
    ],
    env: { ROOT_ACCESS_KEY: 'tester', ROOT_SECRET_KEY: 'geheim-geheim' },
    dieWithParent: true,
  });
  const endpoint = `${secure ? 'https' : 'http'}://127.0.0.1:${port}`;
  const target: S3Target = {
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: keys('geheim-geheim'),
    ...(secure ? { tls: { pinSha256: new X509Certificate(cert).fingerprint256 } } : {}),
  };
  await until('the store answers', 30, async () => {
    // An answer of any kind will do; over TLS the handshake is what is waited for.
    const output = await openS3Output({ target, bucket, key: 'probe', expectedBytes: 1 });
    await output.finish();
    return true;
  });
  return { target, objects, stop: () => running.stop() };
}

describe.each([
  ['http', false],
  ['https with a pinned certificate', true],
] as const)('an S3 store of others, over %s', (name, secure) => {
  let store: Store;
  let root: string;

  beforeAll(async () => {
    const folder = await buildGoPrograms(objectStore);
    root = await mkdtemp(join(tmpdir(), 'ascend-s3-'));
    store = await startStore(join(folder, 'versitygw'), root, secure);
  });

  afterAll(async () => {
    await store.stop();
    await rm(root, { recursive: true, force: true });
  });

  const open = async (key: string, more: Partial<OpenS3OutputParams> = {}) =>
    await openS3Output({
      target: store.target,
      bucket,
      key,
      expectedBytes: null,
      partBytes: 5 * mib,
      ...more,
    });

  /** Files below the folder where the store keeps parts of uploads. */
  const leftParts = async (): Promise<string[]> => {
    const folder = join(store.objects, '.sgwtmp', 'multipart');
    if (!existsSync(folder)) return [];
    const found = await readdir(folder, { recursive: true, withFileTypes: true });
    return found.filter((entry) => entry.isFile()).map((entry) => entry.name);
  };

  declareByteOutputContract({
    name: `S3 over ${name}`,
    open: (folder) => open(folder.slice(1)),
    read: async (folder) => {
      const file = join(store.objects, folder);
      return existsSync(file) ? await readFile(file) : null;
    },
    hasLeftovers: async () => (await leftParts()).length > 0,
  });

  it('takes a disk of many parts byte for byte', async () => {
    const sizeBytes = 64 * mib;
    const output = await open('raw/disk', { expectedBytes: sizeBytes, concurrency: 3 });
    const sink = createStreamSink({ output, sizeBytes, mode: 'raw' });
    const expected = Buffer.alloc(sizeBytes);
    for (let block = 0; block < 64; block += 3) {
      expected.fill(block + 1, block * mib, (block + 1) * mib);
      await sink.write(block * mib, expected.subarray(block * mib, (block + 1) * mib));
    }
    await sink.finish();
    expect((await readFile(join(store.objects, 'raw/disk'))).equals(expected)).toBe(true);
    expect(await leftParts()).toEqual([]);
  });

  it('refuses wrong keys and a bucket that is not there with codes, and shows no secret', async () => {
    const wrong = await open('x', { target: { ...store.target, credentials: keys('falsch-falsch') } });
    const failure = await wrong.write(Buffer.alloc(6 * mib, 1)).catch((cause: unknown) => cause);
    expect(failure).toMatchObject({ code: 'DISK_OUTPUT_REFUSED' });
    expect(JSON.stringify(failure) + String(failure)).not.toMatch(/geheim|falsch/);
    await wrong.abort();
    const nowhere = await open('x', { bucket: 'not-there' });
    await nowhere.write(Buffer.alloc(10, 1));
    await expect(nowhere.finish()).rejects.toMatchObject({
      code: 'DISK_OUTPUT_REJECTED',
      details: { name: 'NoSuchBucket' },
    });
    await nowhere.abort();
  });

  it('keeps no part of a cancelled upload', async () => {
    const stop = new AbortController();
    const output = await open('cancelled', { signal: stop.signal });
    await output.write(Buffer.alloc(12 * mib, 1));
    stop.abort();
    await expect(output.finish()).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' });
    await output.abort();
    expect(await leftParts()).toEqual([]);
    expect(existsSync(join(store.objects, 'cancelled'))).toBe(false);
  });
});
