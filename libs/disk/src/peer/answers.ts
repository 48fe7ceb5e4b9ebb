import type { Extent } from '../extent.ts';
import { breach } from './peerErrors.ts';
import type { PeerMode } from './ticket.ts';

/** What the lender tells about its disk. */
export interface LentFacts {
  readonly sizeBytes: number;
  readonly mode: PeerMode;
}

const modes: readonly PeerMode[] = ['nbd', 'https', 'auto'];
const kinds: readonly Extent['kind'][] = ['data', 'zero', 'hole'];

function fieldOf(answer: unknown, name: string): unknown {
  return Reflect.get(Object(answer), name);
}

/** @throws {AppError} DISK_PEER_PROTOCOL */
export function decodeFacts(answer: unknown): LentFacts {
  const size = fieldOf(answer, 'sizeBytes');
  const mode = modes.find((value) => value === fieldOf(answer, 'mode'));
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0 || mode === undefined) {
    throw breach('what it tells about the disk is malformed');
  }
  return { sizeBytes: size, mode };
}

/** @throws {AppError} DISK_PEER_PROTOCOL */
export function decodeExportName(answer: unknown): string {
  const name = fieldOf(answer, 'exportName');
  if (typeof name === 'string' && name.length <= 255) return name;
  throw breach('the name of its export is malformed');
}

/**
 * Reads a page of `[length, kind]` that begins at `offsetBytes`; it must bring the map forward and stay below `endBytes`.
 *
 * @throws {AppError} DISK_PEER_PROTOCOL
 */
export function decodeExtents(answer: unknown, offsetBytes: number, endBytes: number): readonly Extent[] {
  const entries = fieldOf(answer, 'extents');
  if (!Array.isArray(entries) || entries.length === 0) throw breach('a page of the map without extents');
  let at = offsetBytes;
  return entries.map((entry: unknown) => {
    const [length, name]: readonly unknown[] = Array.isArray(entry) ? entry : [];
    const kind = kinds.find((value) => value === name);
    const isFit =
      typeof length === 'number' && Number.isSafeInteger(length) && length > 0 && length <= endBytes - at;
    if (!isFit || kind === undefined) throw breach(`an extent of the map at ${at} is malformed`);
    const extent: Extent = { offsetBytes: at, lengthBytes: length, kind };
    at += length;
    return extent;
  });
}
