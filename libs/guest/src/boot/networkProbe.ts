import { stat } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { isAppError } from '@ascend/errors';
import { createAddressLearner, type AddressLearner } from './capture.ts';
import { followFile, type GrowingFile } from './growingFile.ts';
import type { MachineFacts } from './machineFacts.ts';
import { captureFile } from './machineSpec.ts';
import { withQmp, type QmpClient } from './qmpClient.ts';
import { networkHolds, userNetwork } from './userNetwork.ts';

/** Watches a machine's networks for the addresses its guest uses. */
export interface NetworkProbe {
  /** Reads what was captured since the last call and returns all addresses seen so far. */
  addresses(): Promise<readonly string[]>;
  /** Bytes of captured traffic read so far. */
  bytesRead(): number;
  /** Knocks at each expected address, so that QEMU asks the guest for it by ARP. Never throws for "not there". */
  knock(signal: AbortSignal): Promise<void>;
  /** Ends captures and forwards: a machine in service writes no traffic to disk and has no open port. */
  close(): Promise<void>;
}

const readChunkBytes = 1024 * 1024;
// Captured packets are cut to 512 bytes; a guest that floods its network stops being captured here.
const maxCaptureBytes = 64 * 1024 * 1024;
const knockTimeoutMs = 500;
const knockPort = 9;

interface Capture {
  readonly id: string;
  readonly path: string;
  readonly file: GrowingFile;
  readonly learner: AddressLearner;
}

async function monitor(client: QmpClient, line: string): Promise<string> {
  const answer = await client.execute('human-monitor-command', { 'command-line': line });
  return typeof answer === 'string' ? answer : '';
}

/** Host ports that already lead to `address`, from the table `info usernet` prints. */
export function forwardedPort(table: string, address: string): number | null {
  for (const line of table.split('\n')) {
    const cells = line.trim().split(/\s+/);
    if (cells[0]?.startsWith('TCP[HOST_FORWARD]') === true && cells[4] === address) return Number(cells[3]);
  }
  return null;
}

async function openForward(stateDir: string, netdev: string, address: string): Promise<number | null> {
  return withQmp({ stateDir }, async (client) => {
    const known = forwardedPort(await monitor(client, 'info usernet'), address);
    if (known !== null) return known;
    // Port 0: the kernel chooses a free one, the table then tells which.
    await monitor(client, `hostfwd_add ${netdev} tcp:127.0.0.1:0-${address}:${knockPort}`);
    return forwardedPort(await monitor(client, 'info usernet'), address);
  });
}

async function connectOnce(port: number, signal: AbortSignal): Promise<void> {
  const socket = net.connect({ host: '127.0.0.1', port, signal });
  await new Promise<void>((resolve) => {
    socket.setTimeout(knockTimeoutMs, resolve);
    socket.once('error', () => resolve());
    socket.once('close', () => resolve());
  });
  socket.destroy();
}

async function ignoringMachine(work: Promise<unknown>): Promise<void> {
  await work.catch((error: unknown) => {
    if (!isAppError(error) || error.code === 'OPERATION_CANCELLED') throw error;
  });
}

/** Follows the captures of a machine. `expected` are bare IPv4 addresses to knock at. */
export function watchNetwork(params: {
  readonly stateDir: string;
  readonly facts: MachineFacts;
  readonly expected: readonly string[];
}): NetworkProbe {
  const { stateDir, facts } = params;
  const networks = facts.nics.map((nic) => userNetwork(nic.addresses).network);
  const forwards = new Map<string, number>();
  const captures: readonly Capture[] = facts.nics.map((nic, index) => {
    const path = join(stateDir, captureFile(index));
    return { id: `dump${index}`, path, file: followFile(path), learner: createAddressLearner(nic.mac) };
  });
  const netdevOf = (address: string): string | null => {
    const index = networks.findIndex((network) => networkHolds(network, address));
    return index === -1 ? null : `net${index}`;
  };
  const stopCaptures = async (): Promise<void> =>
    ignoringMachine(
      withQmp({ stateDir }, async (client) => {
        for (const { id } of captures) await client.execute('object-del', { id }).catch(() => undefined);
        for (const [address, port] of forwards) {
          await monitor(client, `hostfwd_remove ${netdevOf(address) ?? 'net0'} tcp:127.0.0.1:${port}`);
        }
        forwards.clear();
      }),
    );
  return {
    addresses: async () => {
      for (const capture of captures) {
        capture.learner.accept(await capture.file.readNew(readChunkBytes));
        const size = (await stat(capture.path).catch(() => null))?.size ?? 0;
        if (size > maxCaptureBytes) await stopCaptures();
      }
      return [...new Set(captures.flatMap(({ learner }) => learner.addresses()))];
    },
    bytesRead: () => captures.reduce((sum, { file }) => sum + file.position, 0),
    knock: async (signal) => {
      for (const address of params.expected) {
        const netdev = netdevOf(address);
        if (netdev === null) continue;
        if (!forwards.has(address)) {
          const port = await openForward(stateDir, netdev, address).catch(() => null);
          if (port === null) continue;
          forwards.set(address, port);
        }
        await connectOnce(forwards.get(address) ?? 0, signal);
      }
    },
    close: stopCaptures,
  };
}
