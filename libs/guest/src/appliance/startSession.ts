import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { imageBlockdev, serveNbd, type NbdServer } from '@ascend/disk';
import { AppError, isAppError, toAppError } from '@ascend/errors';
import type { Logger } from '@ascend/runtime';
import { runsAsRoot, type SandboxBind } from '../apply/hostSandbox.ts';
import { giveToUnprivileged } from '../apply/volumeExport.ts';
import type { GuestDisk } from '../probe/openDisks.ts';
import { applianceImage } from './applianceImage.ts';
import { startAppliance, type ApplianceProcess } from './applianceProcess.ts';
import { createExchange, type Exchange } from './exchange.ts';
import type { ApplianceDisk } from './inspectLayout.ts';

/** What an appliance is started with. */
export interface StartSessionParams {
  /** All disks of the guest: volumes may lie on several. */
  readonly images: readonly GuestDisk[];
  /** The top overlays are written; else whatever the appliance writes (journals, superblocks) is thrown away. */
  readonly writable: boolean;
  /** Of a writable session: the disks that have an overlay of ours on top; the others stay read-only. Default: all. */
  readonly writtenDisks?: readonly number[];
  /** Scratch folder of the caller; the session makes one below it and removes it. */
  readonly workDir: string;
  /** Where the appliance of this machine is kept between sessions; may be shared by processes of one user. */
  readonly cacheDir: string;
  /** What `workingAcceleration` found. */
  readonly acceleration: 'kvm' | 'tcg';
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** Default: 300 s; measured 20-50 s by emulation, a few by hardware. */
  readonly startTimeoutMs?: number;
  /** Memory of the appliance in MiB. Default: 1280; LUKS2 keys may ask for 1 GiB. */
  readonly memoryMiB?: number;
}

/** A running appliance, before anything of the guest was looked at. */
export interface StartedSession {
  readonly process: ApplianceProcess;
  readonly exchange: Exchange;
  readonly disks: readonly ApplianceDisk[];
  /** Version of libguestfs. */
  readonly version: string;
  /** Ends the appliance, its block servers and its folder. Idempotent. */
  close(): Promise<void>;
}

const startTimeoutMs = 300_000;
const defaultMemoryMiB = 1280;

/** Drives are labelled by letters, as libguestfs demands; the label names the socket inside the sandbox too. */
function labelOf(index: number): string {
  const letters = 'abcdefghijklmnopqrstuvwxyz';
  return `disk${letters[Math.floor(index / 26)] ?? 'z'}${letters[index % 26] ?? 'z'}`;
}

interface Served {
  readonly diskIndex: number;
  readonly label: string;
  readonly writable: boolean;
  readonly server: NbdServer;
}

interface Resources {
  readonly served: Served[];
  process: ApplianceProcess | null;
}

async function serveDisks(params: StartSessionParams, sessionDir: string, into: Served[]): Promise<void> {
  for (const [index, { diskIndex, image }] of params.images.entries()) {
    const writable = params.writable && (params.writtenDisks?.includes(diskIndex) ?? true);
    const server = await serveNbd({
      blockdev: imageBlockdev(image, { readOnly: !writable }),
      writable,
      connections: 2,
      workDir: sessionDir,
      signal: params.signal,
    });
    into.push({ diskIndex, label: labelOf(index), writable, server });
    await giveToUnprivileged(server.socketPath);
  }
}

/** The device of hardware acceleration, where the unprivileged user may open it; else the appliance is emulated. */
async function accelerationBinds(params: StartSessionParams): Promise<readonly SandboxBind[]> {
  if (params.acceleration === 'tcg') return [];
  const accelerator = '/dev/kvm';
  const { mode } = await stat(accelerator);
  if (runsAsRoot() && (mode & 0o006) !== 0o006) {
    params.logger.warn('appliance is emulated: the accelerator is closed to unprivileged users', {
      accelerator,
    });
    return [];
  }
  return [{ from: accelerator, to: accelerator, access: 'device' }];
}

function socketInside(label: string): string {
  return `/ascend/${label}.sock`;
}

const applianceInside = '/ascend/appliance';

async function addDrives(process: ApplianceProcess, served: readonly Served[]): Promise<void> {
  for (const { label, writable, server } of served) {
    // Read-only drives get a throw-away layer of libguestfs's own, so that journals can be replayed.
    const options = ['protocol:nbd', `server:unix:${socketInside(label)}`, 'format:raw', `label:${label}`];
    await process.ask('add-drive', [server.exportName, ...options, ...(writable ? [] : ['readonly:true'])]);
  }
}

