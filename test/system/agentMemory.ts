import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { AscendSystem } from './ascendSystem.ts';
import { show } from './microRestore.ts';

/** Resident size of the agent's own process in MiB; its block servers are processes of their own. */
export async function agentRssMib(system: AscendSystem): Promise<number> {
  const status = await readFile(`/proc/${system.agentPid()}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN) / 1024;
}

/** Highest resident size of the agent until the restore has ended, sampled five times a second. */
export async function peakAgentRssMib(system: AscendSystem, restoreId: string): Promise<number> {
  let peak = 0;
  for (let looks = 1; ; looks += 1) {
    peak = Math.max(peak, await agentRssMib(system));
    await delay(200);
    if (looks % 10 === 0 && (await show(system, restoreId)).state !== 'running') return peak;
  }
}
