import { readdir, readFile, readlink } from 'node:fs/promises';
import path from 'node:path';

// State of a listening socket in /proc/net/tcp (Linux, include/net/tcp_states.h).
const listenState = '0A';

async function socketInodes(pid: number): Promise<ReadonlySet<string>> {
  const folder = `/proc/${pid}/fd`;
  const names = await readdir(folder).catch(() => []);
  const links = await Promise.all(names.map((name) => readlink(path.join(folder, name)).catch(() => '')));
  return new Set(links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []));
}

/** The port of the listening socket in a kernel table (`/proc/net/tcp`) whose inode is one of these; null when there is none. */
export function portOf(table: string, inodes: ReadonlySet<string>): number | null {
  for (const line of table.split('\n')) {
    const fields = line.trim().split(/\s+/);
    const port = /^[0-9A-F]+:([0-9A-F]{4})$/.exec(fields[1] ?? '')?.[1];
    if (fields[3] === listenState && port !== undefined && inodes.has(fields[9] ?? '')) {
      return Number.parseInt(port, 16);
    }
  }
  return null;
}

/** The TCP port on which a process of ours listens; null while it does not. A server that chose a free port does not tell it otherwise. */
export async function listeningPort(pid: number): Promise<number | null> {
  const inodes = await socketInodes(pid);
  for (const table of ['tcp', 'tcp6']) {
    const text = await readFile(`/proc/${pid}/net/${table}`, 'utf8').catch(() => '');
    const port = portOf(text, inodes);
    if (port !== null) return port;
  }
  return null;
}
