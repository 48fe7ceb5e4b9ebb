import { AppError } from '@ascend/errors';
import type { Logger, ProcessResult } from '@ascend/runtime';
import type { DiskImage } from '@ascend/disk';
import { encodeCpio, type CpioFile } from '../initramfs/cpio.ts';
import { mountGuest, type ExecutorKind } from './guestMount.ts';
import { busyboxPath, runGuestTool, runInGuest, type GuestCommand, type GuestTool } from './guestSandbox.ts';
import {
  checkExportedVolume,
  exportVolume,
  replayExportedJournal,
  type VolumePlace,
} from './volumeExport.ts';

/** A file of the guest as read through its sandbox. */
interface ReadBack {
  /** Bytes kept as they are, one character each (latin1), so that writing back changes nothing else. */
  readonly text: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** The guest's root, writable. Everything goes through the sandbox, so links in the guest cannot lead out of it. */
export interface GuestRoot {
  readonly executor: ExecutorKind;
  run(command: Omit<GuestCommand, 'signal'>): Promise<ProcessResult>;
  /** Runs a tool that works for minutes, under a stall detector. */
  runTool(tool: Omit<GuestTool, 'signal'>): Promise<ProcessResult>;
  /** null when it is not there. @throws {AppError} GUEST_FILE_TOO_LARGE */
  readFile(path: string): Promise<ReadBack | null>;
  /** Writes regular files (folders are made), replacing what has the name. Paths are relative to the root. */
  writeFiles(files: readonly CpioFile[]): Promise<void>;
  /** Unmounts, checks the file system, flushes. @throws {AppError} GUEST_FILE_SYSTEM_CORRUPT */
  finish(): Promise<void>;
  /** Ends everything without care for the bytes; nothing is left running. Idempotent, also after `finish`. */
  abandon(): Promise<void>;
}

/** What is needed to open a guest's root. */
export interface OpenRootParams {
  /** Its top overlay is written. */
  readonly image: DiskImage;
  readonly volume: VolumePlace;
  readonly workDir: string;
  readonly executor: ExecutorKind | 'auto';
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

const shortTimeoutMs = 60_000;
const maxReadBytes = 4 * 1024 * 1024;

async function readThrough(run: GuestRoot['run'], path: string): Promise<ReadBack | null> {
  const absolute = `/${path.replace(/^\/+/, '')}`;
  const timeoutMs = shortTimeoutMs;
  const stat = await run({
    args: [busyboxPath, 'stat', '-L', '-c', '%F|%s|%a|%u|%g', absolute],
    okExitCodes: [0, 1],
    timeoutMs,
  });
  const [kind, size, mode, uid, gid] = stat.stdout.trim().split('|');
  if (stat.exitCode !== 0 || kind === undefined || !kind.startsWith('regular')) return null;
  if (Number(size) > maxReadBytes) {
    throw new AppError({
      code: 'GUEST_FILE_TOO_LARGE',
      message: `read ${absolute}: ${size ?? ''} bytes, at most ${maxReadBytes} are read`,
      details: { sizeBytes: Number(size), maxBytes: maxReadBytes },
    });
  }
  const encoded = await run({ args: [busyboxPath, 'base64', absolute], timeoutMs });
  return {
    text: Buffer.from(encoded.stdout, 'base64').toString('latin1'),
    mode: Number.parseInt(mode ?? '644', 8),
    uid: Number(uid),
    gid: Number(gid),
  };
}

/**
 * Opens the root file system of a guest for editing: exports its volume alone, replays the journal, mounts it in
 * namespaces of its own. On failure nothing is left running or mounted.
 *
 * @throws {AppError} GUEST_FILE_SYSTEM_CORRUPT, GUEST_EXECUTOR_UNAVAILABLE, DISK_*
 */
export async function openGuestRoot(params: OpenRootParams): Promise<GuestRoot> {
  const { image, volume, workDir, executor, logger, signal } = params;
  const exported = await exportVolume({ image, volume, workDir, signal });
  try {
    await replayExportedJournal(exported.volumePath, signal);
    const mount = await mountGuest({ volumePath: exported.volumePath, workDir, executor, logger, signal });
    const run: GuestRoot['run'] = (command) => runInGuest(mount, { ...command, signal });
    return {
      executor: mount.kind,
      run,
      runTool: (tool) => runGuestTool(mount, { ...tool, signal }),
      readFile: (path) => readThrough(run, path),
      writeFiles: async (files) => {
        const archive = encodeCpio(files.map((file) => ({ ...file, name: file.name.replace(/^\/+/, '') })));
        await run({
          args: [busyboxPath, 'cpio', '-i', '-d', '-u'],
          input: archive,
          timeoutMs: shortTimeoutMs,
        });
      },
      finish: async () => {
        await mount.unmount();
        await checkExportedVolume(exported.volumePath, signal);
        await exported.close();
      },
      abandon: async () => {
        await mount.kill();
        await exported.close();
      },
    };
  } catch (cause) {
    await exported.close();
    throw cause;
  }
}