async function launch(process: ApplianceProcess, params: StartSessionParams): Promise<void> {
  await process.ask('set-memsize', [String(params.memoryMiB ?? defaultMemoryMiB)]);
  await process.ask('set-smp', ['1']);
  await process.ask('set-network', ['false']);
  try {
    await process.ask('run', [], { timeoutMs: params.startTimeoutMs ?? startTimeoutMs });
  } catch (cause) {
    if (!isAppError(cause) || cause.code === 'OPERATION_CANCELLED') throw cause;
    throw new AppError({
      code: 'GUEST_EXECUTOR_UNAVAILABLE',
      message: `start appliance: ${cause.message}`,
      cause,
    });
  }
}

/**
 * An array that was in use when it was backed up is not in step, and its kernel would at once copy one member over the others: gigabytes
 * of overlay that the guest does anew anyway. 1 KiB/s is the least the kernel takes.
 */
async function holdResync(process: ApplianceProcess): Promise<void> {
  const slow = 'for f in min max; do echo 1 >/proc/sys/dev/raid/speed_limit_$f; done 2>/dev/null; true';
  await process.ask('debug', ['sh', [slow]]);
}

/** Which device of the appliance is which disk: by label, because kernels number disks as they find them. */
async function disksOf(
  process: ApplianceProcess,
  served: readonly Served[],
): Promise<readonly ApplianceDisk[]> {
  const text = (await process.ask('list-disk-labels', [])).toString('utf8');
  const devices = new Map([...text.matchAll(/^(\w+): (\/dev\/\w+)$/gm)].map((line) => [line[1], line[2]]));
  return served.map(({ diskIndex, label, server }) => {
    const device = devices.get(label);
    if (device === undefined) {
      throw new AppError({
        code: 'GUEST_EXECUTOR_UNAVAILABLE',
        message: `start appliance: disk ${diskIndex} is not there`,
      });
    }
    return { diskIndex, device, sizeBytes: server.sizeBytes };
  });
}

async function start(
  params: StartSessionParams,
  sessionDir: string,
  resources: Resources,
): Promise<Omit<StartedSession, 'close'>> {
  const { acceleration, signal } = params;
  const { folder, version } = await applianceImage(params.cacheDir, signal);
  await mkdir(path.join(sessionDir, 'tmp'), { mode: 0o700 });
  const exchange = await createExchange(sessionDir);
  for (const name of ['', 'tmp', 'exchange']) await giveToUnprivileged(path.join(sessionDir, name));
  await serveDisks(params, sessionDir, resources.served);
  const sockets = resources.served.map(({ label, server }): SandboxBind => ({
    from: server.socketPath,
    to: socketInside(label),
    access: 'write',
  }));
  const process = await startAppliance({
    sessionDir,
    binds: [
      { from: folder, to: applianceInside, access: 'read' },
      ...sockets,
      ...(await accelerationBinds(params)),
    ],
    appliancePath: applianceInside,
    acceleration,
    signal,
  });
  resources.process = process;
  await addDrives(process, resources.served);
  await launch(process, params);
  await holdResync(process);
  params.logger.info('appliance started', { version, acceleration, disks: params.images.length });
  return { process, exchange, version, disks: await disksOf(process, resources.served) };
}

/**
 * Starts the appliance with the disks attached. On failure, cancellation and kill -9 no process and no socket is left, and nothing
 * outside of `workDir`.
 *
 * @throws {AppError} GUEST_EXECUTOR_UNAVAILABLE, DISK_*, OPERATION_CANCELLED
 */
export async function startSession(params: StartSessionParams): Promise<StartedSession> {
  await mkdir(params.workDir, { recursive: true });
  const sessionDir = await mkdtemp(path.join(params.workDir, 'appliance-'));
  const resources: Resources = { served: [], process: null };
  const end = async (): Promise<void> => {
    await resources.process?.kill();
    await Promise.all(resources.served.map(({ server }) => server.close()));
    await rm(sessionDir, { recursive: true, force: true });
  };
  let ending: Promise<void> | null = null;
  const close = (): Promise<void> => (ending ??= end());
  try {
    return { ...(await start(params, sessionDir, resources)), close };
  } catch (cause) {
    await close();
    throw toAppError(cause, 'start appliance');
  }
}
