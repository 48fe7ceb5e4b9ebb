import { AppError, isAppError } from '@ascend/errors';
import { runProcess, type ProcessResult } from '@ascend/runtime';
import type { GuestMount } from '../../apply/guestMount.ts';
import { insidePaths } from '../../apply/hostSandbox.ts';
import type { GuestFileKind, GuestFiles } from '../../guestFiles.ts';

/** A mounted Windows volume. Reading and writing go through its namespaces: links of the guest cannot leave them. */
export interface NtfsVolume extends GuestFiles {
  /** Writes a whole file in place (owner, permissions and file id stay), making it and its folders where needed. */
  write(path: string, bytes: Uint8Array): Promise<void>;
}

const timeoutMs = 120_000;
/** Bytes of one read; as text they must fit into what is kept of a program's output. */
const pieceBytes = 32 * 1024 * 1024;
const kinds: Readonly<Record<string, GuestFileKind>> = { f: 'file', d: 'directory', l: 'symlink' };
/** Positional parameters alone: nothing of the guest becomes part of the text. */
const readPiece = 'dd if="$1" bs="$2" skip="$3" count=1 status=none | base64 -w 0';

/** Where a path of the guest is in the namespaces; `..` and NUL never come from our plans, and are refused. */
function inside(path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..') || path.includes('\0')) {
    throw new AppError({
      code: 'GUEST_EDIT_FAILED',
      message: `open ${path} in guest: the path leaves the volume`,
    });
  }
  return [insidePaths.mount, ...parts].join('/');
}

/** Programs inside of the namespaces of a mount. */
interface Inside {
  /** @throws {AppError} PROCESS_FAILED */
  run(command: readonly string[], input?: Uint8Array): Promise<ProcessResult>;
  /** null when the program failed: most likely the path is not there. */
  ask(command: readonly string[]): Promise<ProcessResult | null>;
}

function programsIn(mount: GuestMount, signal: AbortSignal): Inside {
  const run: Inside['run'] = (command, input) => {
    const [program = '', ...args] = [...mount.enter, ...command];
    return runProcess({ program, args, timeoutMs, signal, ...(input === undefined ? {} : { input }) });
  };
  return {
    run,
    ask: async (command) => {
      try {
        return await run(command);
      } catch (cause) {
        if (isAppError(cause) && cause.code === 'PROCESS_FAILED') return null;
        throw cause;
      }
    },
  };
}

async function statInside(programs: Inside, path: string): ReturnType<GuestFiles['stat']> {
  const answer = await programs.ask(['stat', '-L', '-c', '%F|%s|%a|%u|%g', inside(path)]);
  if (answer === null) return null;
  const [name = '', size, mode, uid, gid] = answer.stdout.split('|');
  const kind = name.startsWith('regular') ? 'file' : name === 'directory' ? 'directory' : 'other';
  return {
    kind,
    sizeBytes: Number(size),
    mode: Number.parseInt(mode ?? '0', 8),
    uid: Number(uid),
    gid: Number(gid),
  };
}

async function* streamInside(programs: Inside, path: string): AsyncGenerator<Buffer> {
  const size = (await statInside(programs, path))?.sizeBytes ?? 0;
  for (let piece = 0; piece * pieceBytes < size; piece += 1) {
    const args = ['sh', inside(path), String(pieceBytes), String(piece)];
    const answer = await programs.ask(['sh', '-c', readPiece, ...args]);
    const bytes = Buffer.from(answer?.stdout ?? '', 'base64');
    if (bytes.length !== Math.min(pieceBytes, size - piece * pieceBytes)) {
      throw new AppError({
        code: 'GUEST_FILE_SYSTEM_CORRUPT',
        message: `read ${path} in guest: ${bytes.length} bytes at ${piece * pieceBytes} of ${size}`,
      });
    }
    yield bytes;
  }
}

async function readInside(programs: Inside, path: string, maxBytes: number): Promise<Buffer | null> {
  const own = await statInside(programs, path);
  if (own?.kind !== 'file') return null;
  if (own.sizeBytes > maxBytes) {
    throw new AppError({
      code: 'GUEST_FILE_TOO_LARGE',
      message: `read ${path}: ${own.sizeBytes} bytes, at most ${maxBytes} are read`,
    });
  }
  const parts: Buffer[] = [];
  for await (const part of streamInside(programs, path)) parts.push(part);
  return Buffer.concat(parts);
}

async function writeInside(programs: Inside, path: string, bytes: Uint8Array): Promise<void> {
  const target = inside(path);
  try {
    await programs.run(['mkdir', '-p', target.slice(0, target.lastIndexOf('/'))]);
    await programs.run(['dd', `of=${target}`, 'bs=1M', 'conv=fsync', 'status=none'], bytes);
  } catch (cause) {
    if (!isAppError(cause) || cause.code !== 'PROCESS_FAILED') throw cause;
    throw new AppError({
      code: 'GUEST_EDIT_FAILED',
      message: `write ${path} in guest: ${bytes.length} bytes could not be written: ${cause.message}`,
      cause,
    });
  }
}

/** Access to the files of a volume that `mountNtfs` mounted. */
export function ntfsVolume(mount: GuestMount, signal: AbortSignal): NtfsVolume {
  const programs = programsIn(mount, signal);
  const entryFormat = String.raw`%y/%f\0`;
  return {
    stat: (path) => statInside(programs, path),
    stream: (path) => streamInside(programs, path),
    read: (path, maxBytes) => readInside(programs, path, maxBytes),
    write: (path, bytes) => writeInside(programs, path, bytes),
    list: async (path) => {
      const depth = ['-mindepth', '1', '-maxdepth', '1'];
      const answer = await programs.ask(['find', `${inside(path)}/`, ...depth, '-printf', entryFormat]);
      return (answer?.stdout ?? '')
        .split('\0')
        .filter((line) => line.length > 2)
        .map((line) => ({ kind: kinds[line.slice(0, 1)] ?? 'other', name: line.slice(2) }));
    },
  };
}
