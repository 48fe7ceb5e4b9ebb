import { mkdtemp, open, rm, stat, statfs } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { exportFuse, fileBlockdev } from '@ascend/disk';
import type { HostCapabilities } from '@ascend/domain';
import { isAppError, toAppError } from '@ascend/errors';
import { runProcess } from '@ascend/runtime';
import { probeAppliance } from '../appliance/index.ts';
import { mountRootless } from '../apply/guestMount.ts';
import { runInGuest, busyboxPath } from '../apply/guestSandbox.ts';
import { runsAsRoot } from '../apply/hostSandbox.ts';
import { giveToUnprivileged } from '../apply/volumeExport.ts';

/** What probing the machine works with. */
export interface ProbeHostParams {
  /** A folder on the disk that scratch files will use; must exist. */
  readonly scratchDir: string;
  /** What `workingAcceleration` found. */
  readonly acceleration: 'kvm' | 'tcg';
  readonly signal?: AbortSignal;
  /**
   * Where the appliance of this machine is kept. With it `libguestfsVersion` is told only when an appliance has really started here
   * (see `probeAppliance`: up to a minute the first time, then a kept answer); else when it is installed.
   */
  readonly applianceCacheDir?: string;
}

const tryTimeoutMs = 20_000;

/** First version number in a program's `--version`; null when it cannot be run. */
async function versionOf(program: string, args: readonly string[]): Promise<string | null> {
  try {
    const { stdout } = await runProcess({ program, args, timeoutMs: tryTimeoutMs });
    return /\d+(?:\.\d+)+/.exec(stdout)?.[0] ?? null;
  } catch (cause) {
    if (!isAppError(cause)) throw cause;
    return null;
  }
}

/** Does the attempt succeed? Any coded failure means no. */
async function succeeds(attempt: () => Promise<void>): Promise<boolean> {
  try {
    await attempt();
    return true;
  } catch (cause) {
    if (!isAppError(cause) && !(cause instanceof Error)) throw cause;
    return false;
  }
}

async function tinyImage(folder: string): Promise<string> {
  const path = join(folder, 'tiny.img');
  const file = await open(path, 'w');
  await file.truncate(8 * 1024 * 1024);
  await file.close();
  return path;
}

interface MountTrials {
  readonly storageDaemonFuse: boolean;
  readonly fuse2fs: boolean;
  readonly bubblewrap: boolean;
}

/** Exports a tiny file system, mounts it unprivileged and runs a program in the sandbox on it, as prepare-guest will. */
async function tryMounts(folder: string, signal: AbortSignal): Promise<MountTrials> {
  const image = await tinyImage(folder);
  const trials = { storageDaemonFuse: false, fuse2fs: false, bubblewrap: false };
  await succeeds(async () => {
    await runProcess({ program: 'mke2fs', args: ['-q', '-t', 'ext4', image], timeoutMs: tryTimeoutMs });
    const blockdev = fileBlockdev(image, 'raw', { readOnly: false });
    const exported = await exportFuse({
      blockdev,
      writable: true,
      workDir: folder,
      allowOther: runsAsRoot(),
      signal,
    });
    trials.storageDaemonFuse = true;
    try {
      await giveToUnprivileged(exported.filePath);
      const mount = await mountRootless({ volumePath: exported.filePath, workDir: folder, signal });
      trials.fuse2fs = true;
      try {
        const probe = [busyboxPath, 'true'];
        trials.bubblewrap = await succeeds(async () => {
          await runInGuest(mount, { args: probe, timeoutMs: tryTimeoutMs, signal });
        });
      } finally {
        await mount.kill();
      }
    } finally {
      await exported.close();
    }
  });
  return trials;
}

/** Is there a kernel block device that a server could be attached to? A node alone is not enough: it must open. */
async function tryNbdKernel(): Promise<boolean> {
  return await succeeds(async () => {
    const device = await open('/dev/nbd0', 'r');
    try {
      const facts = await device.stat();
      if (!facts.isBlockDevice()) throw new Error('no block device');
      await stat('/sys/block/nbd0');
    } finally {
      await device.close();
    }
  });
}

async function libguestfsVersion(params: ProbeHostParams, signal: AbortSignal): Promise<string | null> {
  const { scratchDir: workDir, applianceCacheDir: cacheDir, acceleration } = params;
  if (cacheDir === undefined) return await versionOf('guestfish', ['--version']);
  const { version, works } = await probeAppliance({ workDir, cacheDir, acceleration, signal });
  return works ? version : null;
}

async function tryHost(params: ProbeHostParams, signal: AbortSignal): Promise<HostCapabilities> {
  const folder = await mkdtemp(join(params.scratchDir, 'probe-host-'));
  try {
    const trials = await tryMounts(folder, signal);
    const space = await statfs(params.scratchDir);
    return {
      qemuVersion: await versionOf('qemu-system-x86_64', ['--version']),
      qemuImgVersion: await versionOf('qemu-img', ['--version']),
      storageDaemonFuse: trials.storageDaemonFuse,
      nbdKernel: await tryNbdKernel(),
      kvmWorks: params.acceleration === 'kvm',
      libguestfsVersion: await libguestfsVersion(params, signal),
      fuse2fs: trials.fuse2fs,
      bubblewrap: trials.bubblewrap,
      runsAsRoot: runsAsRoot(),
      cpuCount: cpus().length,
      memoryBytes: totalmem(),
      scratchFreeBytes: space.bavail * space.bsize,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Finds out what this machine can do by doing it on a tiny image: never by looking for device nodes or programs alone.
 * Whether hardware acceleration works is decided by `workingAcceleration` and passed in. Leaves nothing in `scratchDir`.
 *
 * @throws {AppError} INTERNAL_BUG - `scratchDir` cannot be used
 */
export async function probeHost(params: ProbeHostParams): Promise<HostCapabilities> {
  try {
    return await tryHost(params, params.signal ?? new AbortController().signal);
  } catch (cause) {
    throw toAppError(cause, 'probe host');
  }
}
