import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNatsServer, type TestNatsServer } from '@ascend/bus/testing';
import { runProcess, startProcess, systemClock } from '@ascend/runtime';
import { startMariadb } from '@ascend/store/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';

const program = new URL('main.ts', import.meta.url).pathname;
let mariadb: Awaited<ReturnType<typeof startMariadb>>;
let nats: TestNatsServer;
let folder: string;
let environment: Record<string, string>;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ascend-main-'));
  [mariadb, nats] = await Promise.all([startMariadb(), startNatsServer()]);
  writeFileSync(join(folder, 'database'), await mariadb.createDatabase(), { mode: 0o600 });
  environment = {
    ASCEND_API_LISTEN: '127.0.0.1:0',
    ASCEND_API_DATABASE: `file:${join(folder, 'database')}`,
    ASCEND_API_NATS_URLS: nats.url,
    ASCEND_API_TRUST_DIR: nats.trustDir,
    ASCEND_API_KEY_FILE: join(folder, 'key'),
  };
});
afterAll(async () => {
  await nats.dispose();
  await mariadb.stop();
  rmSync(folder, { recursive: true });
});

/** Starts one replica and waits for the line that names its port. */
async function start() {
  const listening = Promise.withResolvers<number>();
  const running = startProcess({
    program: process.execPath,
    args: ['--disable-warning=ExperimentalWarning', program],
    env: environment,
    dieWithParent: true,
    onStderrLine: (line) => {
      const match = /"port":(\d+)/.exec(line);
      if (match !== null) listening.resolve(Number(match[1]));
    },
  });
  void running.ended.then((result) => listening.reject(new Error(result.stderr)));
  return { running, url: `http://127.0.0.1:${await listening.promise}/api/v1` };
}

async function token(args: readonly string[], okExitCodes = [0]) {
  return runProcess({
    program: process.execPath,
    args: ['--disable-warning=ExperimentalWarning', program, 'token', ...args],
    env: environment,
    okExitCodes,
  });
}

test('two replicas start at once on an empty database, serve, and stop on SIGTERM', async () => {
  const [left, right] = await Promise.all([start(), start()]);
  try {
    for (const { url } of [left, right]) expect((await fetch(`${url}/ready`)).status).toBe(200);
    const file = join(folder, 'token');
    const made = await token(['create', '--name', 'ops', '--role', 'viewer', '--out', file]);
    expect(JSON.parse(made.stdout)).toEqual({ file, role: 'viewer' });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const text = readFileSync(file, 'utf8').trim();
    expect(made.stdout + made.stderr).not.toContain(text);
    const headers = { authorization: `Bearer ${text}` };
    expect(await (await fetch(`${right.url}/backups`, { headers })).json()).toEqual({ backups: [] });
    expect((await fetch(`${left.url}/backups`)).status).toBe(401);
    const refused = await fetch(`${left.url}/sites`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: '{"site_id":"a","name":"A"}',
    });
    expect(refused.status).toBe(403);
  } finally {
    const startedAt = systemClock.now();
    await Promise.all([left.running.stop(10_000), right.running.stop(10_000)]);
    expect(systemClock.now() - startedAt).toBeLessThan(9_000);
  }
  expect((await left.running.ended).exitCode).toBe(0);
});

test('a token file that exists is not overwritten, and wrong arguments say what is expected', async () => {
  const file = join(folder, 'held');
  writeFileSync(file, 'mine');
  const held = await token(['create', '--name', 'x', '--out', file], [2]);
  expect(held.stderr).toContain('INPUT_INVALID');
  expect(readFileSync(file, 'utf8')).toBe('mine');
  const wrong = await token(['create', '--name', 'x', '--role', 'king', '--out', join(folder, 'k')], [2]);
  expect(wrong.stderr).toContain('token create --name NAME');
  const unknown = await token(['create', '--naem', 'x'], [2]);
  expect(unknown.stderr).toContain('INPUT_INVALID');
});

test('a setting that is missing ends the start with exit code 2 and its name', async () => {
  const result = await runProcess({
    program: process.execPath,
    args: [program],
    env: { ...environment, ASCEND_API_DATABASE: '' },
    okExitCodes: [2],
  });
  expect(result.stderr).toContain('ASCEND_API_DATABASE');
});
