import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openControlSocket } from './controlSocket.ts';
import { agentAddresses, askGuestAgent } from './guestAgent.ts';
import { withQmp } from './qmpClient.ts';
import { stateFiles } from './machineSpec.ts';

const signal = new AbortController().signal;

/** A listener in a folder of its own that answers each line by `answer`; null = silence. */
async function withListener(
  socketName: string,
  answer: (line: string) => string | null,
  work: (stateDir: string) => Promise<void>,
  greeting = '',
): Promise<void> {
  const stateDir = await mkdtemp(join(tmpdir(), 'ascend-socket-'));
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.write(greeting);
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      for (const line of chunk.split('\n').filter((text) => text !== '')) {
        const text = answer(line);
        if (text !== null) socket.write(text, 'latin1');
      }
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(join(stateDir, socketName), resolve);
  });
  try {
    await work(stateDir);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
    await rm(stateDir, { recursive: true, force: true });
  }
}

const hello = '{"QMP": {}}\n';

function refuse(line: string): string {
  return line.includes('qmp_capabilities')
    ? '{"return": {}}\n'
    : '{"event": "X"}\n{"error": {"class": "GenericError", "desc": "no such device"}}\n';
}

async function ask(stateDir: string): Promise<unknown> {
  return openControlSocket({ stateDir, socketName: 'qmp.sock', deadlineMs: 500 });
}

test('a refused command is an error with the words of QEMU', async () => {
  await withListener(
    stateFiles.qmp,
    refuse,
    async (stateDir) => {
      await expect(
        withQmp({ stateDir }, async (client) => client.execute('device_del')),
      ).rejects.toMatchObject({
        code: 'GUEST_MACHINE_COMMAND_REFUSED',
        message: expect.stringContaining('no such device'),
      });
    },
    hello,
  );
});

test('silence ends at the deadline', async () => {
  await withListener(
    stateFiles.qmp,
    () => null,
    async (stateDir) => {
      const work = withQmp({ stateDir, deadlineMs: 200 }, async (client) => client.execute('query-name'));
      await expect(work).rejects.toMatchObject({ code: 'GUEST_MACHINE_UNRESPONSIVE' });
    },
  );
});

test('an answer without end is refused before it fills the memory', async () => {
  const endless = 'x'.repeat(3 * 1024 * 1024);
  await withListener(
    stateFiles.qmp,
    () => endless,
    async (stateDir) => {
      const work = withQmp({ stateDir }, async (client) => client.execute('query-name'));
      await expect(work).rejects.toMatchObject({ code: 'GUEST_MACHINE_COMMAND_REFUSED' });
    },
    hello,
  );
});

test('a folder without listener, or no folder, is a machine that is gone', async () => {
  const stateDir = await mkdtemp(join(tmpdir(), 'ascend-socket-'));
  await expect(ask(stateDir)).rejects.toMatchObject({ code: 'GUEST_MACHINE_GONE' });
  await rm(stateDir, { recursive: true });
  await expect(ask(stateDir)).rejects.toMatchObject({ code: 'GUEST_MACHINE_GONE' });
});

test('a cancelled conversation ends at once', async () => {
  await withListener(
    stateFiles.qmp,
    () => null,
    async (stateDir) => {
      const work = withQmp({ stateDir, signal: AbortSignal.timeout(50) }, async (client) =>
        client.execute('query-name'),
      );
      await expect(work).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' });
    },
  );
});

const interfaces = [
  { name: 'lo', 'ip-addresses': [{ 'ip-address-type': 'ipv4', 'ip-address': '127.0.0.1', prefix: 8 }] },
  {
    name: 'ens192',
    'ip-addresses': [
      { 'ip-address-type': 'ipv4', 'ip-address': '10.0.2.77', prefix: 24 },
      { 'ip-address-type': 'ipv6', 'ip-address': 'fe80::1', prefix: 64 },
    ],
  },
];

function agent(line: string): string | null {
  const id = /"id":(\d+)/.exec(line)?.[1];
  if (id !== undefined) return `{"return": 1}\n\u00FF{"return": ${id}}\n`;
  if (line.includes('guest-ping')) return '{"return": {}}\n';
  return `${JSON.stringify({ return: interfaces })}\n`;
}

test('an agent is believed after its answer to our number, older answers are passed over', async () => {
  await withListener(stateFiles.agent, agent, async (stateDir) => {
    expect(await askGuestAgent(stateDir, signal)).toEqual({ addresses: ['10.0.2.77'] });
  });
});

test('a guest without agent is no error', async () => {
  await withListener(
    stateFiles.agent,
    () => null,
    async (stateDir) => {
      expect(await askGuestAgent(stateDir, signal)).toBeNull();
    },
  );
});

test.each([
  null,
  'text',
  [null, 1, { 'ip-addresses': 'x' }],
  [{ 'ip-addresses': [{ 'ip-address-type': 'ipv4', 'ip-address': '10.0.0.1; rm' }] }],
])('a hostile list of interfaces (%j) gives no address', (answer) => {
  expect(agentAddresses(answer)).toEqual([]);
});
