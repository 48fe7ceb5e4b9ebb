import { AppError } from '@ascend/errors';
import type { Logger, ProcessResult } from '@ascend/runtime';
import { encodeCpio, type CpioFile } from '../initramfs/cpio.ts';
import type { GuestDisk } from '../probe/openDisks.ts';
import { checkExportedVolume, replayExportedJournal } from './checkVolume.ts';
import type { ExecutorKind } from './guestMount.ts';
import { busyboxPath, runGuestTool, runInGuest, type GuestCommand, type GuestTool } from './guestSandbox.ts';
import type { HostVolume } from './hostVolumes.ts';
import { mountTree } from './mountTree.ts';
import { exportVolumes, type DiskPlace, type VolumesExport } from './volumeExport.ts';

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
  /** How it is mounted; `appliance`: in a virtual machine of its own. */
  readonly executor: ExecutorKind | 'appliance';
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
  /** The disks of `volumes` have a top overlay, which is written. */
  readonly images: readonly GuestDisk[];
  /** The root first; see `hostVolumes`. */
  readonly volumes: readonly HostVolume[];
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

function keyOf({ diskIndex, offsetBytes }: DiskPlace): string {
  return `${diskIndex}:${offsetBytes}`;
}

/** Exports each piece once, also when several subvolumes of it are mounted. */
async function exportPieces(
  images: readonly GuestDisk[],
  volumes: readonly HostVolume[],
  context: { readonly workDir: string; readonly signal: AbortSignal },
): Promise<VolumesExport> {
  const pieces = [...new Map(volumes.map((volume) => [keyOf(volume), volume])).values()];
  const exported = await exportVolumes(images, pieces, context);
  const paths = new Map(pieces.map((piece, index) => [keyOf(piece), exported.volumePaths[index] ?? '']));
  return { ...exported, volumePaths: volumes.map((volume) => paths.get(keyOf(volume)) ?? '') };
}

/** Reading and writing files by the busybox that every executor has inside the guest's root. */
export function throughBusybox(run: GuestRoot['run']): Pick<GuestRoot, 'readFile' | 'writeFiles'> {
  return {
    readFile: (path) => readThrough(run, path),
    writeFiles: async (files) => {
      const archive = encodeCpio(files.map((file) => ({ ...file, name: file.name.replace(/^\/+/, '') })));
      const args = [busyboxPath, 'cpio', '-i', '-d', '-u'];
      await run({ args, input: archive, timeoutMs: shortTimeoutMs });
    },
  };
}

/**
 * Opens the tree of a guest for editing: exports its volumes and nothing else of the disks, replays the journals, mounts
 * them in namespaces of their own. On failure nothing is left running or mounted.
 *
 * @throws {AppError} GUEST_FILE_SYSTEM_CORRUPT, GUEST_EXECUTOR_UNAVAILABLE, GUEST_LAYOUT_UNSUPPORTED, DISK_*
 */
export async function openGuestRoot(params: OpenRootParams): Promise<GuestRoot> {
  const { images, volumes, signal } = params;
  const exported = await exportPieces(images, volumes, params);
  const eachVolume = async (work: typeof checkExportedVolume): Promise<void> => {
    // A volume that is mounted twice (subvolumes) is one piece.
    for (const path of new Set(exported.volumePaths)) {
      const volume = volumes[exported.volumePaths.indexOf(path)];
      await work(path, volume?.fileSystem ?? '', signal);
    }
  };
  try {
    await eachVolume(replayExportedJournal);
    const mount = await mountTree({ ...params, volumePaths: exported.volumePaths });
    const run: GuestRoot['run'] = (command) => runInGuest(mount, { ...command, signal });
    return {
      executor: mount.kind,
      run,
      runTool: (tool) => runGuestTool(mount, { ...tool, signal }),
      ...throughBusybox(run),
      finish: async () => {
        await mount.unmount();
        await eachVolume(checkExportedVolume);
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
