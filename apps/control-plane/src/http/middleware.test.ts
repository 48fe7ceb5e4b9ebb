import { createRoute } from '@hono/zod-openapi';
import { AppError } from '@ascend/errors';
import { problemSchema } from '@ascend/protocol';
import { silentLogger, systemClock } from '@ascend/runtime';
import { beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { createMetrics, type Metrics } from '../metrics.ts';
import { answers, body, createApi, type Api } from './api.ts';
import { answerErrors, usePipeline } from './middleware.ts';
import { ProblemError } from './problem.ts';

const anyAnswer = problemSchema.partial().extend({ name: z.string().optional() });
const answer = z.object({ name: z.string() });
const path = z.object({ id: z.string() });
const request = z.strictObject({ name: z.string(), nested: z.object({ size: z.number() }).optional() });

let api: Api;
let metrics: Metrics;
let audited: Record<string, unknown>[];
let failure: Error | null;

beforeEach(() => {
  audited = [];
  failure = null;
  metrics = createMetrics({});
  api = createApi();
  usePipeline(api, {
    logger: silentLogger,
    clock: systemClock,
    metrics,
    authenticate: async (token) =>
      token === 'viewer' || token === 'operator' ? { tokenId: 't', name: `the ${token}`, role: token } : null,
    audit: async (row) => {
      audited.push(row);
    },
  });
  const read = createRoute({
    method: 'get',
    path: '/api/v1/things/{id}',
    request: { params: path },
    responses: answers(answer, 'One'),
  });
  api.openapi(read, (c) => {
    if (failure !== null) throw failure;
    return c.json({ name: c.req.valid('param').id }, 200);
  });
  const write = createRoute({
    method: 'post',
    path: '/api/v1/things',
    request: body(request),
    responses: answers(answer, 'Made'),
  });
  api.openapi(write, (c) => c.json({ name: c.req.valid('json').name }, 200));
  answerErrors(api, silentLogger);
});

interface Call {
  readonly body?: string;
  readonly type?: string;
  readonly token?: string;
}

async function call(method: string, url: string, init: Call = {}) {
  const response = await api.request(url, {
    method,
    ...(init.body === undefined ? {} : { body: init.body }),
    headers: {
      authorization: `Bearer ${init.token ?? 'operator'}`,
      'content-type': init.type ?? 'application/json',
    },
  });
  const json = anyAnswer.parse(await response.json());
  return { status: response.status, headers: response.headers, json };
}

test('a good call is answered, audited when it changes something, and counted', async () => {
  const made = await call('POST', '/api/v1/things', { body: '{"name":"x"}' });
  expect(made).toMatchObject({ status: 200, json: { name: 'x' } });
  await call('GET', '/api/v1/things/7');
  expect(audited).toEqual([
    expect.objectContaining({ actor: 'the operator', action: 'POST /api/v1/things', status: 200 }),
  ]);
  expect(audited[0]?.['requestId']).toBe(made.headers.get('x-request-id'));
  expect(await metrics.render()).toContain('ascend_http_requests_total{method="POST",status="200"} 1');
});

test.each([
  ['no token', 401, 'API_TOKEN_INVALID', () => api.request('/api/v1/things/1')],
  [
    'an unknown token',
    401,
    'API_TOKEN_INVALID',
    () => api.request('/api/v1/things/1', { headers: { authorization: 'Bearer nobody' } }),
  ],
  [
    'another scheme',
    401,
    'API_TOKEN_INVALID',
    () => api.request('/api/v1/things/1', { headers: { authorization: 'Basic operator' } }),
  ],
])('%s gives %i %s as a problem document', async (_name, status, code, send) => {
  const response = await send();
  expect(response.status).toBe(status);
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  expect(response.headers.get('www-authenticate')).toBe('Bearer realm="ascend"');
  expect(problemSchema.parse(await response.json())).toMatchObject({
    code,
    status,
    type: `urn:ascend:error:${code}`,
  });
});

test('a viewer may look but not change', async () => {
  expect((await call('GET', '/api/v1/things/7', { token: 'viewer' })).status).toBe(200);
  const refused = await call('POST', '/api/v1/things', { body: '{"name":"x"}', token: 'viewer' });
  expect(refused).toMatchObject({ status: 403, json: { code: 'API_ROLE_INSUFFICIENT' } });
});

test.each([
  ['malformed JSON', { body: '{"name":' }, 400, 'API_BODY_MALFORMED'],
  ['no body', {}, 400, 'API_BODY_MALFORMED'],
  ['a form', { body: 'name=x', type: 'text/plain' }, 415, 'API_MEDIA_TYPE_UNSUPPORTED'],
  ['a missing field', { body: '{}' }, 422, 'API_INPUT_INVALID'],
  ['an unknown field', { body: '{"name":"x","nmae":1}' }, 422, 'API_INPUT_INVALID'],
  ['a body over 4 MiB', { body: `{"name":"${'x'.repeat(4 * 1024 * 1024)}"}` }, 413, 'API_BODY_TOO_LARGE'],
])('%s is refused with a problem document', async (_name, init, status, code) => {
  const refused = await call('POST', '/api/v1/things', init);
  expect(problemSchema.parse(refused.json)).toMatchObject({ status, code });
  expect(refused.status).toBe(status);
  expect(refused.json.hint).not.toBe('');
});

test('each wrong field is named with its path', async () => {
  const refused = await call('POST', '/api/v1/things', { body: '{"name":1,"nested":{"size":"big"}}' });
  expect(refused.json.errors?.map((error) => error.field)).toEqual(['name', 'nested.size']);
});

test('an unknown path is 404 and an unknown method 405 with the allowed ones', async () => {
  expect(await call('GET', '/api/v1/nothing')).toMatchObject({
    status: 404,
    json: { code: 'API_ROUTE_UNKNOWN' },
  });
  const refused = await call('DELETE', '/api/v1/things/7');
  expect(refused).toMatchObject({ status: 405, json: { code: 'API_METHOD_UNSUPPORTED' } });
  expect(refused.headers.get('allow')).toBe('GET');
});

test('what a route throws is told by its code, and a bug without its inner text', async () => {
  const known = new AppError({
    code: 'INPUT_INVALID',
    message: 'read x: too long',
    details: { lengthBytes: 9 },
  });
  failure = known;
  expect(await call('GET', '/api/v1/things/7')).toMatchObject({
    status: 422,
    json: { code: 'INPUT_INVALID', detail: 'read x: too long', evidence: { lengthBytes: 9 } },
  });
  failure = new ProblemError(known, { changes: [{ input: 'spec', planned: 'a', now: 'b' }] });
  expect((await call('GET', '/api/v1/things/7')).json.changes).toHaveLength(1);
  failure = new TypeError('cannot read password of undefined');
  const bug = await call('GET', '/api/v1/things/7');
  expect(bug).toMatchObject({ status: 500, json: { code: 'INTERNAL_BUG' } });
  expect(JSON.stringify(bug.json)).not.toContain('password');
});
