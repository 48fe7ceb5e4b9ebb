import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import { Secret } from '@ascend/runtime';
import { afterEach, expect, it } from 'vitest';
import { createApiClient } from './client.ts';
import { parseServerEvents, type ServerEvent } from './serverEvents.ts';

let server: Server | undefined;
afterEach(() => {
  server?.close();
  server?.closeAllConnections();
});

async function serve(
  answer: (path: string, authorization: string) => { status: number; body: string; type?: string },
) {
  server = createServer((request, response) => {
    const { status, body, type } = answer(request.url ?? '', request.headers.authorization ?? '');
    response.writeHead(status, { 'content-type': type ?? 'application/json' }).end(body);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const { port } = address;
  return createApiClient({ url: `http://127.0.0.1:${port}`, token: () => new Secret('t0k') });
}

it('sends the bearer token and returns the JSON answer', async () => {
  const api = await serve((path, authorization) => ({
    status: 200,
    body: JSON.stringify({ path, authorization }),
  }));
  const answer = await api.get('/backups', { vm_name: 'a b', status: undefined });
  expect(answer).toEqual({ path: '/api/v1/backups?vm_name=a+b', authorization: 'Bearer t0k' });
});

it('rebuilds the error that the API reported, with its code, hint and evidence', async () => {
  const problem = {
    type: 'x',
    title: 'x',
    status: 404,
    code: 'INPUT_INVALID',
    detail: 'no such thing',
    hint: 'look again',
    evidence: { backup_id: 'b1' },
  };
  const api = await serve(() => ({ status: 404, body: JSON.stringify(problem) }));
  await expect(api.get('/x')).rejects.toMatchObject({
    code: 'INPUT_INVALID',
    message: 'no such thing',
    hint: 'look again',
    details: { backup_id: 'b1' },
  });
});

it('says so when the answer is not JSON', async () => {
  const api = await serve(() => ({ status: 502, body: '<html>', type: 'text/html' }));
  await expect(api.get('/x')).rejects.toMatchObject({ code: 'CLI_API_ANSWER_INVALID' });
});

it('names the address when nobody listens', async () => {
  const api = createApiClient({ url: 'http://127.0.0.1:1', token: () => new Secret('x') });
  await expect(api.get('/x')).rejects.toMatchObject({ code: 'CLI_API_UNREACHABLE' });
});

it('reads events cut anywhere, drops heartbeats and keeps ids', async () => {
  const text = 'id: 7\nevent: step\ndata: {"a":1}\n\n: ping\n\ndata: {"b":\ndata: 2}\n\n';
  async function* chunks(): AsyncIterable<Uint8Array> {
    for (let at = 0; at < text.length; at += 5) yield Buffer.from(text.slice(at, at + 5));
  }
  const seen: ServerEvent[] = [];
  for await (const event of parseServerEvents(chunks())) seen.push(event);
  expect(seen).toEqual([
    { id: '7', event: 'step', data: { a: 1 } },
    { id: '', event: 'message', data: { b: 2 } },
  ]);
});
