import { mkdir, mkdtemp, readdir, rm, rmdir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '@ascend/errors';

/** Scratch space of the agent. */
export interface Workspace {
  readonly scratchDir: string;
  /** The private folder of a job; made when it is not there. @throws {AppError} INPUT_INVALID, AGENT_SCRATCH_FULL */
  jobDir(jobId: string, needBytes: number): Promise<string>;
  /** Removes a job's folder if nothing is in it. */
  dropIfEmpty(jobId: string): Promise<void>;
  /** A folder for one request; removed when `use` has settled. */
  withTemporary<T>(use: (dir: string) => Promise<T>): Promise<T>;
  /** Removes what earlier processes left: request folders, and jobs untouched for longer than `ageMs` that are not open. */
  sweep(openJobs: ReadonlySet<string>, ageMs: number, nowMs: number): Promise<readonly string[]>;
}

/** Kept free besides what a step asks for: a full file system takes the ledger with it. */
const reserveBytes = 64 * 1024 * 1024;

// A job id becomes a folder name and comes from outside.
const safeName = /^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$/;

/** Scratch below `scratchDir`: `jobs/<id>` and `requests/…`, mode 700. */
export function createWorkspace(scratchDir: string): Workspace {
  const jobs = join(scratchDir, 'jobs');
  const requests = join(scratchDir, 'requests');
  const pathOf = (jobId: string): string => {
    if (safeName.test(jobId)) return join(jobs, jobId);
    throw new AppError({
      code: 'INPUT_INVALID',
      message: `open work folder: job id ${JSON.stringify(jobId)}`,
    });
  };
  return {
    scratchDir,
    jobDir: async (jobId, needBytes) => {
      const dir = pathOf(jobId);
      await mkdir(dir, { recursive: true, mode: 0o700 });
      const stats = await statfs(dir);
      const freeBytes = stats.bavail * stats.bsize;
      if (freeBytes >= needBytes + reserveBytes) return dir;
      throw new AppError({
        code: 'AGENT_SCRATCH_FULL',
        message: `open work folder: ${freeBytes} bytes free under ${scratchDir}, ${needBytes + reserveBytes} needed`,
        details: { freeBytes, needBytes, reserveBytes },
      });
    },
    dropIfEmpty: async (jobId) => {
      await rmdir(pathOf(jobId)).catch(() => undefined);
    },
    withTemporary: async (use) => {
      await mkdir(requests, { recursive: true, mode: 0o700 });
      const dir = await mkdtemp(join(requests, 'r-'));
      try {
        return await use(dir);
      } finally {
        await rm(dir, { recursive: true, force: true });
      }
    },
    sweep: async (openJobs, ageMs, nowMs) => {
      await rm(requests, { recursive: true, force: true });
      await mkdir(jobs, { recursive: true, mode: 0o700 });
      const removed: string[] = [];
      for (const name of await readdir(jobs)) {
        const { mtimeMs } = await stat(join(jobs, name));
        if (openJobs.has(name) || nowMs - mtimeMs < ageMs) continue;
        await rm(join(jobs, name), { recursive: true, force: true });
        removed.push(name);
      }
      return removed;
    },
  };
}
