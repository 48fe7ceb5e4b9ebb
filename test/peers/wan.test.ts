import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import {
  borrowDisk,
  lendDisk,
  openChain,
  type DiskImage,
  type DiskLoan,
  type DiskSource,
  type ListenAt,
} from '@ascend/disk';
import { qemuImg, withTempFolder } from '@ascend/disk/testing';
import { runProcess, startProcess } from '@ascend/runtime';
import { describe, expect, it } from 'vitest';
import { until } from '../system/ascendSystem.ts';

const mib = 1024 ** 2;
const never = new AbortController().signal;

/** A disk of 32 MiB, half of it random; and its content. */
async function withDisk(
  run: (disk: { image: DiskImage; workDir: string; content: Buffer }) => Promise<void>,
): Promise<void> {
  await withTempFolder(async (folder) => {
    const content = Buffer.concat([
      randomBytes(16 * mib),
      Buffer.alloc(8 * mib, 'text '),
      Buffer.alloc(8 * mib),
    ]);
    await writeFile(join(folder, 'disk.raw'), content);
    const path = join(folder, 'disk.qcow2');
    await qemuImg('convert', '-f', 'raw', '-O', 'qcow2', join(folder, 'disk.raw'), path);
    const chain = await openChain({ rootPath: folder, path, format: 'qcow2' });
    const workDir = join(folder, 'work');
    await mkdir(workDir);
    await run({ image: { chain, overlays: [] }, workDir, content });
  });
}

async function contentOf(source: DiskSource): Promise<Buffer> {
  const content = Buffer.alloc(source.sizeBytes, 0xee);
  const reads: Promise<void>[] = [];
  for (let at = 0; at < content.length; at += mib)
    reads.push(source.readInto(at, content.subarray(at, at + mib)));
  await Promise.all(reads);
  return content;
}

/** Lends with the reader listening, and reads all of it over each way at `host`; both must give the content. */
async function expectTransfers(
  loanAt: ListenAt,
  disk: { image: DiskImage; workDir: string; content: Buffer },
  mode: 'nbd' | 'https',
  onMeasured: (rttMs: number, chosen: string) => void,
): Promise<void> {
  const { image, workDir, content } = disk;
  const loan: DiskLoan = await lendDisk({
    image,
    workDir,
    signal: never,
    at: { listen: loanAt, mode: 'auto' },
  });
  const borrowing = await borrowDisk({ at: { ticket: loan.ticket! }, signal: never });
  const { rttMs, mode: chosen } = await borrowing.measure();
  onMeasured(rttMs, chosen);
  expect((await contentOf(await borrowing.open(mode))).equals(content)).toBe(true);
  await borrowing.close();
  expect(await loan.ended).toBe('returned');
}

/** A link of its own on this machine: what comes in leaves `delayMs` later, in order; each connection is cut after its number of bytes. */
async function withSlowLink(
  params: { readonly delayMs: number; readonly cuts: number[]; readonly port: number },
  run: () => Promise<void>,
): Promise<void> {
  const { delayMs, cuts, port } = params;
  const open = new Set<net.Socket>();
  const server = net.createServer({ noDelay: true }, (near) => {
    const far = net.connect({ port, host: '127.0.0.1', noDelay: true });
    let left = cuts.shift() ?? Number.POSITIVE_INFINITY;
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(from);
      from.on('error', () => undefined);
      from.on('close', () => to.destroy());
      from.on('data', (chunk) => {
        left -= chunk.length;
        if (left < 0) from.destroy();
        else setTimeout(() => to.write(chunk), delayMs);
      });
    }
  });
  server.listen(port, '127.0.0.2');
  await once(server, 'listening');
  try {
    await run();
  } finally {
    for (const socket of open) socket.destroy();
    server.close();
  }
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bound = server.address();
  server.close();
  await once(server, 'close');
  return typeof bound === 'object' && bound !== null ? bound.port : 0;
}

