import { runAsGuestRoot } from '../guestTree.ts';

/** Something of this machine that a program inside a tree may see. */
interface TreeMount {
  readonly from: string;
  /** Absolute inside the tree; must be there already. */
  readonly to: string;
  readonly kind: 'read-only' | 'writable';
}

/** How a program runs with an unpacked tree as its root. */
export interface InsideTreeParams {
  readonly treeDir: string;
  /** Absolute inside the tree, and its arguments. */
  readonly command: readonly string[];
  readonly mounts?: readonly TreeMount[];
  /** True: the machine's network, to fetch packages. */
  readonly online?: boolean;
}

const bindOptions = { 'read-only': '--ro-bind', writable: '--bind' } as const;
const ownFolders = ['--dev', '/dev', '--proc', '/proc', '--tmpfs', '/tmp', '--tmpfs', '/run'];
// Packages give files to other users: the capabilities for that are those of the tree's own namespace.
const isolation = ['--unshare-pid', '--unshare-ipc', '--die-with-parent', '--cap-add', 'ALL', '--clearenv'];
const environment = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  DEBIAN_FRONTEND: 'noninteractive',
  LC_ALL: 'C',
};

/** Runs a program with the tree as `/`, as its root, in namespaces of its own; its standard output is the result. */
export async function runInside(params: InsideTreeParams): Promise<string> {
  const { treeDir, command, mounts = [], online = false } = params;
  const seen = mounts.flatMap(({ kind, from, to }) => [bindOptions[kind], from, to]);
  const network = online ? ['--ro-bind', '/etc/resolv.conf', '/etc/resolv.conf'] : ['--unshare-net'];
  const settings = Object.entries(environment).flatMap(([name, value]) => ['--setenv', name, value]);
  return runAsGuestRoot('bwrap', [
    '--bind',
    treeDir,
    '/',
    ...ownFolders,
    ...seen,
    ...network,
    ...isolation,
    ...settings,
    '--',
    ...command,
  ]);
}
