import { AppError } from '@ascend/errors';
import type { GuestEntry, GuestFileKind, GuestFiles } from '../guestFiles.ts';
import type { ApplianceProcess } from './applianceProcess.ts';
import type { Exchange } from './exchange.ts';
import { numberOf, parseRecord, parseRecords, type FishRecord } from './fishOutput.ts';
import type { FishAnswer } from './fishShell.ts';

const maxPathBytes = 1_900;
const maxListBytes = 16 * 1024 * 1024;
const maxEntries = 200_000;
/** One download; what `stream` keeps of a file at a time. */
const windowBytes = 8 * 1024 * 1024;
const pieceBytes = 1024 * 1024;

const missing =
  /: (?:No such file or directory|Not a directory|Is a directory|Too many levels of symbolic links|File name too long|Invalid argument)$/;

/** null: not there. @throws {AppError} GUEST_FILE_SYSTEM_CORRUPT - any other failure, damage mostly */
function answerOf({ stdout, error }: FishAnswer, path: string): Buffer | null {
  if (error === null) return stdout;
  if (missing.test(error)) return null;
  throw new AppError({
    code: 'GUEST_FILE_SYSTEM_CORRUPT',
    message: `read ${path.slice(0, 200)} of guest: ${error.slice(0, 300)}`,
  });
}

const kinds: Readonly<Record<number, GuestFileKind>> = { 0o10: 'file', 0o04: 'directory', 0o12: 'symlink' };
const entryKinds: Readonly<Record<string, GuestFileKind>> = { r: 'file', d: 'directory', l: 'symlink' };

function kindOf(record: FishRecord): GuestFileKind {
  return kinds[(numberOf(record, 'st_mode') ?? 0) >> 12] ?? 'other';
}

/** Kinds of entries by name, where the file system keeps them with the names. */
function kindsTold(answer: Buffer | null): ReadonlyMap<string, GuestFileKind> {
  const told = new Map<string, GuestFileKind>();
  for (const record of parseRecords(answer?.toString('utf8') ?? '', maxEntries + 2)) {
    const kind = entryKinds[record.get('ftyp') ?? ''];
    if (kind !== undefined) told.set(record.get('name') ?? '', kind);
  }
  return told;
}

/** The path as the appliance takes it; null: nothing can have it. */
function absolute(folder: string, path: string): string | null {
  const name = `${folder}/${path.replace(/^\/+/, '')}`;
  return name.includes('\0') || Buffer.byteLength(name) > maxPathBytes ? null : name;
}

/** The questions that everything is read by. */
interface Reader {
  /** null: not there. */
  ask(command: string, path: string, ...more: readonly string[]): Promise<Buffer | null>;
  /** What a command writes to a file of at most `maxBytes`. */
  fetch(command: string, path: string, params: FetchParams): Promise<Buffer | null>;
}

interface FetchParams {
  readonly maxBytes: number;
  /** Offset and length. */
  readonly range?: readonly [number, number];
}

function createReader(process: ApplianceProcess, exchange: Exchange, folder: string): Reader {
  const ask: Reader['ask'] = async (command, path, ...more) => {
    const name = absolute(folder, path);
    return name === null ? null : answerOf(await process.tryAsk(command, [name, ...more]), name);
  };
  return {
    ask,
    fetch: async (command, path, { maxBytes, range }) => {
      const file = await exchange.file();
      try {
        const answer = await ask(command, path, file.insidePath, ...(range ?? []).map(String));
        return answer === null ? null : await file.read(maxBytes);
      } finally {
        await file.remove();
      }
    },
  };
}

async function statOf(reader: Reader, path: string): ReturnType<GuestFiles['stat']> {
  const answer = await reader.ask('statns', path);
  if (answer === null) return null;
  const record = parseRecord(answer.toString('latin1'));
  return {
    kind: kindOf(record),
    sizeBytes: numberOf(record, 'st_size') ?? 0,
    mode: (numberOf(record, 'st_mode') ?? 0) & 0o7777,
    uid: numberOf(record, 'st_uid') ?? 0,
    gid: numberOf(record, 'st_gid') ?? 0,
  };
}

/** null: no regular file, which alone may be opened: a pipe would wait for ever. */
async function fileSize(reader: Reader, path: string): Promise<number | null> {
  const facts = await statOf(reader, path);
  return facts?.kind === 'file' ? facts.sizeBytes : null;
}

/** Kinds come with the names in text, where a name with a line end could pass for another entry: then each is asked for alone. */
async function listFolder(reader: Reader, path: string): Promise<readonly GuestEntry[]> {
  if ((await statOf(reader, path))?.kind !== 'directory') return [];
  const listed = await reader.fetch('ls0', path, { maxBytes: maxListBytes });
  const names = (listed?.toString('utf8') ?? '')
    .split('\0')
    .filter((name) => name !== '')
    .slice(0, maxEntries);
  const ambiguous = names.some((name) => name.includes('\n'));
  const told = kindsTold(ambiguous ? null : await reader.ask('readdir', path));
  const entries: GuestEntry[] = [];
  for (const name of names) {
    const known = told.get(name);
    const facts = known === undefined ? await reader.ask('lstatns', `${path}/${name}`) : null;
    const kind = known ?? (facts === null ? 'other' : kindOf(parseRecord(facts.toString('latin1'))));
    entries.push({ name, kind });
  }
  return entries;
}

async function readWindow(reader: Reader, path: string, range: readonly [number, number]): Promise<Buffer> {
  const bytes = await reader.fetch('download-offset', path, { maxBytes: range[1], range });
  return bytes ?? Buffer.alloc(0);
}

async function readWhole(reader: Reader, path: string, maxBytes: number): Promise<Buffer | null> {
  const sizeBytes = await fileSize(reader, path);
  if (sizeBytes === null) return null;
  if (sizeBytes > maxBytes) {
    throw new AppError({
      code: 'GUEST_FILE_TOO_LARGE',
      message: `read ${path}: ${sizeBytes} bytes, at most ${maxBytes} are read`,
      details: { sizeBytes, maxBytes },
    });
  }
  return sizeBytes === 0 ? Buffer.alloc(0) : await readWindow(reader, path, [0, sizeBytes]);
}

async function* streamFile(reader: Reader, path: string): AsyncGenerator<Buffer> {
  const sizeBytes = (await fileSize(reader, path)) ?? 0;
  for (let offset = 0; offset < sizeBytes; offset += windowBytes) {
    const bytes = await readWindow(reader, path, [offset, Math.min(windowBytes, sizeBytes - offset)]);
    for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
  }
}

/**
 * The files of what is mounted in the appliance. Its commands resolve links with the guest's root as `/`, and file contents
 * pass through files whose names are ours, so no name or link of a guest means anything on this machine. `folder`: where the appliance
 * has mounted them, `` for its `/`; below a folder links are told, not followed: use it inside of `unionFiles` alone.
 */
export function applianceFiles(process: ApplianceProcess, exchange: Exchange, folder = ''): GuestFiles {
  const reader = createReader(process, exchange, folder);
  return {
    stat: (path) => statOf(reader, path),
    list: (path) => listFolder(reader, path),
    read: (path, maxBytes) => readWhole(reader, path, maxBytes),
    stream: (path) => streamFile(reader, path),
    readLink: async (path) => {
      const target = await reader.ask('readlink', path);
      return target === null ? null : target.toString('utf8').replace(/\n$/, '');
    },
  };
}
