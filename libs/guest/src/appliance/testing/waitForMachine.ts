import { readFile } from 'node:fs/promises';
import { systemClock } from '@ascend/runtime';
import { descendants } from '../../apply/processTree.ts';

/** Waits until the sandbox has started its QEMU; returns every process below. */
export async function waitForMachine(pid: number): Promise<readonly number[]> {
  for (;;) {
    const below = await descendants(pid);
    const names = await Promise.all(below.map((id) => readFile(`/proc/${id}/comm`, 'utf8').catch(() => '')));
    if (names.some((name) => name.startsWith('qemu-system'))) return below;
    await systemClock.sleep(50);
  }
}
