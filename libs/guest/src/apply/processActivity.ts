import { readFile } from 'node:fs/promises';
import { descendants } from './processTree.ts';

/** User and system time of a process and of its children that it has waited for; 0 when it is gone. */
async function cpuTicks(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The program's name is in brackets and may hold blanks; utime is the 12th field behind it (proc(5)).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, field) => sum + (Number(field) || 0), 0);
}

/** CPU time used below a process, in clock ticks. Changes as long as anything there computes or ends. */
export async function cpuTicksBelow(pid: number): Promise<number> {
  const ticks = await Promise.all([pid, ...(await descendants(pid))].map(cpuTicks));
  return ticks.reduce((sum, each) => sum + each, 0);
}