describe('a link with 30 ms each way that is cut again and again', () => {
  it.each(['nbd', 'https'] as const)(
    'carries the whole disk by %s, and HTTPS is what is chosen',
    async (mode) => {
      await withDisk(async (disk) => {
        const port = await freePort();
        // The first connections carry the measurement.
        const cuts = [90 * mib, 9 * mib, 5 * mib, 700_000, 3 * mib, 30_000];
        await withSlowLink({ delayMs: 30, cuts, port }, async () => {
          const listen = { host: '127.0.0.1', port, advertise: ['127.0.0.2'] };
          await expectTransfers(listen, disk, mode, (rttMs, chosen) => {
            expect(rttMs).toBeGreaterThanOrEqual(59);
            expect(chosen).toBe('https');
          });
        });
        expect(cuts.length).toBeLessThan(4);
      });
    },
  );
});

function ip(...args: readonly string[]): Promise<unknown> {
  return runProcess({ program: 'ip', args });
}

/** The kernel may come without network namespaces or netem, and they need root. */
async function hasNetem(): Promise<boolean> {
  const name = `ascend-probe-${process.pid}`;
  try {
    await runProcess({ program: 'ip', args: ['netns', 'add', name] });
  } catch {
    return false;
  }
  try {
    const probe = ['netns', 'exec', name, 'tc', 'qdisc', 'add', 'dev', 'lo', 'root', 'netem', 'delay', '1ms'];
    await runProcess({ program: 'ip', args: probe });
    return true;
  } catch {
    return false;
  } finally {
    await runProcess({ program: 'ip', args: ['netns', 'delete', name] });
  }
}

/** A TCP relay inside the namespace, so that the bytes cross the link whose delay and loss the kernel makes. */
const relay = `const net = require('node:net');
const [listenPort, toHost, toPort] = process.argv.slice(1);
net.createServer((near) => {
  const far = net.connect(Number(toPort), toHost);
  near.pipe(far).pipe(near);
  for (const one of [near, far]) one.on('error', () => { near.destroy(); far.destroy(); });
}).listen(Number(listenPort), '0.0.0.0', () => console.log('ready'));`;

describe.skipIf(!(await hasNetem()))('a network of the kernel with 40 ms and 1 % loss', () => {
  it.each(['nbd', 'https'] as const)('carries the whole disk by %s', async (mode) => {
    const name = `ascend-wan-${process.pid}`;
    const [here, there] = ['10.213.77.1', '10.213.77.2'];
    await ip('netns', 'add', name);
    try {
      await ip('link', 'add', 'ascwan0', 'type', 'veth', 'peer', 'name', 'ascwan1', 'netns', name);
      await ip('address', 'add', `${here}/30`, 'dev', 'ascwan0');
      await ip('link', 'set', 'ascwan0', 'up');
      await ip('-n', name, 'address', 'add', `${there}/30`, 'dev', 'ascwan1');
      await ip('-n', name, 'link', 'set', 'ascwan1', 'up');
      const netem = ['root', 'netem', 'delay', '20ms', 'loss', '1%'];
      await runProcess({ program: 'tc', args: ['qdisc', 'add', 'dev', 'ascwan0', ...netem] });
      await ip('netns', 'exec', name, 'tc', 'qdisc', 'add', 'dev', 'ascwan1', ...netem);
      const port = await freePort();
      let ready = false;
      // Both agents are here; the relay makes the bytes cross the link, there and back.
      const child = startProcess({
        program: 'ip',
        args: ['netns', 'exec', name, process.execPath, '-e', relay, String(port), here, String(port)],
        dieWithParent: true,
        onStdoutLine: () => (ready = true),
      });
      try {
        await until('the relay listens', 10, () => Promise.resolve(ready));
        await withDisk(async (disk) => {
          await expectTransfers({ host: here, port, advertise: [there] }, disk, mode, (rttMs) =>
            expect(rttMs).toBeGreaterThanOrEqual(79),
          );
        });
      } finally {
        await child.stop();
      }
    } finally {
      await ip('netns', 'delete', name);
    }
  });
});
