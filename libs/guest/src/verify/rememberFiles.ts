import type { GuestFiles } from '../guestFiles.ts';

/** Reads the named files and links into memory. Only `read` and `readLink` answer afterwards, for those paths. */
export async function rememberFiles(
  files: GuestFiles,
  paths: readonly string[],
  maxBytes: number,
): Promise<GuestFiles> {
  const contents = new Map<string, Buffer | null>();
  const links = new Map<string, string | null>();
  for (const path of new Set(paths.map((each) => `/${each}`))) {
    links.set(path, (await files.readLink?.(path)) ?? null);
    contents.set(path, await files.read(path, maxBytes));
  }
  return {
    stat: async () => null,
    list: async () => [],
    read: async (path) => contents.get(path) ?? null,
    stream: async function* (path) {
      const bytes = contents.get(path) ?? null;
      if (bytes !== null) yield bytes;
    },
    readLink: async (path) => links.get(path) ?? null,
  };
}
