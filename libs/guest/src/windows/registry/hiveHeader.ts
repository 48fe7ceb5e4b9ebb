import { AppError } from '@ascend/errors';

/** Bytes of the base block, which all offsets inside a hive are behind. */
export const baseBlockBytes = 4096;
/** Where the fields of the base block are (regf specification of M. Suhanov, read 2026-11). */
export const headerAt = { primarySequence: 4, secondarySequence: 8, binsBytes: 40, checksum: 508 } as const;

/** What the base block of a registry hive says. */
export interface HiveHeader {
  readonly primarySequence: number;
  readonly secondarySequence: number;
  /** FILETIME of the last write. */
  readonly writtenAt: bigint;
  readonly minorVersion: number;
  /** Offset of the root key, from the end of the base block. */
  readonly rootOffset: number;
  /** Bytes of all bins together. */
  readonly binsBytes: number;
  /** The hive was not flushed: its transaction logs hold changes that the file does not. */
  readonly dirty: boolean;
}

/** The error of everything that is wrong with a hive. */
export function hiveError(problem: string): AppError {
  return new AppError({ code: 'GUEST_HIVE_CORRUPT', message: `read registry hive: ${problem}` });
}

/** XOR of the first 127 words; 0 and -1 are never stored. */
export function headerChecksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < headerAt.checksum; at += 4) sum ^= bytes.readInt32LE(at);
  if (sum === 0) return 1;
  return sum === -1 ? 0xfffffffe : sum >>> 0;
}

/**
 * Reads the base block of a hive, dirty ones too.
 *
 * @throws {AppError} GUEST_HIVE_CORRUPT - no hive, another version, or sizes that cannot be
 */
export function readHiveHeader(bytes: Buffer): HiveHeader {
  if (bytes.length < baseBlockBytes || bytes.toString('latin1', 0, 4) !== 'regf') {
    throw hiveError(`no base block in ${bytes.length} bytes`);
  }
  const [major, minor] = [bytes.readUInt32LE(20), bytes.readUInt32LE(24)];
  if (major !== 1 || minor < 3 || minor > 6) throw hiveError(`version ${major}.${minor} is not known`);
  const binsBytes = bytes.readUInt32LE(headerAt.binsBytes);
  if (binsBytes % 4096 !== 0 || binsBytes === 0)
    throw hiveError(`${binsBytes} bytes of bins are no whole pages`);
  const primarySequence = bytes.readUInt32LE(headerAt.primarySequence);
  const secondarySequence = bytes.readUInt32LE(headerAt.secondarySequence);
  const whole = headerChecksum(bytes) === bytes.readUInt32LE(headerAt.checksum);
  return {
    primarySequence,
    secondarySequence,
    writtenAt: bytes.readBigUInt64LE(12),
    minorVersion: minor,
    rootOffset: bytes.readUInt32LE(36),
    binsBytes,
    dirty: !whole || primarySequence !== secondarySequence,
  };
}
