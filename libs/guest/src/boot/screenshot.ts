import { randomUUID } from 'node:crypto';
import { readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isAppError } from '@ascend/errors';
import { withQmp } from './qmpClient.ts';
import { readPpm, type ScreenImage } from './screenImage.ts';

/** Largest picture that is kept as evidence. */
export const maxScreenshotBytes = 1024 * 1024;
const maxPpmBytes = 256 * 1024 * 1024;

/** The machine's screen now; null when it cannot be had (no machine, no display). */
export async function grabScreen(stateDir: string): Promise<ScreenImage | null> {
  const path = join(stateDir, `screen-${randomUUID()}.ppm`);
  try {
    await withQmp({ stateDir }, async (client) => client.execute('screendump', { filename: path }));
    const { size } = await stat(path);
    return size > maxPpmBytes ? null : readPpm(await readFile(path));
  } catch (error) {
    if (isAppError(error) || (error instanceof Error && 'code' in error)) return null;
    throw error;
  } finally {
    await rm(path, { force: true });
  }
}
