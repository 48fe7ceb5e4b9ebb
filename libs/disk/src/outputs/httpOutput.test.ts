import { X509Certificate } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { declareByteOutputContract } from '../testing/byteOutputContract.ts';
import { makeCertificate, type TestCertificate } from '../testing/certificate.ts';
import { startHttpPeer, withHttpPeer, type HttpPeer } from '../testing/httpPeer.ts';
import { withTempFolder } from '../testing/images.ts';
import { openHttpOutput, type OpenHttpOutputParams } from './httpOutput.ts';

const mib = 1024 * 1024;

/** A server that does something once it has the whole body. */
function afterBody(
  run: (body: Buffer, request: IncomingMessage, response: ServerResponse) => void,
): RequestListener {
  return (request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => run(Buffer.concat(parts), request, response));
    request.on('error', () => response.destroy());
  };
}

const answerAtOnce =
  (status: number, headers: Readonly<Record<string, string>> = {}, body = ''): RequestListener =>
  (request, response) => {
    request.resume();
    response.writeHead(status, headers).end(body);
  };

const pinOf = (cert: string): string => new X509Certificate(cert).fingerprint256;

const openTo = (origin: string, more: Partial<OpenHttpOutputParams> = {}) =>
  openHttpOutput({
    url: `${origin}/target?sig=geheim`,
    method: 'POST',
    headers: { authorization: 'Bearer geheim' },
    lengthBytes: null,
    ...more,
  });

/** Writes until the output fails; a server that answers early must be noticed long before the end. */
async function writeUntilFailure(output: { write(data: Uint8Array): Promise<void> }): Promise<unknown> {
  const block = Buffer.alloc(mib, 1);
  for (let count = 0; count < 2000; count += 1) {
    try {
      await output.write(block);
    } catch (cause) {
      return cause;
    }
  }
  return 'never failed';
}

describe('HTTP output', () => {
  const objects = new Map<string, Buffer>();
  let peer: HttpPeer;

  beforeAll(async () => {
    peer = await startHttpPeer(
      afterBody((body, request, response) => {
        objects.set(request.url ?? '', body);
        response.writeHead(201).end('stored');
      }),
    );
  });

  afterAll(async () => {
    await peer.close();
  });

  for (const [name, known] of [
    ['with a length', true],
    ['chunked', false],
  ] as const) {
    declareByteOutputContract({
      name: `HTTP ${name}`,
      open: async (folder, lengthBytes) => {
        await Promise.resolve();
        return openHttpOutput({
          url: `${peer.origin}${folder}`,
          method: 'PUT',
          lengthBytes: known ? lengthBytes : null,
        });
      },
      read: async (folder) => await Promise.resolve(objects.get(folder) ?? null),
    });
  }

  test('more or less than the announced length is refused and never completed', async () => {
    const url = `${peer.origin}/wrong`;
    const short = openHttpOutput({ url, method: 'PUT', lengthBytes: 10 });
    await short.write(Buffer.alloc(9));
    await expect(short.finish()).rejects.toMatchObject({ code: 'DISK_RANGE_INVALID' });
    await short.abort();
    const long = openHttpOutput({ url, method: 'PUT', lengthBytes: 10 });
    await expect(long.write(Buffer.alloc(11))).rejects.toMatchObject({ code: 'DISK_RANGE_INVALID' });
    await long.abort();
    expect(objects.has('/wrong')).toBe(false);
  });

  test('an address with credentials or of another protocol is refused, and the password is not shown', () => {
    for (const url of ['ftp://host/x', 'no address', 'https://user:geheim@host/x']) {
      const open = (): unknown => openHttpOutput({ url, method: 'PUT', lengthBytes: 1 });
      expect(open).toThrow(/^open target: (?!.*geheim)/);
    }
  });
});

