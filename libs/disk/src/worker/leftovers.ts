import { mkdir, mkdtemp, readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { changeFile } from '../fileErrors.ts';
import { monotonicClock } from '../copy/monotonicClock.ts';

// A folder below it must still leave room for a socket's name (see `makeRunFolder`).
const maxFolderBytes = 72;
const killAfterMs = 10_000;
const giveUpAfterMs = 20_000;
const pollMs = 20;

/** A private folder for one transfer, below `workDir` or, when that path is too long for sockets, in the temp folder. */
export async function makeTransferFolder(workDir: string): Promise<string> {
  const prefix = path.join(path.resolve(workDir), 'copy-');
  return await changeFile('make folder below', workDir, async () => {
    await mkdir(workDir, { recursive: true });
    return await mkdtemp(
      Buffer.byteLength(prefix) > maxFolderBytes ? path.join(tmpdir(), 'ascend-copy-') : prefix,
    );
  });
}

/** Processes whose command line names the folder. */
async function processesOf(folder: string): Promise<number[]> {
  const names = await readdir('/proc').catch(() => []);
  const pids = names.filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const found = await Promise.all(
    pids.map(async (pid) => {
      const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      return line.includes(`${folder}/`) ? [Number(pid)] : [];
    }),
  );
  return found.flat();
}

/**
 * Waits for the end of all processes that work in a transfer's folder, and kills what does not end in 10 s. The kernel sends them SIGTERM when
 * the thread that started them ends in any way; this is for those that were just being started, or hang. Gives up after 20 s: a process that
 * hangs in the kernel cannot be ended.
 */
export async function endProcessesOf(folder: string): Promise<void> {
  const startedAt = monotonicClock.now();
  for (;;) {
    const pids = await processesOf(folder);
    const waitedMs = monotonicClock.now() - startedAt;
    if (pids.length === 0 || waitedMs > giveUpAfterMs) return;
    if (waitedMs > killAfterMs) {
      for (const pid of pids) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // It has ended by itself since.
        }
      }
    }
    await monotonicClock.sleep(pollMs);
  }
}
