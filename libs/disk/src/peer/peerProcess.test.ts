import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Secret, startProcess, systemClock, type RunningProcess } from '@ascend/runtime';
import { expect, test } from 'vitest';
import { withLentChain, type LentChain } from '../testing/peerPair.ts';
import { borrowDisk } from './borrowDisk.ts';
import { lendDisk, type OpenSession } from './lendDisk.ts';

const library = new URL('../index.ts', import.meta.url).href;
const never = new AbortController().signal;

/** A program of its own that lends or borrows, so that it can be killed. It prints its ticket, then `moving` once bytes flow. */
const program = `import { readFile } from 'node:fs/promises';
import { borrowDisk, lendDisk, openChain } from ${JSON.stringify(library)};
const { Secret } = await import(${JSON.stringify(new URL('../../../runtime/src/index.ts', import.meta.url).href)});
const [role, folder, topPath, how] = process.argv.slice(2);
const signal = new AbortController().signal;
const { open, ticketFile } = JSON.parse(how);
const at = open ?? { ticket: new Secret(await readFile(ticketFile, 'utf8')) };
if (role === 'lend') {
  const chain = await openChain({ rootPath: folder, path: topPath, format: 'qcow2' });
  const loan = await lendDisk({ image: { chain, overlays: [] }, workDir: folder + '/work', at, signal });
  console.log(loan.ticket?.reveal() ?? 'started');
  await loan.ended;
} else {
  const borrowing = await borrowDisk({ at, signal, renewEveryMs: 100 });
  console.log(borrowing.ticket?.reveal() ?? 'started');
  const source = await borrowing.open();
  for (;;) {
    await source.readInto(0, Buffer.alloc(4 * 1024 * 1024));
    console.log('moving');
  }
}
`;

async function waitUntil(condition: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpAt = Date.now() + 30_000;
  while (!(await condition())) {
    if (Date.now() > giveUpAt) throw new Error('the condition did not come true within 30 s');
    await systemClock.sleep(20);
  }
}

/** Processes whose command line names the folder. */
async function processesOf(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (line.includes(folder)) found.push(line.replaceAll('\0', ' '));
  }
  return found;
}

interface Child {
  readonly process: RunningProcess;
  /** Its first line. */
  ticket(): Promise<Secret>;
  moving(): Promise<void>;
}

async function start(
  role: 'lend' | 'borrow',
  disk: LentChain,
  at: OpenSession | { ticket: Secret },
): Promise<Child> {
  const file = path.join(disk.folder, 'program.mjs');
  await writeFile(file, program);
  const ticketFile = path.join(disk.folder, 'ticket.json');
  if ('ticket' in at) await writeFile(ticketFile, at.ticket.reveal());
  const how = 'ticket' in at ? { ticketFile } : { open: at };
  const lines: string[] = [];
  const running = startProcess({
    program: process.execPath,
    args: [file, role, disk.folder, disk.topPath, JSON.stringify(how)],
    dieWithParent: true,
    onStdoutLine: (line) => lines.push(line),
  });
  return {
    process: running,
    ticket: async () => {
      await waitUntil(() => lines.length > 0);
      return new Secret(lines[0] ?? '');
    },
    moving: () => waitUntil(() => lines.includes('moving')),
  };
}

async function kill(child: Child): Promise<void> {
  process.kill(child.process.pid, 'SIGKILL');
  await child.process.ended;
}

const ways = [
  { mode: 'nbd', listener: 'reader' },
  { mode: 'https', listener: 'writer' },
] as const;

test.each(ways)(
  'kill -9 of the lender amid a transfer is a coded error and leaves no server: $mode, the $listener listening',
  async ({ mode, listener }) => {
    await withLentChain(async (disk) => {
      const open: OpenSession = { listen: { host: '127.0.0.1' }, mode };
      const borrow = { signal: never, giveUpAfterMs: 300 };
      const mine = listener === 'writer' ? await borrowDisk({ ...borrow, at: open }) : null;
      const child = await start('lend', disk, mine === null ? open : { ticket: mine.ticket! });
      const borrowing = mine ?? (await borrowDisk({ ...borrow, at: { ticket: await child.ticket() } }));
      const source = await borrowing.open();
      const target = Buffer.alloc(4 * 1024 * 1024);
      await source.readInto(0, target);
      const pending = Array.from({ length: 8 }, () => source.readInto(0, Buffer.alloc(target.length)));
      const results = Promise.allSettled(pending);
      await kill(child);
      await results;
      await expect(source.readInto(0, target)).rejects.toMatchObject({
        code: expect.stringMatching(/^DISK_(PEER_UNREACHABLE|NBD_DISCONNECTED)$/),
      });
      await borrowing.close();
      await waitUntil(async () => (await processesOf(disk.folder)).length === 0);
    });
  },
);

test.each(ways.map(({ mode }, index) => ({ mode, listener: ways[1 - index]!.listener })))(
  'kill -9 of the borrower amid a transfer ends the loan and leaves no server: $mode, the $listener listening',
  async ({ mode, listener }) => {
    await withLentChain(async (disk) => {
      const open: OpenSession = { listen: { host: '127.0.0.1' }, mode };
      const lend = { image: disk.image, workDir: disk.workDir, signal: never, ttlMs: 1500 };
      const mine = listener === 'reader' ? await lendDisk({ ...lend, at: open }) : null;
      const child = await start('borrow', disk, mine === null ? open : { ticket: mine.ticket! });
      const loan = mine ?? (await lendDisk({ ...lend, at: { ticket: await child.ticket() } }));
      await child.moving();
      await kill(child);
      expect(await loan.ended).toBe('expired');
      expect(await processesOf(disk.folder)).toEqual([]);
      expect(await readdir(disk.workDir)).toEqual([]);
    });
  },
);
