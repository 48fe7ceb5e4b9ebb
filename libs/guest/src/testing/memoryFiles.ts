import type { GuestEntry, GuestFileKind, GuestFiles } from '../guestFiles.ts';

function kindAt(
  paths: ReadonlyMap<string, string>,
  links: ReadonlyMap<string, string>,
  path: string,
): GuestFileKind | null {
  if (links.has(path)) return 'symlink';
  if (paths.has(path)) return 'file';
  const folder = path === '' ? '' : `${path}/`;
  return [...paths.keys(), ...links.keys()].some((other) => other.startsWith(folder)) ? 'directory' : null;
}

function plain(path: string): string {
  return path.replaceAll(/^\/+|\/+$/g, '');
}

/** Files of a guest in memory, for tests of readers: path without leading `/` → text. A text of `-> x` is a link to `x`. */
export function memoryFiles(tree: Readonly<Record<string, string>>): GuestFiles {
  const links = new Map(
    Object.entries(tree)
      .filter(([, text]) => text.startsWith('-> '))
      .map(([path, text]) => [path, text.slice(3)]),
  );
  const paths = new Map(Object.entries(tree).filter(([path]) => !links.has(path)));
  const follow = (path: string): string => links.get(plain(path))?.replace(/^\/+/, '') ?? plain(path);
  const read = async (path: string): Promise<Buffer | null> => {
    const text = paths.get(follow(path));
    return text === undefined ? null : Buffer.from(text, 'utf8');
  };
  return {
    read,
    stat: async (path) => {
      const kind = kindAt(paths, new Map(), follow(path));
      return kind === null
        ? null
        : { kind, sizeBytes: paths.get(follow(path))?.length ?? 0, mode: 0o644, uid: 0, gid: 0 };
    },
    list: async (path) => {
      const folder = plain(path) === '' ? '' : `${plain(path)}/`;
      const names = [...paths.keys(), ...links.keys()]
        .filter((other) => other.startsWith(folder))
        .map((other) => other.slice(folder.length).split('/')[0] ?? '');
      return [...new Set(names)].map((name): GuestEntry => ({
        name,
        kind: kindAt(paths, links, folder + name) ?? 'other',
      }));
    },
    stream: async function* (path) {
      const bytes = await read(path);
      if (bytes !== null) yield bytes;
    },
    readLink: async (path) => links.get(plain(path)) ?? null,
  };
}
