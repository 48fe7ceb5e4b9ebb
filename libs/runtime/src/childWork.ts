import { readdir, readFile } from 'node:fs/promises';

interface ProcessTimes {
  readonly parent: number;
  readonly ticks: number;
}

async function readTimes(pid: string): Promise<ProcessTimes | null> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, 'latin1');
    // The name is in parentheses and may hold spaces and parentheses itself.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const [parent, userTicks, systemTicks] = [fields[1], fields[11], fields[12]].map(Number);
    return { parent: parent ?? 0, ticks: (userTicks ?? 0) + (systemTicks ?? 0) };
  } catch {
    return null;
  }
}

/**
 * CPU ticks that all running descendants of `rootPid` have used: any change means that some tool still works. Where there
 * is no /proc the answer is always 0.
 */
export async function childWork(rootPid: number): Promise<number> {
  const names = await readdir('/proc').catch(() => [] as string[]);
  const table = new Map<number, ProcessTimes>();
  for (const name of names) {
    if (!/^\d+$/.test(name)) continue;
    const times = await readTimes(name);
    if (times !== null) table.set(Number(name), times);
  }
  let ticks = 0;
  for (const [pid, times] of table) {
    let ancestor = pid === rootPid ? undefined : times.parent;
    while (ancestor !== undefined && ancestor !== rootPid) ancestor = table.get(ancestor)?.parent;
    if (ancestor === rootPid) ticks += times.ticks;
  }
  return ticks;
}
