import { AppError } from '@ascend/errors';
import type { GuestEntry, GuestFiles } from '../../guestFiles.ts';

/** Files of a guest by absolute path. */
export type FileTree = ReadonlyMap<string, Buffer>;

function clean(path: string): string {
  const parts = path.split('/').filter((part) => part !== '');
  return parts.length === 0 ? '' : `/${parts.join('/')}`;
}

/** A guest's files in memory; like NTFS through a POSIX reader it minds the case of names. */
export function memoryFiles(tree: FileTree): GuestFiles {
  const isFolder = (path: string): boolean => [...tree.keys()].some((name) => name.startsWith(`${path}/`));
  return {
    stat: async (path) => {
      const file = tree.get(clean(path));
      if (file === undefined && !isFolder(clean(path))) return null;
      const kind = file === undefined ? 'directory' : 'file';
      return { kind, sizeBytes: file?.length ?? 0, mode: 0o777, uid: 0, gid: 0 };
    },
    list: async (path) => {
      const start = `${clean(path)}/`;
      const entries = new Map<string, GuestEntry>();
      for (const name of tree.keys()) {
        if (!name.startsWith(start)) continue;
        const [first = '', ...rest] = name.slice(start.length).split('/');
        entries.set(first, { name: first, kind: rest.length === 0 ? 'file' : 'directory' });
      }
      return [...entries.values()];
    },
    read: async (path, maxBytes) => {
      const file = tree.get(clean(path)) ?? null;
      if (file !== null && file.length > maxBytes) {
        throw new AppError({ code: 'GUEST_FILE_TOO_LARGE', message: `read ${path}: ${file.length} bytes` });
      }
      return file;
    },
    async *stream(path) {
      const file = tree.get(clean(path));
      if (file !== undefined) yield file;
    },
  };
}
