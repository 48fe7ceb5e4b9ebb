import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '@ascend/runtime';

/** One cached build: the same key gives the same folder, so a changed builder never meets an old result. */
export interface CacheFolderParams {
  readonly cacheDir: string;
  /** Prefix of the folder's name; `[a-z0-9-]`. */
  readonly name: string;
  /** Files whose content decides the result: the builder's own sources. */
  readonly sources: readonly string[];
  /** Options that decide the result; JSON. */
  readonly options?: unknown;
  /** Fills an empty folder; it gets its final name only when this resolves. */
  readonly build: (partialDir: string) => Promise<void>;
}

const lockPollMs = 500;

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function cacheKey(params: CacheFolderParams): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify(params.options ?? null));
  for (const source of params.sources) hash.update(await readFile(source));
  return hash.digest('hex').slice(0, 16);
}

async function holderIsAlive(lockDir: string): Promise<boolean> {
  const text = await readFile(join(lockDir, 'pid'), 'utf8').catch(() => '');
  // A holder that has not written its pid yet gets the benefit of the doubt for one more poll round.
  if (text === '') return Date.now() - ((await stat(lockDir).catch(() => null))?.mtimeMs ?? 0) < 5_000;
  try {
    process.kill(Number(text), 0);
    return true;
  } catch {
    return false;
  }
}

async function takeLock(lockDir: string, isDone: () => Promise<boolean>): Promise<boolean> {
  while (!(await isDone())) {
    try {
      await mkdir(lockDir);
      await writeFile(join(lockDir, 'pid'), String(process.pid));
      return true;
    } catch {
      if (!(await holderIsAlive(lockDir))) await rm(lockDir, { recursive: true, force: true });
      else await systemClock.sleep(lockPollMs);
    }
  }
  return false;
}

/** The finished folder, built at most once per key even when several processes ask at the same time. */
export async function cachedFolder(params: CacheFolderParams): Promise<string> {
  await mkdir(params.cacheDir, { recursive: true });
  const finalDir = join(params.cacheDir, `${params.name}-${await cacheKey(params)}`);
  const lockDir = `${finalDir}.lock`;
  if (!(await takeLock(lockDir, async () => exists(finalDir)))) return finalDir;
  const partialDir = `${finalDir}.partial`;
  try {
    await rm(partialDir, { recursive: true, force: true });
    await mkdir(partialDir);
    await params.build(partialDir);
    await rename(partialDir, finalDir);
  } finally {
    await rm(partialDir, { recursive: true, force: true });
    await rm(lockDir, { recursive: true, force: true });
  }
  return finalDir;
}
