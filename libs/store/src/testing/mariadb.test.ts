import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startProcess } from '@ascend/runtime';
import { expect, test } from 'vitest';
import { createDatabase, transaction } from '../database.ts';
import { migrate } from '../migrate/migrate.ts';
import { listSites, putSite } from '../queries/agents.ts';
import { startMariadb } from './mariadb.ts';

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function until(probe: () => boolean): Promise<void> {
  for (let waited = 0; waited < 20_000 && !probe(); waited += 50) await delay(50);
  expect(probe()).toBe(true);
}

const moduleUrl = new URL('./mariadb.ts', import.meta.url).href;

test('the server dies with the process that started it, also when that is killed -9', async () => {
  const lines: string[] = [];
  const starter = startProcess({
    program: process.execPath,
    args: [
      '--input-type=module',
      '--eval',
      `import { startMariadb } from ${JSON.stringify(moduleUrl)};
       const server = await startMariadb();
       console.log(server.socketPath);
       setInterval(() => {}, 1000);`,
    ],
    onStdoutLine: (line) => lines.push(line),
    dieWithParent: true,
  });
  await until(() => lines.length > 0);
  const socketPath = lines[0] ?? '';
  const pid = Number(await readFile(`${socketPath}.pid`, 'utf8'));
  expect(isAlive(pid)).toBe(true);
  process.kill(starter.pid, 'SIGKILL');
  await starter.ended;
  await until(() => !isAlive(pid));
  await rm(dirname(socketPath), { recursive: true, force: true });
});

test('a stopped server leaves no process and no file', async () => {
  const server = await startMariadb();
  const pid = Number(await readFile(`${server.socketPath}.pid`, 'utf8'));
  await server.stop();
  await server.stop();
  expect(isAlive(pid)).toBe(false);
  expect(existsSync(dirname(server.socketPath))).toBe(false);
});

test('a server in a given folder keeps its rows, and open pools find it again after a restart', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'ascend-kept-'));
  try {
    const first = await startMariadb({ dir });
    const database = createDatabase({ url: await first.createDatabase('kept') });
    await migrate(database);
    await putSite(database, { id: 'main', name: 'Main' });
    await first.stop();
    const second = await startMariadb({ dir });
    await transaction(database, (tx) => putSite(tx, { id: 'far', name: 'Far' }));
    expect(await migrate(database)).toEqual([]);
    expect(await listSites(database)).toEqual([
      { id: 'far', name: 'Far' },
      { id: 'main', name: 'Main' },
    ]);
    await database.close();
    await second.stop();
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
