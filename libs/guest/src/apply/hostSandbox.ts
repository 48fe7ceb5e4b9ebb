import { stat } from 'node:fs/promises';
import process from 'node:process';

/** The unprivileged user that parses file systems of guests (`nobody` on every Linux). */
export const unprivilegedUid = 65534;

/** Where things appear inside the sandbox of host programs. */
export const insidePaths = { volume: '/ascend/volume', mount: '/ascend/mount' } as const;

/** Where a volume appears: 0 is `volumePath`, the others follow in order. */
export function insideVolume(index: number): string {
  return index === 0 ? insidePaths.volume : `${insidePaths.volume}${index}`;
}

/** True when this process is root and can therefore become another user. */
export function runsAsRoot(): boolean {
  return process.getuid?.() === 0;
}

/**
 * What the program is for. `tool`: reads and writes the volume as a file. `fuse-mount`: mounts it in user, mount, pid and
 * network namespaces of its own. `kernel-mount`: keeps namespaces in which root mounts it through a loop device.
 */
type SandboxPurpose = 'tool' | 'fuse-mount' | 'kernel-mount';

/** What a host program inside the sandbox may see besides programs. */
export interface HostSandboxParams {
  readonly purpose: SandboxPurpose;
  /** Absolute path of the raw file of the volume; appears as `insidePaths.volume`, writable. */
  readonly volumePath: string;
  /** Further volumes; they appear as `insideVolume(1)`, `insideVolume(2)` … */
  readonly moreVolumePaths?: readonly string[];
  /** A FUSE device node that the unprivileged user may open. Only for `fuse-mount`. */
  readonly fuseNode?: string;
  /**
   * Who the program is in its own user namespace. `root` (default), or `same`: the unprivileged user with the capabilities
   * of the namespace, for programs that as root would change groups, which such a namespace forbids.
   */
  readonly identity?: 'root' | 'same';
  /** More that the program may see: files and folders of the machine, read-only unless `writable`, or device nodes. */
  readonly binds?: readonly SandboxBind[];
}

/** A file, folder, socket or device of the machine and where it appears inside. */
export interface SandboxBind {
  readonly from: string;
  readonly to: string;
  readonly access: 'read' | 'write' | 'device';
}

const bindOptions = { read: '--ro-bind', write: '--bind', device: '--dev-bind' } as const;

/** A program with its argument array. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
}

/** Arguments without blanks in them, for readability. */
export function words(text: string): readonly string[] {
  return text.split(' ');
}

async function programBinds(): Promise<readonly string[]> {
  const binds: string[] = [];
  for (const path of ['/usr', '/bin', '/sbin', '/lib', '/lib64', '/etc/ld.so.cache']) {
    if ((await stat(path).catch(() => null)) !== null) binds.push('--ro-bind', path, path);
  }
  return binds;
}

function deviceBinds(params: HostSandboxParams): readonly string[] {
  if (params.purpose === 'kernel-mount') return ['--dev-bind', '/dev', '/dev'];
  if (params.purpose === 'tool') return ['--dev', '/dev'];
  return ['--dev', '/dev', '--dev-bind', params.fuseNode ?? '/dev/fuse', '/dev/fuse'];
}

/**
 * A namespace below may mount its own /proc only where an unmasked one is visible, so the machine's is bound for it; root
 * in a kernel mount needs one that shows the pids of its own namespace.
 */
function processBinds(purpose: SandboxPurpose): readonly string[] {
  return words(purpose === 'kernel-mount' ? '--proc /proc' : '--bind /proc /proc');
}

/** Turns root into the unprivileged user without capabilities; a user who is not root only needs to lose what he has. */
function dropPrivileges({ purpose, identity }: HostSandboxParams): readonly string[] {
  if (purpose === 'kernel-mount') return [];
  const user = `--reuid=${unprivilegedUid} --regid=${unprivilegedUid} --clear-groups`;
  // An ordinary user has no capability to drop the bounding set with once the sandbox has taken them away.
  const drop = runsAsRoot() ? words(`${user} --bounding-set=-all --inh-caps=-all`) : [];
  const own = words(
    `unshare --user ${identity === 'same' ? '--map-current-user --keep-caps' : '--map-root-user'} --mount --pid --fork --kill-child=SIGKILL --mount-proc --`,
  );
  const namespaces = purpose === 'tool' ? [] : own;
  return ['setpriv', ...drop, '--no-new-privs', '--', ...namespaces];
}

/**
 * Runs `command` where it sees the machine's programs and one volume and nothing else, unprivileged but for
 * `kernel-mount`, without network. Its pid namespace ends with the process that started it, even by kill -9.
 * Programs that parse bytes of a guest run only like this (D22).
 */
export async function hostSandboxCommand(
  params: HostSandboxParams,
  command: readonly string[],
): Promise<Command> {
  const args = [
    ...(runsAsRoot() ? [] : words('--unshare-user --uid 0 --gid 0')),
    ...words('--cap-add ALL --unshare-pid --unshare-net --unshare-ipc --unshare-uts'),
    ...words('--die-with-parent --new-session --clearenv'),
    ...words('--setenv PATH /usr/sbin:/usr/bin:/sbin:/bin --setenv LC_ALL C.UTF-8'),
    // Made as a side effect of the bind below it would be closed to the unprivileged user, which ends Perl at once.
    ...words('--perms 0755 --dir /etc'),
    ...(await programBinds()),
    // ntfs-3g looks up the name of its user; the file is readable by everybody on any machine.
    ...(params.identity === 'same' ? words('--ro-bind /etc/passwd /etc/passwd') : []),
    ...processBinds(params.purpose),
    ...deviceBinds(params),
    ...words(`--tmpfs /tmp --perms 0755 --dir /ascend --perms 0777 --dir ${insidePaths.mount}`),
    ...[params.volumePath, ...(params.moreVolumePaths ?? [])].flatMap((path, index) => [
      '--bind',
      path,
      insideVolume(index),
    ]),
    ...(params.binds ?? []).flatMap(({ from, to, access }) => [bindOptions[access], from, to]),
    ...words('--chdir / --'),
    ...dropPrivileges(params),
    ...command,
  ];
  return { program: 'bwrap', args };
}