describe('HTTP output, when the server fails', () => {
  test.each([
    [400, 'DISK_OUTPUT_REJECTED'],
    [301, 'DISK_OUTPUT_REJECTED'],
    [401, 'DISK_OUTPUT_REFUSED'],
    [403, 'DISK_OUTPUT_REFUSED'],
    [413, 'DISK_SPACE_EXHAUSTED'],
    [429, 'DISK_OUTPUT_UNAVAILABLE'],
    [500, 'DISK_OUTPUT_UNAVAILABLE'],
    [507, 'DISK_SPACE_EXHAUSTED'],
  ])('an early %d stops the writing with code %s and the start of the answer', async (status, code) => {
    await withHttpPeer(answerAtOnce(status, { 'retry-after': '7' }, 'x'.repeat(2000)), async ({ origin }) => {
      const output = openTo(origin);
      const failure = await writeUntilFailure(output);
      expect(failure).toMatchObject({
        code,
        details: { status, answer: 'x'.repeat(500) },
        retryAfterMs: 7000,
      });
      expect(JSON.stringify(failure) + String(failure)).not.toContain('geheim');
      // It stays failed: nobody may take the transfer for complete.
      await expect(output.write(Buffer.alloc(1))).rejects.toMatchObject({ code });
      await expect(output.finish()).rejects.toMatchObject({ code });
      await output.abort();
    });
  });

  test('an early 200 is no success', async () => {
    await withHttpPeer(answerAtOnce(200), async ({ origin }) => {
      expect(await writeUntilFailure(openTo(origin))).toMatchObject({ code: 'DISK_OUTPUT_REJECTED' });
    });
  });

  test('a refusal after the whole body is an error of finish', async () => {
    await withHttpPeer(
      afterBody((_body, _request, response) => response.writeHead(503).end('later')),
      async ({ origin }) => {
        const output = openTo(origin);
        await output.write(Buffer.alloc(mib));
        await expect(output.finish()).rejects.toMatchObject({
          code: 'DISK_OUTPUT_UNAVAILABLE',
          details: { status: 503, answer: 'later' },
        });
      },
    );
  });

  test('a cut in the middle of the body, or instead of the answer, is an error', async () => {
    await withHttpPeer(
      (request) => request.once('data', () => request.socket.destroy()),
      async ({ origin }) => {
        expect(await writeUntilFailure(openTo(origin))).toMatchObject({ code: 'DISK_OUTPUT_UNAVAILABLE' });
      },
    );
    await withHttpPeer(
      afterBody((_body, request) => request.socket.destroy()),
      async ({ origin }) => {
        const output = openTo(origin);
        await output.write(Buffer.alloc(mib));
        await expect(output.finish()).rejects.toMatchObject({ code: 'DISK_OUTPUT_UNAVAILABLE' });
      },
    );
  });

  test('an answer that is cut is no success', async () => {
    const cut = afterBody((_body, request, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('half', () => request.socket.destroy());
    });
    await withHttpPeer(cut, async ({ origin }) => {
      const output = openTo(origin);
      await output.write(Buffer.alloc(10));
      await expect(output.finish()).rejects.toMatchObject({ code: 'DISK_OUTPUT_UNAVAILABLE' });
    });
  });

  test('a port without a server is a coded error', async () => {
    const peer = await startHttpPeer(() => undefined);
    await peer.close();
    await expect(openTo(peer.origin).write(Buffer.alloc(mib))).rejects.toMatchObject({
      code: 'DISK_OUTPUT_UNAVAILABLE',
      details: { errno: 'ECONNREFUSED' },
    });
  });

  test('a server that takes no data, and one that never answers, run into their limits', async () => {
    await withHttpPeer(
      (request) => request.pause(),
      async ({ origin }) => {
        const full = openTo(origin, { timeouts: { idleMs: 100 } });
        expect(await writeUntilFailure(full)).toMatchObject({
          code: 'DISK_OUTPUT_TIMEOUT',
          details: { awaited: 'progress' },
        });
        const mute = openTo(origin, { timeouts: { replyMs: 100 } });
        await mute.write(Buffer.alloc(10));
        await expect(mute.finish()).rejects.toMatchObject({ code: 'DISK_OUTPUT_TIMEOUT' });
      },
    );
  });

  test('cancelling ends a pending write', async () => {
    const stop = new AbortController();
    const deaf = (request: IncomingMessage): void => {
      request.once('readable', () => stop.abort());
    };
    await withHttpPeer(deaf, async ({ origin }) => {
      const output = openTo(origin, { signal: stop.signal });
      expect(await writeUntilFailure(output)).toMatchObject({ code: 'OPERATION_CANCELLED' });
      await output.abort();
    });
  });
});

describe('HTTP output over TLS', () => {
  let own: TestCertificate;
  let other: TestCertificate;

  beforeAll(async () => {
    await withTempFolder(async (folder) => {
      own = await makeCertificate(folder, 'own');
      other = await makeCertificate(folder, 'other');
    });
  });

  async function send(
    tls: NonNullable<OpenHttpOutputParams['tls']>,
    server: Readonly<Record<string, unknown>> = {},
  ): Promise<{ requests: number; failure: unknown; received: number }> {
    let requests = 0;
    let received = 0;
    let failure: unknown = null;
    const take = afterBody((body, _request, response) => {
      requests += 1;
      received = body.length;
      response.end();
    });
    await withHttpPeer(
      take,
      async ({ origin }) => {
        const output = openHttpOutput({ url: `${origin}/x`, method: 'PUT', lengthBytes: mib, tls });
        try {
          await output.write(Buffer.alloc(mib));
          await output.finish();
        } catch (cause) {
          failure = cause;
          await output.abort();
        }
      },
      { ...own, ...server },
    );
    return { requests, failure, received };
  }

  test('a certificate of a given authority is trusted, and so is exactly the pinned one', async () => {
    for (const tls of [
      { ca: own.cert },
      { pinSha256: pinOf(own.cert) },
      { pinSha256: pinOf(own.cert).replaceAll(':', '').toLowerCase() },
    ]) {
      expect(await send(tls)).toEqual({ requests: 1, failure: null, received: mib });
    }
  });

  test('any other certificate ends the transfer before the first request', async () => {
    for (const tls of [
      {},
      { ca: other.cert },
      { pinSha256: pinOf(other.cert) },
      { pinSha256: 'abc' },
      { ca: own.cert, pinSha256: pinOf(other.cert) },
    ]) {
      const { requests, failure } = await send(tls);
      expect(failure).toMatchObject({ code: 'DISK_OUTPUT_UNTRUSTED' });
      expect(requests).toBe(0);
    }
  });

  test('a certificate of ours is shown where the server asks for one', async () => {
    const mutual = { requestCert: true, rejectUnauthorized: true, ca: other.cert };
    const pinned = { pinSha256: pinOf(own.cert) };
    expect(await send({ ...pinned, ...other }, mutual)).toMatchObject({ failure: null, received: mib });
    expect(await send(pinned, mutual)).toMatchObject({ requests: 0, failure: { name: 'AppError' } });
  });
});
