import type { GuestFiles } from './guestFiles.ts';

/** A file system at its place in the tree of the guest. Its reader must tell links (`readLink`). */
export interface MountedFiles {
  /** Absolute, without a slash at its end but for `/`. */
  readonly mountPoint: string;
  readonly files: GuestFiles;
}

/** A path without links, and who reads it. */
interface Located {
  readonly files: GuestFiles;
  /** Within that file system. */
  readonly path: string;
}

const maxLinks = 40;
const maxDepth = 256;

function split(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

/** Finds places in the tree. */
class Tree {
  readonly #longestFirst: readonly MountedFiles[];
  readonly #links = new Map<string, Promise<string | null>>();

  constructor(mounts: readonly MountedFiles[]) {
    this.#longestFirst = mounts.toSorted((left, right) => right.mountPoint.length - left.mountPoint.length);
  }

  /** Who reads a path that has no links in it. */
  #locate(path: string): Located | null {
    const mount = this.#longestFirst.find(
      ({ mountPoint }) => mountPoint === '/' || path === mountPoint || path.startsWith(`${mountPoint}/`),
    );
    if (mount === undefined) return null;
    const inner = mount.mountPoint === '/' ? path : path.slice(mount.mountPoint.length);
    return { files: mount.files, path: inner === '' ? '/' : inner };
  }

  /** Where the link at a path leads whose folders are no links; null = it is no link. */
  linkAt(path: string): Promise<string | null> {
    const known = this.#links.get(path);
    if (known !== undefined) return known;
    const place = this.#locate(path);
    const none = Promise.resolve(null);
    const target = place === null || place.path === '/' ? none : (place.files.readLink?.(place.path) ?? none);
    this.#links.set(path, target);
    return target;
  }

  /** The path without links and dots; null = it leads in circles, or is too long. */
  async resolve(path: string): Promise<string | null> {
    const stack: string[] = [];
    const pending = split(path);
    let followed = 0;
    while (pending.length > 0) {
      const part = pending.shift() ?? '';
      if (part === '..') {
        stack.pop();
        continue;
      }
      const target = await this.linkAt(`/${[...stack, part].join('/')}`);
      if (target === null) {
        stack.push(part);
        if (stack.length > maxDepth) return null;
        continue;
      }
      followed += 1;
      if (target.startsWith('/')) stack.length = 0;
      pending.unshift(...split(target));
      if (followed > maxLinks || pending.length > maxDepth) return null;
    }
    return `/${stack.join('/')}`;
  }

  async find(path: string): Promise<Located | null> {
    const real = await this.resolve(path);
    return real === null ? null : this.#locate(real);
  }
}

/**
 * Several file systems as the one tree the guest sees: the longest mount point wins, links are followed across mounts and
 * never lead out. The file systems must not change meanwhile: links are remembered.
 */
export function unionFiles(mounts: readonly MountedFiles[]): GuestFiles {
  const tree = new Tree(mounts);
  return {
    stat: async (path) => {
      const place = await tree.find(path);
      return place === null ? null : await place.files.stat(place.path);
    },
    list: async (path) => {
      const place = await tree.find(path);
      return place === null ? [] : await place.files.list(place.path);
    },
    read: async (path, maxBytes) => {
      const place = await tree.find(path);
      return place === null ? null : await place.files.read(place.path, maxBytes);
    },
    stream: async function* (path) {
      const place = await tree.find(path);
      if (place !== null) yield* place.files.stream(place.path);
    },
    readLink: async (path) => {
      const parts = split(path);
      const name = parts.pop();
      const folder = await tree.resolve(parts.join('/'));
      if (folder === null || name === undefined || name === '..') return null;
      return await tree.linkAt(`${folder === '/' ? '' : folder}/${name}`);
    },
  };
}
