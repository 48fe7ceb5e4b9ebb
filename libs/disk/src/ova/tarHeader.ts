import { AppError } from '@ascend/errors';

/** Size of a header and unit of all padding. */
export const tarBlockBytes = 512;

/** One member of an archive: a plain file. */
export interface TarMember {
  /** At most 100 bytes of ASCII. */
  readonly name: string;
  readonly sizeBytes: number;
  readonly modifiedAt: Date;
}

// Eleven octal digits: 8 GiB less one byte. Above it the size is a binary number, an extension of GNU tar that other readers share.
const maxOctalSize = 0o77_777_777_777;

function octal(value: number, digits: number): string {
  return `${Math.trunc(value).toString(8).padStart(digits, '0')}\0`;
}

function writeSize(header: Buffer, sizeBytes: number): void {
  if (sizeBytes <= maxOctalSize) {
    header.write(octal(sizeBytes, 11), 124, 'latin1');
    return;
  }
  header.writeUInt8(0x80, 124);
  header.writeBigUInt64BE(BigInt(sizeBytes), 128);
}

/**
 * The header of a member in the ustar format (POSIX.1-1988), 512 bytes.
 *
 * @throws {AppError} DISK_OVF_INVALID - a name that does not fit
 */
export function encodeTarHeader({ name, sizeBytes, modifiedAt }: TarMember): Buffer {
  if (!/^[\x21-\x7e]{1,100}$/.test(name) || !Number.isSafeInteger(sizeBytes) || sizeBytes < 0) {
    throw new AppError({
      code: 'DISK_OVF_INVALID',
      message: `write archive: ${JSON.stringify(name)} with ${sizeBytes} bytes is no member`,
    });
  }
  const header = Buffer.alloc(tarBlockBytes);
  header.write(name, 0, 'latin1');
  header.write(octal(0o644, 7), 100, 'latin1');
  // Owner and group: root, as the tools of the field write it.
  header.write(octal(0, 7), 108, 'latin1');
  header.write(octal(0, 7), 116, 'latin1');
  writeSize(header, sizeBytes);
  header.write(octal(Math.max(0, modifiedAt.getTime() / 1000), 11), 136, 'latin1');
  // The checksum counts its own field as spaces.
  header.fill(0x20, 148, 156);
  header.write('0', 156, 'latin1');
  header.write('ustar\x0000', 257, 'latin1');
  let sum = 0;
  for (const byte of header) sum += byte;
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}

function readOctal(header: Buffer, from: number, to: number): number {
  const text = header.toString('latin1', from, to).replace(/[\0 ]+$/, '');
  return /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number.NaN;
}

/**
 * Reads a header as `encodeTarHeader` writes it; null for the block of zeros at the end of an archive.
 *
 * @throws {AppError} DISK_HEADER_INVALID - the checksum or a number is wrong
 */
export function decodeTarHeader(header: Buffer): Pick<TarMember, 'name' | 'sizeBytes'> | null {
  if (header.length === tarBlockBytes && header.every((byte) => byte === 0)) return null;
  const isWhole = header.length === tarBlockBytes;
  const sum = isWhole
    ? header.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 0x20 : byte), 0)
    : -1;
  const isBinary = isWhole && header.readUInt8(124) === 0x80;
  const sizeBytes = !isWhole
    ? Number.NaN
    : isBinary
      ? Number(header.readBigUInt64BE(128))
      : readOctal(header, 124, 136);
  if (Number.isSafeInteger(sizeBytes) && readOctal(header, 148, 154) === sum) {
    return { name: header.toString('latin1', 0, 100).replace(/\0.*$/s, ''), sizeBytes };
  }
  throw new AppError({
    code: 'DISK_HEADER_INVALID',
    message: `read archive: a header with the checksum ${sum} is no header of a member`,
  });
}

/** Zero bytes that follow a member's data up to the next block. */
export function tarPaddingBytes(sizeBytes: number): number {
  return (tarBlockBytes - (sizeBytes % tarBlockBytes)) % tarBlockBytes;
}
