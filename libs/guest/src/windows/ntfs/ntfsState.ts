import { isAppError } from '@ascend/errors';
import type { WindowsVolumeFacts } from '@ascend/domain';
import type { ByteSource } from '../../byteSource.ts';
import {
  applyFixups,
  findAttribute,
  firstRunOffset,
  readNtfsGeometry,
  readSystemRecord,
} from './ntfsRecord.ts';

const volumeRecord = 3;
const logRecord = 2;
const volumeInformation = 0x70;
const dataAttribute = 0x80;
const dirtyFlag = 0x0001;
const noClient = 0xffff;
const logCleanFlag = 0x0002;

/** True when a restart page of `$LogFile` says that its file system was closed. */
function isClosed(page: Buffer, sectorBytes: number): boolean {
  const fixed = applyFixups(page, sectorBytes);
  const at = fixed.readUInt16LE(24);
  if (at + 16 > fixed.length) return false;
  return fixed.readUInt16LE(at + 12) === noClient || (fixed.readUInt16LE(at + 14) & logCleanFlag) !== 0;
}

function sequenceOf(page: Buffer): bigint {
  const at = page.readUInt16LE(24);
  return at + 8 > page.length ? 0n : page.readBigUInt64LE(at);
}

/** The newer of the two restart pages decides. A log filled with ones was never used, one marked CHKD was checked. */
async function isLogClosed(volume: ByteSource, offset: number, sectorBytes: number): Promise<boolean> {
  const head = await volume.read(offset, 64);
  if (head.readUInt32LE(0) === 0xffffffff) return true;
  const pageBytes = head.readUInt32LE(16);
  if (pageBytes < 512 || pageBytes > 65_536) return false;
  const pages: Buffer[] = [];
  for (const index of [0, 1]) {
    const page = await volume.read(offset + index * pageBytes, pageBytes);
    const signature = page.toString('latin1', 0, 4);
    if (signature === 'CHKD') return true;
    if (signature === 'RSTR') pages.push(page);
  }
  const newest = pages.toSorted((left, right) => (sequenceOf(left) < sequenceOf(right) ? 1 : -1))[0];
  return newest !== undefined && isClosed(newest, sectorBytes);
}

/**
 * How an NTFS volume was left: the dirty flag of `$Volume` and the state of `$LogFile`. Read-only. What a damaged volume
 * does not tell counts as dirty.
 */
export async function readNtfsState(
  volume: ByteSource,
): Promise<Pick<WindowsVolumeFacts, 'dirty' | 'logClosed' | 'encrypted'>> {
  const start = await volume.read(0, Math.min(512, volume.sizeBytes));
  // BitLocker: the boot sector of a fully encrypted volume (guest-visible signature, Windows 7 and later).
  if (start.toString('latin1', 3, 11) === '-FVE-FS-')
    return { dirty: null, logClosed: null, encrypted: true };
  try {
    const geometry = await readNtfsGeometry(volume);
    const information = findAttribute(
      await readSystemRecord(volume, geometry, volumeRecord),
      volumeInformation,
    );
    const at = information?.readUInt16LE(20) ?? 0;
    const dirty =
      information === null ||
      at + 12 > information.length ||
      (information.readUInt16LE(at + 10) & dirtyFlag) !== 0;
    const data = findAttribute(await readSystemRecord(volume, geometry, logRecord), dataAttribute);
    const offset = data === null ? null : firstRunOffset(data, geometry.clusterBytes);
    const logClosed = offset !== null && (await isLogClosed(volume, offset, geometry.sectorBytes));
    return { dirty, logClosed, encrypted: false };
  } catch (cause) {
    if (!isAppError(cause) || cause.code !== 'GUEST_FILE_SYSTEM_CORRUPT') throw cause;
    return { dirty: true, logClosed: false, encrypted: false };
  }
}
