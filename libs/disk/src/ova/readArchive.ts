import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { AppError } from '@ascend/errors';
import { readError } from '../fileErrors.ts';
import { decodeTarHeader, tarBlockBytes, tarPaddingBytes } from './tarHeader.ts';

/** A member of an archive, and where its bytes lie in the file. */
export interface ArchiveMember {
  readonly name: string;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

// Descriptor, manifest, certificate and the disks that one descriptor can name, with room to spare.
const maxMembers = 256;
const maxManifestBytes = 1024 * 1024;
const pieceBytes = 1024 * 1024;

function damaged(filePath: string, problem: string): AppError {
  return new AppError({ code: 'DISK_HEADER_INVALID', message: `read archive ${filePath}: ${problem}` });
}

async function withFile<T>(filePath: string, work: (handle: FileHandle) => Promise<T>): Promise<T> {
  const handle = await open(filePath, 'r').catch((cause: unknown) => {
    throw readError('read archive', filePath, cause);
  });
  try {
    return await work(handle);
  } finally {
    await handle.close();
  }
}

/**
 * Lists the members of an archive by its headers; no data is read.
 *
 * @throws {AppError} DISK_HEADER_INVALID - cut or damaged; DISK_FILE_MISSING, DISK_FILE_UNREADABLE
 */
export async function listMembers(filePath: string): Promise<readonly ArchiveMember[]> {
  return await withFile(filePath, async (handle) => {
    const { size } = await handle.stat();
    const members: ArchiveMember[] = [];
    const header = Buffer.alloc(tarBlockBytes);
    for (let at = 0; ;) {
      const { bytesRead } = await handle.read(header, 0, tarBlockBytes, at);
      const found = decodeTarHeader(header.subarray(0, bytesRead));
      if (found === null) return members;
      const offsetBytes = at + tarBlockBytes;
      at = offsetBytes + found.sizeBytes + tarPaddingBytes(found.sizeBytes);
      if (at > size || members.length === maxMembers) {
        throw damaged(filePath, `member ${found.name} of ${found.sizeBytes} bytes ends behind the file`);
      }
      members.push({ ...found, offsetBytes });
    }
  });
}

async function digestOf(handle: FileHandle, member: ArchiveMember, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  const piece = Buffer.alloc(Math.min(pieceBytes, Math.max(1, member.sizeBytes)));
  for (let at = 0; at < member.sizeBytes;) {
    signal.throwIfAborted();
    const length = Math.min(piece.length, member.sizeBytes - at);
    const { bytesRead } = await handle.read(piece, 0, length, member.offsetBytes + at);
    if (bytesRead === 0) break;
    hash.update(piece.subarray(0, bytesRead));
    at += bytesRead;
  }
  return hash.digest('hex');
}

/**
 * Reads members of an archive and compares them with its manifest. Every member but the manifest must be named there.
 *
 * @throws {AppError} DISK_VERIFY_MISMATCH - a digest is wrong; DISK_HEADER_INVALID - there is no manifest, or it does not name a member;
 * DISK_FILE_MISSING, DISK_FILE_UNREADABLE
 */
export async function checkManifest(
  filePath: string,
  members: readonly ArchiveMember[],
  params: { readonly isChecked: (member: ArchiveMember) => boolean; readonly signal: AbortSignal },
): Promise<void> {
  const manifest = members.find(({ name }) => name.endsWith('.mf'));
  if (manifest === undefined || manifest.sizeBytes > maxManifestBytes)
    throw damaged(filePath, 'it has no manifest');
  await withFile(filePath, async (handle) => {
    const text = Buffer.alloc(manifest.sizeBytes);
    await handle.read(text, 0, text.length, manifest.offsetBytes);
    const lines = text.toString('latin1').matchAll(/^SHA256\(([^)\n]+)\)= ([0-9a-f]{64})$/gm);
    const digests = new Map([...lines].map(([, name, digest]) => [name, digest]));
    for (const member of members) {
      if (member === manifest) continue;
      const wanted = digests.get(member.name);
      if (wanted === undefined) throw damaged(filePath, `its manifest does not name ${member.name}`);
      if (!params.isChecked(member)) continue;
      const found = await digestOf(handle, member, params.signal);
      if (found === wanted) continue;
      throw new AppError({
        code: 'DISK_VERIFY_MISMATCH',
        message: `verify archive ${filePath}: the bytes of ${member.name} do not have the digest of the manifest`,
        details: { member: member.name, manifestSha256: wanted, foundSha256: found },
      });
    }
  });
}
