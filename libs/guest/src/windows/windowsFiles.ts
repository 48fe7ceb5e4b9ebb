import type { GuestFiles } from '../guestFiles.ts';

/**
 * The path as spelled on the volume: Windows takes any case, readers of the volume do not. null when a part is not there.
 */
export async function findPath(files: GuestFiles, path: string): Promise<string | null> {
  let found = '';
  for (const part of path.split(/[/\\]/).filter((name) => name !== '')) {
    const wanted = part.toUpperCase();
    const entry = (await files.list(found === '' ? '/' : found)).find(
      (each) => each.name.toUpperCase() === wanted,
    );
    if (entry === undefined) return null;
    found = `${found}/${entry.name}`;
  }
  return found;
}

/**
 * The whole file at a path of any case; null when it is not there.
 *
 * @throws {AppError} GUEST_FILE_TOO_LARGE
 */
export async function readAnyCase(files: GuestFiles, path: string, maxBytes: number): Promise<Buffer | null> {
  const found = await findPath(files, path);
  return found === null ? null : await files.read(found, maxBytes);
}

/** The first bytes of a file; null when it is not there. For files too large to read whole. */
export async function readStart(files: GuestFiles, path: string, length: number): Promise<Buffer | null> {
  const found = await findPath(files, path);
  if (found === null) return null;
  const parts: Buffer[] = [];
  let have = 0;
  for await (const part of files.stream(found)) {
    parts.push(part);
    have += part.length;
    if (have >= length) break;
  }
  return Buffer.concat(parts).subarray(0, length);
}
