import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { openChain } from '@ascend/disk';
import { isAppError } from '@ascend/errors';
import { silentLogger, systemClock } from '@ascend/runtime';
import { installedVersion } from './applianceImage.ts';
import { startSession } from './startSession.ts';

/** Whether an appliance runs on this machine. */
export interface ApplianceProbe {
  /** Version of libguestfs; null: not installed. */
  readonly version: string | null;
  readonly works: boolean;
  /** Why not; null when it works. */
  readonly reason: string | null;
}

/** What probing works with. */
export interface ProbeApplianceParams {
  readonly workDir: string;
  /** As for `openAppliance`; the answer is kept there, too. */
  readonly cacheDir: string;
  readonly acceleration: 'kvm' | 'tcg';
  readonly signal: AbortSignal;
  /** Default: 300 s. */
  readonly startTimeoutMs?: number;
}

interface KeptAnswer {
  /** What must be the same for the answer to hold. */
  readonly state: string;
  readonly reason: string | null;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

const emptyDiskBytes = 1024 * 1024;
const answerFile = 'probe.json';
/** A machine may have been too busy; one that works keeps working until its next boot. */
const failureHoldsMs = 3_600_000;

async function stateOf({ acceleration }: ProbeApplianceParams, version: string): Promise<string> {
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => 'unknown');
  return JSON.stringify([boot.trim(), version, acceleration]);
}

function parseAnswer(text: string): KeptAnswer | null {
  try {
    const value: unknown = JSON.parse(text);
    if (
      typeof value !== 'object' ||
      value === null ||
      !('state' in value && 'reason' in value && 'at' in value)
    )
      return null;
    const { state, reason, at } = value;
    if (typeof state !== 'string' || typeof at !== 'number') return null;
    return typeof reason === 'string' || reason === null ? { state, reason, at } : null;
  } catch {
    return null;
  }
}

async function keep(cacheDir: string, answer: KeptAnswer): Promise<void> {
  const partial = path.join(cacheDir, `${answerFile}.${randomUUID()}`);
  await writeFile(partial, JSON.stringify(answer), { mode: 0o600 });
  await rename(partial, path.join(cacheDir, answerFile));
}

/** Why an appliance does not start here; null: it does. @throws {AppError} OPERATION_CANCELLED */
async function tryStart(params: ProbeApplianceParams): Promise<string | null> {
  await mkdir(params.workDir, { recursive: true });
  const folder = await mkdtemp(path.join(params.workDir, 'probe-'));
  try {
    // libguestfs starts with at least one disk.
    await writeFile(path.join(folder, 'empty.raw'), Buffer.alloc(emptyDiskBytes));
    const chain = await openChain({ rootPath: folder, path: 'empty.raw', format: 'raw' });
    const images = [{ diskIndex: 0, image: { chain, overlays: [] } }];
    const session = await startSession({ ...params, images, writable: false, logger: silentLogger });
    await session.close();
    return null;
  } catch (cause) {
    if (!isAppError(cause) || cause.code === 'OPERATION_CANCELLED') throw cause;
    return cause.message;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Starts an appliance with an empty disk to see whether that works here. The answer is kept in `cacheDir`: a good one for this boot of the
 * machine, a bad one for an hour. The first time takes as long as building and starting one: up to a minute by emulation.
 *
 * @throws {AppError} OPERATION_CANCELLED
 */
export async function probeAppliance(params: ProbeApplianceParams): Promise<ApplianceProbe> {
  const { cacheDir, signal } = params;
  let version: string;
  try {
    version = await installedVersion(signal);
  } catch (cause) {
    if (!isAppError(cause) || cause.code === 'OPERATION_CANCELLED') throw cause;
    return { version: null, works: false, reason: cause.message };
  }
  await mkdir(cacheDir, { recursive: true, mode: 0o700 });
  const state = await stateOf(params, version);
  const now = systemClock.now();
  const kept = parseAnswer(await readFile(path.join(cacheDir, answerFile), 'utf8').catch(() => ''));
  const holds = kept?.state === state && (kept.reason === null || now - kept.at < failureHoldsMs);
  const reason = holds ? kept.reason : await tryStart(params);
  if (!holds) await keep(cacheDir, { state, reason, at: now });
  return { version, works: reason === null, reason };
}
