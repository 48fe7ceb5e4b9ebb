import { initramfsError, type ByteCursor } from './byteCursor.ts';

/** One member of a cpio archive ("newc", the format of the Linux initramfs). */
export interface CpioEntry {
  /** Without leading `./` or `/`. */
  readonly name: string;
  /** File type and permission bits, as stat(2) gives them. */
  readonly mode: number;
  readonly sizeBytes: number;
  /** Contents when the reader's `keep` asked for them, else null. */
  readonly data: Buffer | null;
}

/** A file to be written into an archive. */
export interface CpioFile {
  readonly name: string;
  /** With type bits (0o100644 file, 0o040755 directory, 0o120777 link); permission bits alone mean a regular file. */
  readonly mode: number;
  readonly data: Buffer;
  readonly uid?: number;
  readonly gid?: number;
}

const headerBytes = 110;
const trailerName = 'TRAILER!!!';
const maxNameBytes = 4096;
const typeMask = 0o170000;
const regularFile = 0o100000;

function paddingTo4(length: number): number {
  return (4 - (length % 4)) % 4;
}

/** True when the bytes begin a cpio member: magic and nothing but hex digits in the header. */
export function looksLikeCpio(bytes: Buffer): boolean {
  return (
    bytes.length >= headerBytes &&
    /^07070[12][0-9a-fA-F]{104}$/.test(bytes.toString('latin1', 0, headerBytes))
  );
}

/**
 * Reads one archive up to and with its trailer; `keep` tells how many bytes of a member are wanted (0: none).
 *
 * @throws {AppError} GUEST_INITRAMFS_UNREADABLE - malformed or cut
 */
export async function* readCpio(
  cursor: ByteCursor,
  keep: (name: string, sizeBytes: number) => boolean,
): AsyncGenerator<CpioEntry> {
  for (;;) {
    const header = await cursor.take(headerBytes);
    if (!looksLikeCpio(header))
      throw initramfsError(`no cpio header at byte ${cursor.position - headerBytes}`);
    const field = (index: number): number =>
      Number.parseInt(header.toString('latin1', 6 + index * 8, 14 + index * 8), 16);
    const [mode, sizeBytes, nameBytes] = [field(1), field(6), field(11)];
    if (nameBytes < 1 || nameBytes > maxNameBytes) throw initramfsError(`cpio name of ${nameBytes} bytes`);
    const rawName = (await cursor.take(nameBytes)).toString('utf8', 0, nameBytes - 1);
    await cursor.skip(paddingTo4(headerBytes + nameBytes));
    if (rawName === trailerName) return;
    const name = rawName.replace(/^(\.?\/)+/, '');
    if (keep(name, sizeBytes)) {
      const data = Buffer.from(await cursor.take(sizeBytes));
      await cursor.skip(paddingTo4(sizeBytes));
      yield { name, mode, sizeBytes, data };
      continue;
    }
    await cursor.skip(sizeBytes + paddingTo4(sizeBytes));
    yield { name, mode, sizeBytes, data: null };
  }
}

function encodeMember(inode: number, file: CpioFile): Buffer {
  const name = Buffer.from(`${file.name}\0`, 'utf8');
  const mode = (file.mode & typeMask) === 0 ? file.mode | regularFile : file.mode;
  const fields = [
    inode,
    mode,
    file.uid ?? 0,
    file.gid ?? 0,
    1,
    0,
    file.data.length,
    0,
    0,
    0,
    0,
    name.length,
    0,
  ];
  const header = `070701${fields.map((value) => value.toString(16).padStart(8, '0').toUpperCase()).join('')}`;
  return Buffer.concat([
    Buffer.from(header, 'latin1'),
    name,
    Buffer.alloc(paddingTo4(headerBytes + name.length)),
    file.data,
    Buffer.alloc(paddingTo4(file.data.length)),
  ]);
}

/** A complete archive with trailer, padded to 512 bytes. Times are zero, so equal input gives equal bytes. */
export function encodeCpio(files: readonly CpioFile[]): Buffer {
  const members = files.map((file, index) => encodeMember(index + 1, file));
  const trailer = encodeMember(0, { name: trailerName, mode: 0, data: Buffer.alloc(0) });
  const body = Buffer.concat([...members, trailer]);
  return Buffer.concat([body, Buffer.alloc((512 - (body.length % 512)) % 512)]);
}
